"""Overlap ratios: Dice, IoU, Tversky as `2 * sum(p * t) / (sum(p) + sum(t))`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.semantics.graph import ancestors
from losslint.semantics.values import Gradient, Kind, Role, Value

_REDUCES = frozenset({"sum", "mean"})
_VIEWS = frozenset(
    "view reshape flatten float double to contiguous squeeze unsqueeze type_as permute transpose".split()
)
_POWERS = frozenset({"pow", "square"})


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """A division of an intersection by a sum of both sides; `above` and `below` are the constants added to each."""

    ratio: Value
    intersection: Value
    above: Value | None
    below: Value | None


def overlap_of(value: Value) -> Overlap | None:
    """The overlap ratio that a value is, or None."""
    if value.origin.name != "div" or len(value.origin.operands) != 2:
        return None
    dividend, divisor = value.origin.operands
    shared, above = _without_smoothing(_without_scale(dividend))
    shared = _without_scale(shared)
    pair = _intersected(shared)
    if pair is None:
        return None
    total, below = _without_smoothing(divisor)
    sides = {each.key for each in _summed(total)}
    if not all(each.key in sides for each in pair):
        return None
    return Overlap(value, shared, above, below)


def tversky_of(value: Value) -> Overlap | None:
    """The ratio of hits to hits and weighed misses that a value is, or None: `hit / (hit + a * wrong + b * missed)`."""
    if value.origin.name != "div" or len(value.origin.operands) != 2:
        return None
    shared, above = _without_smoothing(_without_scale(value.origin.operands[0]))
    pair = _intersected(shared)
    if pair is None:
        return None
    total, below = _without_smoothing(value.origin.operands[1])
    parts = list(_weighed(total))
    others = [each for each in parts if each.key != shared.key]
    if len(others) == len(parts) or not any(_is_miss(each, pair) for each in others):
        return None
    return Overlap(value, shared, above, below)


def _weighed(value: Value) -> Iterator[Value]:
    """The summands of a sum, without the settings that weigh them."""
    pending = [value]
    while pending:
        current = pending.pop()
        operands = current.origin.operands
        rest = [each for each in operands if each.kind is not Kind.NUMBER and each.role is not Role.CONFIG]
        if current.origin.name == "add" or (current.origin.name == "mul" and len(rest) == 1):
            pending.extend(rest)
        else:
            yield current


def _is_miss(value: Value, pair: tuple[Value, Value]) -> bool:
    """`(p * (1 - t)).sum()` or `((1 - p) * t).sum()`."""
    if value.origin.name not in _REDUCES or not value.origin.operands:
        return False
    product = value.origin.operands[0]
    if product.origin.name != "mul" or len(product.origin.operands) != 2:
        return False
    return any(
        _bare(one).key == p.key and other.origin.name in ("sub", "rsub") and _is_part(t, other)
        for one, other in (product.origin.operands, product.origin.operands[::-1])
        for p, t in (pair, pair[::-1])
    )


def _is_part(value: Value, difference: Value) -> bool:
    return any(_bare(each).key == value.key for each in difference.origin.operands)


def _without_scale(value: Value) -> Value:
    """x of `2 * x` and `x * 2.0`."""
    operands = value.origin.operands
    if value.origin.name == "mul" and len(operands) == 2:
        for factor, other in (operands, operands[::-1]):
            if factor.kind is Kind.NUMBER and factor.has_constant:
                return other
    return value


def _without_smoothing(value: Value) -> tuple[Value, Value | None]:
    """A sum without the number added last and the clamp around it, and that number, or else the limit of the clamp."""
    operands = value.origin.operands
    if value.origin.name in ("clamp", "clamp_min", "maximum") and len(operands) > 1:
        inside, added = _without_smoothing(operands[0])
        return inside, added or operands[1]
    if value.origin.name == "add" and len(operands) == 2:
        for added, other in (operands[::-1], operands):
            if added.kind is Kind.NUMBER or added.role is Role.CONFIG:
                return other, added
    return value, None


def _bare(value: Value) -> Value:
    return value.beneath(_VIEWS)


def _intersected(value: Value) -> tuple[Value, Value] | None:
    """p and t of `(p * t).sum()`, where p carries a gradient and t does not."""
    if value.origin.name not in _REDUCES or not value.origin.operands:
        return None
    product = value.origin.operands[0]
    if product.origin.name != "mul" or len(product.origin.operands) != 2:
        return None
    left, right = (_bare(each) for each in product.origin.operands)
    carrying = [each for each in (left, right) if each.gradient is Gradient.CARRIES]
    return (left, right) if carrying else None


def _summed(value: Value) -> Iterator[Value]:
    """What is summed over in a sum of sums: p and t of `p.sum() + t.sum()`, of their squares, and of `(p + t).sum()`."""
    pending, seen = [value], set[int]()
    while pending:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        name, operands = current.origin.name, current.origin.operands
        if name in ("add", "sub", "neg", "clamp", "clamp_min"):
            pending.extend(operands)
        elif name in _REDUCES and operands:
            pending.append(operands[0])
        elif (name in _POWERS and operands) or (
            name == "mul" and len(operands) == 2 and operands[0].key == operands[1].key
        ):
            yield _bare(operands[0])
        else:
            yield _bare(current)


def overlaps_in(values: list[Value]) -> Iterator[Overlap]:
    """Every overlap ratio that some values are computed from."""
    for each in ancestors(values):
        found = overlap_of(each)
        if found is not None:
            yield found
