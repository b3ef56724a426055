"""Focal weights: `(1 - pt) ** gamma` with `pt = exp(-ce)`, times the same cross entropy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.values import Gradient, Value

_KEEPS = frozenset(
    "clamp clamp_min clamp_max detach to float double contiguous view reshape squeeze unsqueeze index_put".split()
)


@dataclass(frozen=True, slots=True, eq=False)
class FocalWeight:
    """A product of a cross entropy with its focal weight: `product` multiplies `factor`, made of `probability`, with
    what is computed from `cross_entropy`, and `probability` is exp(-cross_entropy)."""

    product: Op
    factor: Value
    probability: Value
    cross_entropy: Value


def focal_weights(graph: Graph) -> Iterator[FocalWeight]:
    """Every focal weight of a loss, once a cross entropy."""
    seen: set[int] = set()
    for op in graph.named("mul"):
        factors = list(product_factors(op.value))
        for factor in factors:
            probability = _weighing_probability(factor)
            entropy = _negated(probability.origin.operands[0]) if probability is not None else None
            if probability is None or entropy is None or entropy.key in seen or not graph.matters(op.value):
                continue
            others = [each for each in factors if each is not factor]
            if any(each.key == entropy.key for each in ancestors(others)):
                seen.add(entropy.key)
                yield FocalWeight(op, factor, probability, entropy)


def product_factors(value: Value, limit: int = 64) -> Iterator[Value]:
    """The factors of a product, through signs: `-(a * b) * c` has a, b and c."""
    pending, seen = [value], 0
    while pending and seen < limit:
        current = pending.pop()
        seen += 1
        if current.origin.name in ("mul", "neg") and current.origin.operands:
            pending.extend(reversed(current.origin.operands))
        else:
            yield current


def _weighing_probability(factor: Value) -> Value | None:
    """The exp(-ce) of `1 - exp(-ce)` or a power of it."""
    base = _bare(factor)
    if base.origin.name in ("pow", "square", "float_power") and base.origin.operands:
        base = _bare(base.origin.operands[0])
    operands = base.origin.operands
    if base.origin.name == "sub" and len(operands) == 2 and operands[0].constant == 1:
        probability = _bare(operands[1])
    elif base.origin.name == "rsub" and len(operands) == 2 and operands[1].constant == 1:
        probability = _bare(operands[0])
    else:
        return None
    return probability if probability.origin.name == "exp" else None


def _bare(value: Value) -> Value:
    """A value without clamps, casts, fixed divisors, and the small constant added to it."""
    current = value
    while current.origin.operands and _is_bare_in(current):
        current = current.origin.operands[0]
    return current


def _is_bare_in(value: Value) -> bool:
    """Whether the first operand of a value is what it is without them."""
    operands = value.origin.operands
    match value.origin.name:
        case "add":
            return _is_tiny(operands[1])
        case "div":
            return operands[1].gradient is Gradient.NEUTRAL
    return value.origin.name in _KEEPS


def _is_tiny(value: Value) -> bool:
    return isinstance(value.constant, float) and abs(value.constant) < 1e-3


def _negated(value: Value) -> Value | None:
    """x of `-x`, `-1 * x` and `0 - x`."""
    operands = value.origin.operands
    if value.origin.name == "neg":
        return operands[0]
    if value.origin.name == "mul" and len(operands) == 2:
        for sign, other in (operands, operands[::-1]):
            if sign.constant == -1:
                return other
    if value.origin.name == "sub" and len(operands) == 2 and operands[0].constant == 0:
        return operands[1]
    return None
