"""Losses and modules that misbehave end with a status and a reason; the others go on."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from losslint.measurements import Measurements
from losslint.probe.report import ProbeReport
from losslint.probe.sandbox import NoWorker
from losslint.probe.session import Choices
from losslint.probe.targets import BadTarget
from losslint.settings import ProbeExample, Settings
from probed import probed

HEAD = "import ctypes, os, sys, time\nimport torch\nimport torch.nn.functional as F\n"
MISBEHAVING = {
    "sound_loss": "return F.mse_loss(pred, target)",
    "exiting_loss": "sys.exit(3)",
    "leaving_loss": "os._exit(7)",
    "segfault_loss": "ctypes.string_at(0)",
    "hanging_loss": "while True: pass",
    "sleeping_loss": "time.sleep(1000)",
    "printing_loss": "while True: print('x' * 1000)",
    "hungry_loss": "return torch.ones(2**31, 40).sum() * pred.sum()",
    "greedy_list_loss": "x = []\n    while True: x.append(bytearray(2**24))",
    "raising_loss": "raise ValueError('wrong shape, sir')",
    "returning_none_loss": "return F.mse_loss(pred, target).item() and None",
    "killing_its_group_loss": "os.killpg(0, 9)",
    "closing_descriptors_loss": "os.closerange(0, 100)\n    return F.mse_loss(pred, target)",
}
FORKING = """
    if not os.path.exists(MARK) and os.fork() == 0:
        os.setsid()
        open(MARK, "w").write(str(os.getpid()))
        time.sleep(1000)
    return F.mse_loss(pred, target)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("misbehaving")


@pytest.fixture(scope="module")
def report(folder: Path) -> ProbeReport:
    bodies = "".join(
        f"\ndef {name}(pred, target):\n    {body}\n    return F.mse_loss(pred, target)\n"
        for name, body in MISBEHAVING.items()
    )
    mark = f"MARK = {str(folder / 'forked')!r}\n"
    (folder / "wild.py").write_text(f"{HEAD}{mark}{bodies}\ndef forking_loss(pred, target):{FORKING}")
    (folder / "broken.py").write_text("def broken_loss(pred, target)\n    return pred\n")
    for name, text in {
        "exits": "sys.exit(1)",
        "dies": "os._exit(1)",
        "hangs": "while True: pass",
        "raises": "raise RuntimeError('no configuration')",
        "noisy": "print('hello' * 100000); os.environ['X'] = '1'; torch.set_default_dtype(torch.float64); os.chdir('/')",
    }.items():
        (folder / f"{name}.py").write_text(
            f"{HEAD}{text}\ndef {name}_loss(pred, target):\n    return F.mse_loss(pred, target)\n"
        )
    from losslint.probe import session
    from losslint.probe.sandbox import Limits

    original = session.default_limits
    session.default_limits = lambda: Limits(importing=6, memory=2**30)  # type: ignore[assignment]
    try:
        return probed([folder], folder, choices=Choices(sys.executable, timeout=8))
    finally:
        session.default_limits = original


def run_of(report: ProbeReport, symbol: str) -> Measurements:
    (found,) = [each.measurements for each in report.losses if each.measurements.symbol == symbol]
    return found


@pytest.mark.parametrize(
    ("symbol", "status", "reason"),
    [
        ("sound_loss", "ok", ""),
        ("forking_loss", "ok", ""),
        ("noisy_loss", "ok", ""),
        ("exiting_loss", "crashed", "sys.exit(3)"),
        ("leaving_loss", "crashed", "status 7"),
        ("segfault_loss", "crashed", "SIGSEGV"),
        ("killing_its_group_loss", "crashed", "SIGKILL"),
        ("hanging_loss", "timeout", "8 s"),
        ("sleeping_loss", "timeout", "8 s"),
        ("printing_loss", "timeout", "8 s"),
        ("hungry_loss", "crashed", "memory"),
        ("greedy_list_loss", "crashed", "memory"),
        ("raising_loss", "no-inputs", "wrong shape, sir"),
        ("returning_none_loss", "no-inputs", "no tensor"),
        ("exits_loss", "import-error", "sys.exit(1)"),
        ("dies_loss", "import-error", "ends the process"),
        ("hangs_loss", "import-error", "longer than 6 s"),
        ("raises_loss", "import-error", "no configuration"),
    ],
)
def test_each_ends_with_its_status_and_reason(report: ProbeReport, symbol: str, status: str, reason: str) -> None:
    m = run_of(report, symbol)
    assert (m.status, reason in m.reason) == (status, True), m.reason


