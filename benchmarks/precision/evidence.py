"""Runs the inputs that the verdicts name against the packages' own source. Needs torch; imports single files only."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).parent.parent))
from packages import PINNED, unpacked


def folder(name: str) -> Path:
    """The unpacked folder of a pinned package."""
    return unpacked(name, PINNED[name])


def single_file(name: str, path: str) -> Any:
    """One module of a package, loaded without the package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem + "_alone", folder(name) / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def piece(name: str, path: str, start: str, end: str) -> dict[str, Any]:
    """The definitions between two lines of a file whose imports are not installed."""
    text = (folder(name) / path).read_text()
    namespace: dict[str, Any] = {"torch": torch}
    exec(text[text.index(start) : text.index(end, text.index(start) + 1)], namespace)
    return namespace


class Count(TorchDispatchMode):
    """Counts the operators that run."""

    total = 0

    def __torch_dispatch__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.total += 1
        return function(*args, **(kwargs or {}))


def smp_focal() -> str:
    """All pixels ignored."""
    for name in ("segmentation_models_pytorch", "segmentation_models_pytorch.losses"):
        package = types.ModuleType(name)
        package.__path__ = [str(folder("segmentation-models-pytorch") / name.replace(".", "/"))]
        sys.modules[name] = package
    focal = importlib.import_module("segmentation_models_pytorch.losses.focal")
    loss = focal.FocalLoss("binary", ignore_index=255)
    return str(loss(torch.randn(2, 1, 4, 4), torch.full((2, 1, 4, 4), 255)).item())


def bi_tempered(name: str, path: str) -> str:
    """t1 = t2 = 1 and one logit far ahead."""
    logits = torch.tensor([[0.0, 200.0]], requires_grad=True)
    loss = single_file(name, path).bi_tempered_logistic_loss(logits, torch.tensor([[1.0, 0.0]]), 1.0, 1.0)
    loss.backward()
    return f"{loss.item()}, gradient {logits.grad}"


def spectral_convergence() -> str:
    """A silent target."""
    found = piece("auraloss", "auraloss/freq.py", "class SpectralConvergenceLoss", "class STFTMagnitudeLoss")
    return str(found["SpectralConvergenceLoss"]()(torch.rand(1, 5, 6), torch.zeros(1, 5, 6)).item())


def lpips_normalize() -> str:
    """Features that are zero in all channels."""
    found = piece("lpips", "lpips/__init__.py", "def normalize_tensor", "def ")
    features = torch.zeros(1, 3, 2, 2, requires_grad=True)
    found["normalize_tensor"](features).sum().backward()
    return f"gradient {features.grad.flatten()[:3]}" if features.grad is not None else "no gradient"


def p2s_norm() -> str:
    """The norm as P2SGradLoss writes it, of a zero embedding."""
    embedding = torch.zeros(1, 3, requires_grad=True)
    embedding.pow(2).sum(1).pow(0.5).sum().backward()
    return f"gradient {embedding.grad}"


def lovasz_operators() -> str:
    """How many operators the per-image loop runs."""
    loss = single_file("pytorch-optimizer", "pytorch_optimizer/loss/lovasz.py").LovaszHingeLoss(per_image=True)
    counts = []
    for batch in (1, 8):
        with Count() as counter:
            loss(torch.randn(batch, 4, 4), torch.randint(2, (batch, 4, 4)).float())
        counts.append(str(counter.total))
    return " and ".join(counts)


def main() -> None:
    """Print what each input gives."""
    print("smp FocalLoss, everything ignored:", smp_focal())
    print("toolbelt bi-tempered:", bi_tempered("pytorch-toolbelt", "pytorch_toolbelt/losses/bitempered_loss.py"))
    print("pytorch-optimizer bi-tempered:", bi_tempered("pytorch-optimizer", "pytorch_optimizer/loss/bi_tempered.py"))
    print("auraloss SpectralConvergenceLoss, silent target:", spectral_convergence())
    print("lpips normalize_tensor, zero features:", lpips_normalize())
    print("P2SGrad norm, zero embedding:", p2s_norm())
    print("Lovasz, operators for 1 and 8 images:", lovasz_operators())
    empty = torch.rand(1, 1, 4, 4).masked_select(torch.zeros(1, 1, 4, 4) > 0.9).mean()
    print("registrator, nothing overlaps:", empty.item())


if __name__ == "__main__":
    main()
