"""What several rules ask of a run: where numbers stop being finite, and how much that is worth.

A sweep is a measurement: it counts where |x| <= 30 for logits and real inputs, or inside [0, 1] for probabilities, and
what rests on the value of guessed inputs never counts as an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from losslint.diagnostic import Severity
from losslint.measurements import Measurements, Outcome
from losslint.rule import Rule, RunFinding, Symptom

LARGEST_INPUT = 30.0
SURE = 0.75
_EMPTY_BATCH = "an empty batch"
_UNTOLD = ("real", "value")
_GRADIENT_POISON = ("equals", "is all zero", "two equal samples")


@dataclass(frozen=True, slots=True)
class NonFinite:
    """A call whose value or gradient is not finite, the operator it starts at, and what it is worth."""

    outcome: Outcome
    operator: str
    severity: Severity
    symptom: Symptom
    confidence: float


def operator_of(outcome: Outcome) -> str:
    """The bare ATen or autograd name of the operator where the numbers stop being finite: log, div, sqrt..."""
    op = outcome.origin.op if outcome.origin is not None else ""
    match = re.fullmatch(r"aten\.(\w+?)_?(?:\.\w+)?", op)
    if match is not None:
        return match.group(1)
    node = re.fullmatch(r"(\w+?)Backward\d*", op)
    return re.sub(r"(?<!^)(?=[A-Z])", "_", node.group(1)).lower() if node is not None else op


def non_finite(m: Measurements) -> Iterator[NonFinite]:
    """The calls that count, each operator and line once: the gravest first."""
    if m.status != "ok" or m.input_confidence is None:
        return
    found = [each for each in map_outcomes(m) if each is not None]
    found.sort(key=lambda each: -each.severity.rank)
    seen: set[tuple[str | None, int | None]] = set()
    for each in found:
        origin = each.outcome.origin
        key = (origin.filename, origin.line) if origin is not None else (None, None)
        if key not in seen:
            seen.add(key)
            yield each


def map_outcomes(m: Measurements) -> Iterator[NonFinite | None]:
    """Every outcome that is not finite with its worth; None for what is noise."""
    for experiment, outcome in m.outcomes():
        if outcome.status in ("value", "gradient") and outcome.origin is not None:
            yield _judged(m, experiment, outcome)


def _judged(m: Measurements, experiment: str, outcome: Outcome) -> NonFinite | None:
    assert m.input_confidence is not None
    severity = _severity(m, experiment, outcome)
    if severity is None:
        return None
    if outcome.origin is not None and outcome.origin.filename is None:
        severity = Severity.INFO  # torch's own loss, inherited: its users know it, and nobody can mend it here
    symptom = Symptom.VALUE if outcome.status == "value" else Symptom.GRADIENT
    return NonFinite(outcome, operator_of(outcome), severity, symptom, m.input_confidence)


def _severity(m: Measurements, experiment: str, outcome: Outcome) -> Severity | None:
    sure = (m.input_confidence or 0.0) >= SURE
    match experiment:
        case "half":
            return Severity.INFO if outcome.name == "float16" and m.finite else None
        case "forward":
            return Severity.ERROR if sure else Severity.WARNING
        case "saturation":
            if (outcome.magnitude or 0.0) > LARGEST_INPUT:
                return None
            return _of_saturation(m, outcome, sure)
        case _:
            return _of_batch(outcome, sure)


def _of_saturation(m: Measurements, outcome: Outcome, sure: bool) -> Severity:
    named = m.input(outcome.argument)
    is_unit = named is not None and named.kind in ("probability", "simplex", "binary")
    if not sure:
        return Severity.INFO
    if outcome.value == "nan" and named is not None and named.kind in _UNTOLD:
        return Severity.WARNING  # a root of a negative number: who wrote it may know the argument never to be one
    # A certain and wrong probability costs infinitely much by definition; a NaN is never right.
    return Severity.WARNING if is_unit and outcome.status == "value" and outcome.value != "nan" else Severity.ERROR


def _of_batch(outcome: Outcome, sure: bool) -> Severity | None:
    if outcome.name == _EMPTY_BATCH:
        return None
    poisons = any(words in outcome.name for words in _GRADIENT_POISON)
    if poisons and outcome.status == "gradient":
        return Severity.ERROR if sure else Severity.WARNING
    return Severity.WARNING if sure else Severity.INFO


def described(found: NonFinite) -> str:
    """One sentence: what is not finite, and for which inputs."""
    what = f"the value is {found.outcome.value}" if found.symptom is Symptom.VALUE else "the gradient is not finite"
    when = {"generic": "at ordinary inputs", "float16": "in float16"}.get(
        found.outcome.name, f"when {found.outcome.name}"
    )
    when = when.replace("when one sample", "for a batch of one sample")
    return f"{what} {when}"


def findings(
    rule: Rule, m: Measurements, operators: frozenset[str], why: Callable[[NonFinite], str]
) -> Iterator[RunFinding]:
    """The findings of a rule that answers for these operators; `why` continues the sentence."""
    for each in non_finite(m):
        if each.operator in operators:
            yield rule.run_finding(
                f"{described(each)}: {why(each)}",
                each.symptom,
                each.confidence,
                severity=each.severity,
                line=each.outcome.origin,
                outcome=each.outcome,
            )