def test_descriptors_that_are_closed_harm_nobody_else(report: ProbeReport) -> None:
    assert run_of(report, "closing_descriptors_loss").status in ("crashed", "ok")


def test_what_a_module_changes_when_it_is_imported_does_not_last(report: ProbeReport) -> None:
    assert run_of(report, "noisy_loss").inputs[0].dtype == "float32"


def test_nothing_is_left_running(report: ProbeReport, folder: Path) -> None:
    pid = int((folder / "forked").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_file_that_does_not_parse_is_named(report: ProbeReport) -> None:
    ((path, reason),) = report.unreadable
    assert path.name == "broken.py" and "expected ':'" in reason


def test_a_python_without_torch_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def a_loss(pred, target):\n    return (pred - target).mean()\n")
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    fake.chmod(0o755)
    with pytest.raises(NoWorker, match=r"has no torch.*--python"):
        probed([tmp_path / "m.py"], tmp_path, choices=Choices(str(fake)))


def test_targets_that_lead_nowhere_are_explained(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("class FocalLoss:\n    pass\n")
    with pytest.raises(BadTarget, match="neither a path nor a module"):
        probed(["no.such.module"], tmp_path)
    with pytest.raises(BadTarget, match="did you mean `FocalLoss`"):
        probed([f"{tmp_path / 'm.py'}:FocalLos"], tmp_path)
    with pytest.raises(NoWorker, match="no such program"):
        probed([tmp_path], tmp_path, choices=Choices(str(tmp_path / "nothing")))


def project(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))


def test_projects_are_imported_as_their_authors_do(tmp_path: Path) -> None:
    """Relative imports, sibling imports, a src folder, two files of one name, and dependencies that are missing."""
    project(
        tmp_path,
        {
            "src/pkg/__init__.py": "",
            "src/pkg/shared.py": "def scale(x):\n    return 2 * x\n",
            "src/pkg/losses.py": """
                from .shared import scale
                import no_such_dependency.inner as missing
                from no_such_framework import Base, register

                @register("x")
                def relative_loss(pred, target):
                    return scale((pred - target).abs().mean())

                def needing_loss(pred, target):
                    return missing.compute(pred, target)
                """,
            "scripts/one/losses.py": """
                from neighbour import half

                def first_loss(pred, target):
                    return half * (pred - target).abs().mean()
                """,
            "scripts/one/neighbour.py": "half = 0.5\n",
            "scripts/two/losses.py": "def second_loss(pred, target):\n    return ((pred - target) ** 2).mean()\n",
        },
    )
    report = probed([tmp_path], tmp_path)
    statuses = {each.measurements.symbol: each.measurements.status for each in report.losses}
    assert statuses == {"relative_loss": "ok", "needing_loss": "no-inputs", "first_loss": "ok", "second_loss": "ok"}
    assert "no_such_dependency.inner.compute, which is not installed" in run_of(report, "needing_loss").reason
    assert run_of(report, "relative_loss").stood_in == ("no_such_dependency", "no_such_framework")


def test_examples_of_the_settings_are_taken_first(tmp_path: Path) -> None:
    text = """
        import torch
        class OddLoss(torch.nn.Module):
            def __init__(self, table):
                super().__init__()
                self.table = table
            def forward(self, ids, values):
                return (self.table[ids.reshape(2, 3)] * values.reshape(2, 3, 7)).mean()
        """
    project(tmp_path, {"odd.py": text})
    example = ProbeExample(inputs="torch.arange(6), torch.randn(6, 7)", construct="OddLoss(torch.randn(6, 7))")
    (loss,) = probed([tmp_path], tmp_path, Settings(probe={"odd:OddLoss": example})).losses
    m = loss.measurements
    assert (m.status, m.input_source, m.finite, m.has_gradient) == ("ok", "settings", True, True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it compares with a platform that forks")
def test_without_fork_each_loss_has_an_interpreter_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = "\n\n".join(
        f"def {name}(pred, target):\n    {body}\n    return F.mse_loss(pred, target)"
        for name, body in (("sound_loss", "pass"), ("leaving_loss", "os._exit(7)"))
    )
    project(tmp_path, {"m.py": f"{HEAD}\n{bodies}\n"})
    monkeypatch.delattr(os, "fork")
    report = probed([tmp_path], tmp_path)
    assert {each.measurements.symbol: each.measurements.status for each in report.losses} == {
        "sound_loss": "ok",
        "leaving_loss": "crashed",
    }
