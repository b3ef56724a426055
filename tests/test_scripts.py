"""Scripts of findings: each runs by itself, and fails for the reason it names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from losslint.probe.report import ProbeReport  # noqa: E402
from losslint.probe.session import write_reproducers  # noqa: E402
from probed import probed  # noqa: E402

SOURCE = """
import not_installed_anywhere.inner as absent
import torch
import torch.nn as nn
import torch.nn.functional as F
from absent_too import Base, decorator


class Helper(Base):
    pass


@decorator
def renamed_loss(value, loss, device):
    return ((value - loss) ** 2).sum(-1).sqrt().mean() + device.detach().mean()


class PlainAttributeLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.arange(1.0, 9.0)

    def forward(self, pred, target):
        return ((pred - target) * self.scale).abs().mean()


class MatmulLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.mixing = torch.eye(8)

    def forward(self, pred, target):
        return (pred @ self.mixing - target).abs().mean()


class NumberLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.arange(1.0, 9.0)

    def forward(self, pred, target):
        if target.abs().sum().item() == 0:
            return pred.sum() * 0
        return ((pred - target) * self.scale).abs().mean()


def vector_loss(pred, target):
    return (pred - target).abs().mean(-1)
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> ProbeReport:
    root = tmp_path_factory.mktemp("project")
    (root / "losses.py").write_text(SOURCE)
    return probed([root], root)


@pytest.fixture(scope="module")
def endings(report: ProbeReport, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each script says as it fails, by code and symbol."""
    folder = tmp_path_factory.mktemp("scripts")
    said = {}
    for script, diagnostic in write_reproducers(report.diagnostics, folder).items():
        done = subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 1, (script.name, done.stdout, done.stderr)
        said[f"{diagnostic.code} {diagnostic.symbol.partition('.')[0]}"] = done.stderr.strip().splitlines()[-1]
    return said


def test_what_was_missing_is_stood_in_for_in_the_script_too(report: ProbeReport, endings: dict[str, str]) -> None:
    assert {each.measurements.stood_in for each in report.losses} == {("absent_too", "not_installed_anywhere")}
    assert endings["LL301 vector_loss"] == "the value is no scalar: (4,)"


def test_arguments_with_the_names_the_script_uses_are_renamed(endings: dict[str, str]) -> None:
    assert endings["LL205 renamed_loss"] == "the gradient is not finite"


@pytest.mark.parametrize("symbol", ["PlainAttributeLoss", "MatmulLoss"])
def test_a_device_mismatch_shows_without_a_gpu(endings: dict[str, str], symbol: str) -> None:
    if torch.cuda.is_available():
        assert "same device" in endings[f"LL501 {symbol}"]
    else:
        assert "tensors on different devices meet in aten::" in endings[f"LL501 {symbol}"]


def test_a_loss_that_reads_numbers_needs_a_gpu_to_show_it(endings: dict[str, str]) -> None:
    if not torch.cuda.is_available():
        assert endings["LL501 NumberLoss"].startswith("only a GPU can show it: ")


def test_files_of_a_package_share_what_was_stood_in_for(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import absent_dependency\n")
    for name in ("first", "second"):
        (package / f"{name}.py").write_text(f"def {name}_loss(pred, target):\n    return (pred - target).abs()\n")
    report = probed([package], tmp_path)
    assert [each.measurements.stood_in for each in report.losses] == [("absent_dependency",)] * 2
    for diagnostic in report.diagnostics:
        assert diagnostic.reproducer is not None
        done = subprocess.run([sys.executable, "-c", diagnostic.reproducer], capture_output=True, text=True)
        assert done.stderr.startswith("the value is no scalar")
