"""The pretend GPU keeps CUDA's rules for mixing devices: each case in a process of its own, as in a real run."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

torch = pytest.importorskip("torch")

_RUN = """
import json, os, sys, torch, torch.nn as nn, torch.nn.functional as F
from losslint.probe.worker.case import Argument, Case
from losslint.probe.worker.experiments.device import measure
from losslint.probe.worker import pretend_gpu
if not pretend_gpu.available():
    print("null"); sys.exit()
torch.manual_seed(0)
{source}
X = Argument("x", torch.randn(4, 5), "prediction", "logits", differentiable=True)
T = Argument("t", torch.tensor([0, 1, 2, 4]), "target", "index")
found = measure(Case(loss if isinstance(loss, type) else lambda: loss, (X, T), lambda file: file == "<case>"), "{device}")
print(json.dumps(found)); sys.stdout.flush(); os._exit(0)
"""


def measured(source: str, device: str = "pretend") -> dict[str, Any]:
    """What the device experiment makes of `loss(x, t)`, x of shape (4, 5), t class indices."""
    program = _RUN.replace("{source}", "exec(compile(SOURCE, '<case>', 'exec'))").replace("{device}", device)
    text = f"SOURCE = {textwrap.dedent(source)!r}\n{program}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    if found is None:
        pytest.skip("this torch lets no device be made in Python")
    return dict(found)


FINE = {
    "cross entropy": "loss = F.cross_entropy",
    "a 0-dim CPU tensor is a number": """
        def loss(x, t):
            return F.cross_entropy(x, t) * torch.tensor(0.5) + torch.tensor(1.0)
    """,
    "CPU indices into a GPU tensor": """
        def loss(x, t):
            return -F.log_softmax(x, 1)[torch.arange(4), t].mean()
    """,
    "a factory on the input's device": """
        def loss(x, t):
            weight = torch.linspace(0, 1, 5, device=x.device)
            return (x * weight).mean() + torch.zeros_like(x).sum() + x.new_ones(4, 5).mean() + F.one_hot(t, 5).float().mean()
    """,
    "a buffer that moves along": """
        class loss(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("weight", torch.rand(5))
            def forward(self, x, t):
                return F.cross_entropy(x, t, weight=self.weight)
    """,
    "a parameter that moves along": """
        class loss(nn.Module):
            def __init__(self):
                super().__init__()
                self.centres = nn.Parameter(torch.rand(5, 5))
            def forward(self, x, t):
                return F.mse_loss(x, self.centres[t])
    """,
    "moved by hand": """
        def loss(x, t):
            mask = (torch.rand(4, 5) > 0.5).to(x.device)
            return x[mask].mean() + torch.eye(5).to(x)[t].mean()
    """,
    "numbers and branches": """
        def loss(x, t):
            total = x.new_zeros(())
            for row, label in zip(x, t.tolist()):
                if row.max() > 0:
                    total = total + row[label].abs()
            return total + float(x.detach().sum()) * x.mean()
    """,
    "masks and in place": """
        def loss(x, t):
            y = x.clone()
            y[y < 0] = 0.0
            y.clamp_(max=1)
            return y.masked_fill(t[:, None] > 2, 1.0).mean()
    """,
    "cuda by name": """
        def loss(x, t):
            return (x * torch.ones(5, device="cuda")).mean() + x.cuda().mean() + torch.ones(5).to("cuda:0").mean()
    """,
    "numpy of a CPU copy": """
        def loss(x, t):
            return x.mean() * float(t.cpu().numpy().sum())
    """,
    "lengths on the CPU": """
        def loss(x, t):
            lengths = torch.full((4,), 6)
            log_probs = x.log_softmax(1).expand(6, 4, 5)
            return F.ctc_loss(log_probs, t[:, None].clamp(min=1), lengths, torch.ones(4, dtype=torch.long))
    """,
    "split at places on the CPU": """
        def loss(x, t):
            return x.tensor_split(torch.tensor([1, 3]))[1].mean()
    """,
    "spectra": """
        def loss(x, t):
            wave = x.repeat(1, 16)
            spectrum = torch.stft(wave, 16, window=torch.hann_window(16, device=x.device), return_complex=True)
            return torch.view_as_real(spectrum).square().mean() + spectrum.abs().mean() + torch.fft.rfft2(x).abs().sum()
    """,
    "autocast": """
        def loss(x, t):
            with torch.autocast(device_type=x.device.type, enabled=False):
                return F.cross_entropy(x.float(), t)
    """,
    "turned in place": """
        def loss(x, t):
            y = (x * 2).transpose_(0, 1)
            assert y.shape == (5, 4)
            return F.cross_entropy(y.t(), t) + y.unsqueeze_(0).mean()
    """,
    "convolutions and padding": """
        def loss(x, t):
            image = F.pad(x[None, None], (2, 2, 2, 2), mode="reflect")
            return F.conv2d(image, torch.ones(1, 1, 3, 3, device=x.device)).square().mean()
    """,
    "sorting and distances": """
        def loss(x, t):
            ordered, _ = x.sort(descending=True)
            return torch.cdist(x, ordered).mean() + torch.cumsum(x, 1).mean() + torch.logsumexp(x, 1).mean()
    """,
}

WRONG = {
    "a factory without device": (
        """
        def loss(x, t):
            weight = torch.ones(5)
            return (x * weight).mean()
        """,
        4,
    ),
    "a plain tensor attribute": (
        """
        class loss(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = torch.ones(5)
            def forward(self, x, t):
                return F.cross_entropy(
                    x, t, weight=self.weight)
        """,
        7,
    ),
    "one-hot on the CPU": (
        """
        def loss(x, t):
            hot = torch.zeros(4, 5).scatter_(1, t[:, None], 1)
            return (x * hot).sum()
        """,
        3,
    ),
    "numpy of a GPU tensor": (
        """
        def loss(x, t):
            return x.mean() * float(t.numpy().sum())
        """,
        3,
    ),
    "a CPU tensor indexed by a GPU one": (
        """
        def loss(x, t):
            table = torch.rand(5, 5)
            return (x - table[t].to(x.device)).square().mean()
        """,
        4,
    ),
    "concatenated": (
        """
        def loss(x, t):
            return torch.cat([x, torch.zeros(1, 5)]).mean()
        """,
        3,
    ),
    "a CPU mask in where": (
        """
        def loss(x, t):
            keep = torch.rand(4, 5) > 0.5
            return torch.where(keep, x, 0.0).mean()
        """,
        4,
    ),
    "written into a CPU tensor": (
        """
        def loss(x, t):
            total = torch.zeros(4)
            total += x.sum(1)
            return total.mean()
        """,
        4,
    ),
    "a window on the CPU": (
        """
        def loss(x, t):
            window = torch.hann_window(16)
            return torch.stft(x.repeat(1, 16), 16, window=window, return_complex=True).abs().mean()
        """,
        4,
    ),
    "a kernel on the CPU": (
        """
        def loss(x, t):
            kernel = torch.ones(1, 1, 3, 3)
            return F.conv2d(x[None, None], kernel, padding=1).square().mean()
        """,
        4,
    ),
    "a matrix product": (
        """
        def loss(x, t):
            return (x @ torch.eye(5)).mean()
        """,
        3,
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_passes(name: str) -> None:
    found = measured(FINE[name])
    assert (found["status"], found["reason"]) == ("passed", "")
    assert found["backward_passed"] and found["output_device"] == "cuda"


@pytest.mark.parametrize("name", WRONG)
def test_finds_the_mismatch_and_its_line(name: str) -> None:
    source, line = WRONG[name]
    found = measured(source)
    assert found["status"] == "mismatch", found
    assert found["line"] == line


def test_a_result_left_on_the_cpu_is_told() -> None:
    found = measured("def loss(x, t):\n    return x.cpu().square().mean()\n")
    assert (found["status"], found["output_device"]) == ("passed", "cpu")


def test_what_cuda_would_not_say_is_unknown() -> None:
    found = measured("def loss(x, t):\n    return torch.ones(3) @ torch.ones(4)\n")
    assert found["status"] == "unknown"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_asked_for_and_missing_is_said() -> None:
    found = measured("loss = F.cross_entropy", "cuda")
    assert (found["status"], found["reason"]) == ("skipped", "torch sees no GPU")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", [*FINE, *WRONG])
def test_a_real_gpu_says_the_same(name: str) -> None:
    source = FINE[name] if name in FINE else WRONG[name][0]
    real, pretended = measured(source, "cuda"), measured(source)
    assert (real["status"], real["line"]) == (pretended["status"], pretended["line"])
