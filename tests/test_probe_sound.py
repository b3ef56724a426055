"""Losses that are right are run without an error: torch's own, and fixtures/losses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from losslint.diagnostic import Severity
from losslint.probe.report import ProbeReport
from probed import probed

torch = pytest.importorskip("torch")
ROOT = Path(__file__).parent.parent


def run_without_errors(targets: Sequence[str | Path], least: int) -> ProbeReport:
    report = probed(targets, ROOT)
    assert len(report.losses) >= least
    assert [each.measurements.target for each in report.losses if each.measurements.status != "ok"] == []
    assert [each for each in report.diagnostics if each.severity is Severity.ERROR] == []
    return report


def test_the_losses_of_torch() -> None:
    report = run_without_errors(["torch.nn.modules.loss"], 20)
    checks = {each.measurements.symbol: each.measurements.gradient_check for each in report.losses}
    failed = {name for name, check in checks.items() if check is None or check.status == "failed"}
    # The backward of CTC is that of CTC after log_softmax: https://github.com/pytorch/pytorch/issues/52241.
    assert failed <= {"CTCLoss"}


def test_the_fixture_losses() -> None:
    report = run_without_errors([ROOT / "fixtures" / "losses"], 20)
    assert all(each.measurements.finite and each.measurements.has_gradient for each in report.losses)
    devices = {each.measurements.device.status for each in report.losses if each.measurements.device is not None}
    assert devices <= {"passed", "skipped"}
