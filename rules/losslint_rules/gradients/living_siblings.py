"""Terms without a gradient that belong to a sibling which has one: straight-through estimators, remainders, gates."""

from __future__ import annotations

from collections.abc import Iterator

from losslint.semantics.graph import ancestors
from losslint.semantics.terms import DeadTerm
from losslint.semantics.values import Gradient, Value


def straight_through(dead: DeadTerm, culprit: Value) -> bool:
    """`x.round() - x.detach() + x`: the value of the rounding with the gradient of x, or of what stands in for it."""
    alive = {sibling.key for sibling in dead.siblings if sibling.gradient is Gradient.CARRIES}
    if any(cut.origin.name == "detach" and cut.origin.operands[0].key in alive for cut in _cuts(dead)):
        return True  # `hard + soft - soft.detach()`: the soft one adds nothing but its gradient
    sources = {operand.key for operand in culprit.origin.operands}
    return any(
        cut.origin.name == "detach" and sources & {operand.key for operand in cut.origin.operands}
        for cut in _cuts(dead)
    )


def _cuts(dead: DeadTerm) -> Iterator[Value]:
    for sibling in dead.siblings:
        yield sibling
        yield from sibling.origin.operands


def wraps(dead: DeadTerm, culprit: Value) -> bool:
    """`x - x.floor()`: what is left of x once whole steps are taken off has the gradient of x."""
    if culprit.origin.name not in ("floor", "ceil", "round", "trunc", "floor_divide"):
        return False
    beneath = {value.key for value in ancestors([culprit])}
    return any(sibling.gradient is Gradient.CARRIES and sibling.key in beneath for sibling in dead.siblings)


def gates(dead: DeadTerm, culprit: Value) -> bool:
    """`mask * curve + (1 - mask) * limit`: the same mask chooses a term that carries a gradient, piece by piece."""
    return any(
        value.key == culprit.key
        for sibling in dead.siblings
        if sibling.gradient is Gradient.CARRIES
        for value in ancestors([sibling])
    )
