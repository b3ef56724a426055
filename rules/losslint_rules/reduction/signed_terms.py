"""The terms of a loss with the signs that they have in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from losslint.semantics.values import Gradient, Kind, Role, Value
from losslint_rules.reduction.loss_operators import reduces_all

_KEEPS = frozenset("squeeze view reshape float double to clone contiguous alias".split())
_LARGEST = 60


@dataclass(frozen=True, slots=True, eq=False)
class SignedTerm:
    """A term, its sign, and the addition or subtraction that it is an operand of (None: it stands alone)."""

    value: Value
    is_added: bool
    within: Value | None


def signed_terms(value: Value, is_whole: Callable[[Value], bool]) -> Iterator[SignedTerm]:
    """The terms of a sum, through joined paths, means of sums, and factors that a user or the author chose.

    What `is_whole` says so of is one term, although it is a sum.
    """
    pending: list[SignedTerm] = [SignedTerm(value, True, None)]
    seen: set[tuple[int, bool]] = set()
    while pending and len(seen) < _LARGEST:
        term = pending.pop()
        current, plus = term.value, term.is_added
        if (current.key, plus) in seen:
            continue
        seen.add((current.key, plus))
        name, operands = current.origin.name, current.origin.operands
        if is_whole(current):
            yield term
        elif name == "add" and len(operands) == 2:
            pending.extend(SignedTerm(each, plus, current) for each in operands)
        elif name == "sub" and len(operands) == 2:
            pending += [SignedTerm(operands[0], plus, current), SignedTerm(operands[1], not plus, current)]
        elif name in ("phi", "python_sum", "stack", "sequence") and operands:
            pending.extend(SignedTerm(each, plus, term.within) for each in operands)
        elif (scaled := scaled_by_setting(current)) is not None:
            inner, factor = scaled
            if factor.has_constant and factor.constant == 0:
                continue  # kept in the graph, and no part of the loss
            pending.append(SignedTerm(inner, plus is not _is_negative(factor), term.within))
        elif name == "neg" and operands:
            pending.append(SignedTerm(operands[0], not plus, term.within))
        elif (reduces_all(current) and _is_sum(operands[0])) or (name in _KEEPS and operands):
            pending.append(SignedTerm(operands[0], plus, term.within))
        else:
            yield term


def scaled_by_setting(value: Value) -> tuple[Value, Value] | None:
    """x and the factor of `self.weight * x`, `x * 0.5` and `x / 2`."""
    name, operands = value.origin.name, value.origin.operands
    if name not in ("mul", "div") or len(operands) != 2:
        return None
    if is_setting(operands[1]):
        return operands[0], operands[1]
    if name == "mul" and is_setting(operands[0]):
        return operands[1], operands[0]
    return None


def is_setting(value: Value) -> bool:
    """Whether a value is a number, a setting or a weight for a term: nothing that is computed from the inputs."""
    if value.gradient is not Gradient.NEUTRAL or value.rank not in (None, 0):
        return False
    return value.kind in (Kind.NUMBER, Kind.BOOL) or value.role in (Role.CONFIG, Role.WEIGHT)


def _is_negative(factor: Value) -> bool:
    if factor.has_constant and isinstance(factor.constant, (int, float)):
        return factor.constant < 0
    return factor.origin.name == "neg" or factor.interval.high < 0


def _is_sum(value: Value) -> bool:
    return value.origin.name in ("add", "sub", "neg", "mul")
