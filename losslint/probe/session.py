"""A whole run, for the command line: targets to a report, or a report of `check` to one with verdicts."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from losslint import registry
from losslint.diagnostic import Applicability, Diagnostic
from losslint.files import DEFAULT_EXCLUDES
from losslint.probe.joining import join
from losslint.probe.judging import Judge
from losslint.probe.report import ProbeReport, Progress, judged, measure, probe_report
from losslint.probe.runs import Run
from losslint.probe.sandbox import Limits, choose_python, default_limits
from losslint.probe.targets import Target, find_targets
from losslint.runner import Report, Request, selected_for


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says about running losses; None where it says nothing."""

    python: str | None = None
    device: str = "pretend"
    timeout: float | None = None
    jobs: int | None = None


def how_to_run(choices: Choices, request: Request) -> Run:
    """The Python, device and limits of a run. Raises sandbox.NoWorker."""
    usual = default_limits()
    limits = Limits(choices.timeout or usual.loss, usual.importing, usual.memory, choices.jobs or usual.jobs)
    return Run(choose_python(choices.python, request.root), choices.device, limits, request.settings.probe)


def probe(given: Sequence[str], request: Request, choices: Choices, progress: Progress) -> tuple[ProbeReport, int]:
    """Run what targets name; the report, and how many losses were found.

    Raises targets.BadTarget, files.NoSuchPath, sandbox.NoWorker, registry.BrokenPack.
    """
    started = time.monotonic()
    run = how_to_run(choices, request)
    excluded = [*(request.settings.exclude or DEFAULT_EXCLUDES), *request.settings.extend_exclude]
    found = find_targets(given or (".",), request.settings, request.root, excluded, run.python)
    runs, interrupted = measure(found.targets, run, progress)
    judge = Judge(registry.load(request.selected))
    told = judged(runs, judge, lambda filename: selected_for(filename, request), registry.index())
    report = probe_report(runs, told, judge, found.unreadable)
    return replace(report, seconds=time.monotonic() - started, interrupted=interrupted), len(found.targets)


def check_with_runs(report: Report, request: Request, choices: Choices, progress: Progress) -> Report:
    """A report of `check` with the verdicts of runs of all losses in the checked files, and what only the runs found.

    Raises sandbox.NoWorker.
    """
    run = how_to_run(choices, request)
    targets = _targets_of(request, run.python)
    runs, _ = measure(targets, run, progress)
    rules = registry.load(request.selected)
    judge = Judge(rules, {os.path.realpath(path): str(path) for path in request.files})
    told = judged(runs, judge, lambda filename: selected_for(filename, request), registry.index())
    diagnostics = join(report.diagnostics, runs, told, {rule.code: rule for rule in rules})
    fixes = [each.fix.applicability for each in diagnostics if each.fix is not None]
    return replace(
        report,
        diagnostics=diagnostics,
        sources={**report.sources, **judge.sources},
        fixable=fixes.count(Applicability.SAFE),
        fixable_unsafe=fixes.count(Applicability.UNSAFE),
    )


def _targets_of(request: Request, python: str) -> tuple[Target, ...]:
    files = [str(path) for path in request.files if path.suffix == ".py"]
    return find_targets(files, request.settings, request.root, (), python).targets if files else ()


def write_reproducers(diagnostics: Sequence[Diagnostic], folder: Path) -> Mapping[Path, Diagnostic]:
    """Write the scripts of findings into a folder, one a finding. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for each in diagnostics:
        if each.reproducer is not None:
            symbol = re.sub(r"\W+", "_", each.symbol) or "module"
            path = folder / f"{each.code}_{symbol}_{each.fingerprint[:8]}.py"
            path.write_text(each.reproducer, "utf-8")
            written[path] = each
    return written
