"""Where the two halves meet: what a run says of static findings, each defect once.

A static finding meets a run by its symbol, by the lines of the operators on its witness path, and by the hazard's family.
Not reproduced is said only where the run came to the line and met there what the finding fears; else it was not run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from losslint.diagnostic import Diagnostic, Evidence, Origin, Verdict
from losslint.measurements import Measurements
from losslint.probe.judging import inputs_in_words
from losslint.probe.reproducers import reproducer
from losslint.rule import Precondition, Rule, RunFinding, Symptom

Judged = tuple[Measurements, RunFinding, Diagnostic]


def join(
    static: Sequence[Diagnostic],
    runs: Sequence[Measurements],
    judged: Sequence[Judged],
    rules: Mapping[str, Rule],
) -> tuple[Diagnostic, ...]:
    """Give every static finding its verdict, and add what only the runs found."""
    absorbed: set[int] = set()
    marked: list[Diagnostic] = []
    for diagnostic in static:
        rule = rules.get(diagnostic.code)
        if rule is None:
            marked.append(diagnostic)
            continue
        lines = _lines(diagnostic)
        twins = [each for each in judged if _is_same(diagnostic, rule, lines, each)]
        if twins:
            absorbed |= {id(each[2]) for each in twins}
            marked.append(_confirmed_by(diagnostic, max(twins, key=lambda each: each[2].severity.rank)))
        else:
            marked.append(_weighed(diagnostic, rule, lines, runs))
    added = [diagnostic for _, _, diagnostic in judged if id(diagnostic) not in absorbed]
    return tuple(sorted([*marked, *_each_once(added)], key=lambda each: each.sort_key))


def _each_once(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """A line of a helper that several losses call is one defect."""
    best: dict[tuple[str, str, int], Diagnostic] = {}
    for each in diagnostics:
        key = (each.code, each.filename, each.place.location.row)
        if key not in best or best[key].severity < each.severity:
            best[key] = each
    return list(best.values())


def _lines(diagnostic: Diagnostic) -> frozenset[tuple[str, int]]:
    """Every line that the finding or its witness path touches."""
    places = [diagnostic.place, *(step.place for step in diagnostic.evidence)]
    return frozenset(
        (os.path.realpath(place.filename), row)
        for place in places
        for row in range(place.location.row, place.end_location.row + 1)
    )


def _is_same(static: Diagnostic, rule: Rule, lines: frozenset[tuple[str, int]], judged: Judged) -> bool:
    """Whether a run finding is the static one: the same family (the hundred of the code), an experiment that confirms both
    rules, and a line in common.

    A finding about the loss as a whole has no line: there the symbol decides.
    """
    m, finding, run = judged
    if static.code[:-2] != run.code[:-2] or not set(rule.confirmed_by) & set(finding.rule.confirmed_by):
        return False
    if finding.line is None:
        is_home = os.path.realpath(static.filename) == os.path.realpath(m.filename)
        return is_home and (static.symbol == m.symbol or static.symbol.startswith(f"{m.symbol}."))
    return (os.path.realpath(run.filename), run.place.location.row) in lines


def _confirmed_by(diagnostic: Diagnostic, twin: Judged) -> Diagnostic:
    m, finding, run = twin
    return _confirmed(diagnostic, f"{inputs_in_words(m)}: {finding.message}", run.confidence, run.reproducer)


def _confirmed(diagnostic: Diagnostic, message: str, confidence: float | None, reproducer: str | None) -> Diagnostic:
    return replace(
        diagnostic,
        severity=diagnostic.doubted or diagnostic.severity,
        doubted=None,
        origin=Origin.BOTH,
        verdict=Verdict.CONFIRMED,
        confidence=confidence,
        reproducer=reproducer,
        evidence=(*diagnostic.evidence, Evidence(message, diagnostic.place)),
    )


def _weighed(
    diagnostic: Diagnostic, rule: Rule, lines: frozenset[tuple[str, int]], runs: Sequence[Measurements]
) -> Diagnostic:
    """The verdict of the runs that came to the lines of a finding, where no run finding is its twin."""
    here = [m for m in runs if m.status == "ok" and _came_to(m, diagnostic)]
    for m in here:
        shown = _shown(m, rule, lines)
        if shown is not None:
            message = f"{inputs_in_words(m)}: {shown.message}"
            return _confirmed(diagnostic, message, m.input_confidence, reproducer(shown, m))
    met = any(_met(m, rule, diagnostic) for m in here)
    return replace(diagnostic, verdict=Verdict.NOT_REPRODUCED if met else Verdict.NOT_RUN)


def _came_to(m: Measurements, diagnostic: Diagnostic) -> bool:
    """Whether a run executed the line of the finding itself."""
    if m.observed is None:
        return False
    place = diagnostic.place
    rows = range(place.location.row, place.end_location.row + 1)
    real = os.path.realpath(place.filename)
    return any(
        os.path.realpath(filename) == real and any(row in rows for row in ran)
        for filename, ran in m.observed.lines.items()
    )


def _shown(m: Measurements, rule: Rule, lines: frozenset[tuple[str, int]]) -> RunFinding | None:
    """A measurement that was no finding by itself (beyond |x| = 30, say) and shows what the static finding fears."""
    sure = m.input_confidence or 0.0
    stopped = m.trace.stopped_at if m.trace is not None else None
    if "trace" in rule.confirmed_by and stopped is not None:
        place = (os.path.realpath(str(stopped.get("filename", ""))), stopped.get("line"))
        if place in lines:
            return rule.run_finding(f"torch.fx cannot trace it: {stopped.get('reason', '')}", Symptom.NOT_TRACED, sure)
    forward = m.forward
    if "unreduced" in rule.confirmed_by and forward is not None and forward.status == "ok" and not forward.is_scalar:
        shape = list(forward.shapes[0]) if forward.shapes else []
        return rule.run_finding(f"it returns a tensor of shape {shape}", Symptom.NOT_SCALAR, sure)
    for experiment, outcome in m.outcomes():
        origin = outcome.origin
        if experiment not in rule.confirmed_by or origin is None or outcome.status not in ("value", "gradient"):
            continue
        if (os.path.realpath(origin.filename or ""), origin.line) in lines:
            what = f"the value is {outcome.value}" if outcome.status == "value" else "the gradient is not finite"
            symptom = Symptom.VALUE if outcome.status == "value" else Symptom.GRADIENT
            return rule.run_finding(f"{what} when {outcome.name}", symptom, sure, line=origin, outcome=outcome)
    return None


def _met(m: Measurements, rule: Rule, diagnostic: Diagnostic) -> bool:
    """Whether the run met what the finding fears."""
    match rule.precondition:
        case Precondition.ZERO:
            return _met_zero(m, diagnostic)
        case Precondition.MAGNITUDE:
            return m.scale is not None and any((point.magnitude or 0) >= 1e3 for point in m.scale.points)
        case Precondition.GRADIENT:
            return m.dead_gradient is not None and bool(m.dead_gradient.alive)
        case Precondition.TRACED:
            return m.trace is not None and m.trace.tracer == "symbolic"
        case Precondition.RESULT:
            return m.forward is not None and m.forward.is_scalar
        case None:
            return False


def _met_zero(m: Measurements, diagnostic: Diagnostic) -> bool:
    assert m.observed is not None
    rows = range(diagnostic.place.location.row, diagnostic.place.end_location.row + 1)
    real = os.path.realpath(diagnostic.place.filename)
    return any(
        met.zero_in and met.line in rows and os.path.realpath(met.filename) == real for met in m.observed.operators
    )
