"""Everything a probe run has to tell, ready for the reporters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from losslint.diagnostic import Diagnostic
from losslint.measurements import Measurements
from losslint.packs import RuleInfo
from losslint.probe.joining import Judged
from losslint.probe.judging import Judge
from losslint.probe.runs import Run, run_targets
from losslint.probe.targets import Target
from losslint.source import Source
from losslint.suppression import suppress

Progress = Callable[[Measurements, int], None]


@dataclass(frozen=True, slots=True)
class Probed:
    """One loss: what was measured, and what is wrong with it."""

    measurements: Measurements
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class ProbeReport:
    """A whole run: losses in the order of the targets, the files that diagnostics are in, and files that could not be read
    with the reason. `seconds` of wall clock; `interrupted` where the user stopped it."""

    losses: tuple[Probed, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)
    unreadable: tuple[tuple[Path, str], ...] = ()
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings; one in a helper of several losses is told once."""
        known: dict[tuple[str, str, int], Diagnostic] = {}
        for loss in self.losses:
            for each in loss.diagnostics:
                key = (each.code, each.filename, each.place.location.row)
                if key not in known or known[key].severity < each.severity:
                    known[key] = each
        return tuple(known.values())

    def statuses(self) -> Counter[str]:
        """How many losses ended with each status."""
        return Counter(loss.measurements.status for loss in self.losses)

    def tracers(self) -> Counter[str]:
        """How many of the losses that ran each tracer traced."""
        traces = (loss.measurements.trace for loss in self.losses)
        return Counter(trace.tracer for trace in traces if trace is not None and trace.tracer)


def measure(targets: Sequence[Target], run: Run, progress: Progress) -> tuple[list[Measurements], bool]:
    """The measurements of all targets in their order, and whether the user interrupted. What was measured is kept."""
    found: dict[tuple[str, str], Measurements] = {}
    interrupted = False
    try:
        for m in run_targets(targets, run):
            found[m.filename, m.symbol] = m
            progress(m, len(found))
    except KeyboardInterrupt:
        interrupted = True
    ordered = [found.get((str(each.file), each.symbol)) for each in targets]
    return [m for m in ordered if m is not None], interrupted


def judged(
    runs: Sequence[Measurements], judge: Judge, selected: Callable[[str], Sequence[str]], index: Mapping[str, RuleInfo]
) -> list[Judged]:
    """The findings of all runs that are selected in their file and that no comment there silences."""
    found = [(m, finding, diagnostic) for m in runs for finding, diagnostic in judge.judge(m)]
    by_file: dict[str, list[Diagnostic]] = {}
    for _, _, diagnostic in found:
        if diagnostic.code in selected(diagnostic.filename):
            by_file.setdefault(diagnostic.filename, []).append(diagnostic)
    kept: set[int] = set()
    for filename, diagnostics in by_file.items():
        # Comments that nothing needs are `check`'s business: it knows all findings of a file.
        left = suppress(judge.sources[filename], diagnostics, selected(filename), index)
        kept |= {id(each) for each in left}
    return [each for each in found if id(each[2]) in kept]


def probe_report(
    runs: Sequence[Measurements], found: Sequence[Judged], judge: Judge, unreadable: Sequence[tuple[Path, str]]
) -> ProbeReport:
    """A report on runs alone."""
    by_run: dict[int, list[Diagnostic]] = {}
    for m, _, diagnostic in found:
        by_run.setdefault(id(m), []).append(diagnostic)
    losses = tuple(Probed(m, tuple(by_run.get(id(m), ()))) for m in runs)
    return ProbeReport(losses, dict(judge.sources), tuple(unreadable))
