"""Runs losses the way `losslint probe` does, for tests that look at measurements and findings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from losslint import registry
from losslint.probe.report import ProbeReport
from losslint.probe.session import Choices, probe
from losslint.runner import Request
from losslint.settings import Settings


def probed(
    targets: Sequence[str | Path], root: Path, settings: Settings | None = None, choices: Choices | None = None
) -> ProbeReport:
    """The report on some targets, by all rules."""
    request = Request((), settings or Settings(), registry.select(["ALL"], [], [], True), root)
    chosen = choices or Choices(sys.executable, timeout=60)
    report, _ = probe([str(each) for each in targets], request, chosen, lambda measurements, count: None)
    return report
