"""Factors that stand in the numerator and in the denominator of a ratio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.semantics.graph import Graph, Op
from losslint.semantics.values import Gradient, Kind, Role, Value
from losslint_rules.numerics.epsilons import is_epsilon
from losslint_rules.reduction.focal_weights import product_factors

_GUARDS = frozenset({"clamp", "clamp_min", "maximum", "float", "double", "to"})


@dataclass(frozen=True, slots=True, eq=False)
class Cancelled:
    """A division whose dividend and divisor share a factor; `reduction` is set where that is a sum or mean of it."""

    division: Op
    factor: Value
    reduction: str


def cancelled_weights(graph: Graph) -> Iterator[Cancelled]:
    """The divisions of a loss in which a weight cancels."""
    for op in graph.named("div"):
        if len(op.operands) != 2 or not graph.matters(op.value):
            continue
        below = {(reduction, value.key) for reduction, value in _factors(_unguarded(op.operands[1]))}
        above = list(_factors(op.operands[0]))
        if len(above) < 2:
            continue
        for reduction, value in above:
            if (reduction, value.key) in below and _is_weight(value):
                yield Cancelled(op, value, reduction)
                break


def _factors(value: Value) -> Iterator[tuple[str, Value]]:
    """The factors of a product, those pulled out of a sum or a mean because they are one number included.

    A factor that was summed or averaged comes with the name of that reduction.
    """
    for factor in product_factors(value):
        name, operands = factor.origin.name, factor.origin.operands
        if name not in ("sum", "mean") or not operands or not _is_over_all(factor):
            yield "", factor
            continue
        inside = list(product_factors(operands[0]))
        rest = [each for each in inside if not each.is_scalar]
        yield from (("", each) for each in inside if each.is_scalar)
        yield (name, rest[0]) if len(rest) == 1 else ("", factor)


def _is_over_all(value: Value) -> bool:
    dim = value.origin.keywords.get("dim")
    return dim is None or dim.kind is Kind.NONE


def _unguarded(divisor: Value) -> Value:
    """A divisor without the small constant, clamp or cast that keeps it from 0."""
    current = divisor
    while current.origin.operands:
        tiny = current.origin.name == "add" and is_epsilon(current.origin.operands[-1])
        if not tiny and current.origin.name not in _GUARDS:
            break
        current = current.origin.operands[0]
    return current


def _is_weight(value: Value) -> bool:
    """Whether a factor weighs: an input without a gradient, a setting or what is computed from them; no size."""
    if value.gradient is Gradient.CARRIES or value.origin.name in ("size", "numel", "len", "shape", "constant"):
        return False
    return value.role in (Role.WEIGHT, Role.MASK, Role.CONFIG) or value.is_tensor or value.origin.name == "parameter"
