"""Operators whose slope is not finite at the edge of their domain, and where that edge is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from losslint.semantics.graph import Op
from losslint.semantics.operators import Interval
from losslint.semantics.values import Kind, Role, Value

BELOW_ZERO = -1e-3
OVERFLOW = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """A point of an operator's argument at which a gradient of 0 becomes NaN: 0 times an infinite or undefined slope."""

    argument: Value
    at: float

    @property
    def is_reachable(self) -> bool:
        """Whether the argument's range holds the point."""
        return self.argument.interval.low <= self.at <= self.argument.interval.high


_EDGES: dict[str, tuple[float, ...]] = {
    "log": (0.0,),
    "log2": (0.0,),
    "log10": (0.0,),
    "log1p": (-1.0,),
    "sqrt": (0.0, BELOW_ZERO),
    "rsqrt": (0.0, BELOW_ZERO),
    "reciprocal": (0.0,),
    "acos": (1.0, -1.0, 1.5, -1.5),
    "asin": (1.0, -1.0, 1.5, -1.5),
    "atanh": (1.0, -1.0),
    "acosh": (1.0, 0.5),
    "logit": (0.0, 1.0),
    "exp": (OVERFLOW,),
    "expm1": (OVERFLOW,),
}
SENSITIVE = frozenset(_EDGES) | {"div", "pow"}


def edges(op: Op) -> list[Edge]:
    """The reachable points at which the backward of an operator makes NaN even of a gradient of 0."""
    if op.name == "div":
        divisors = [each for each in op.operands[1:2] if each.kind in (Kind.TENSOR, Kind.UNKNOWN)]
        found = [Edge(each, 0.0) for each in divisors if each.role is not Role.CONFIG]
    elif op.name == "pow":
        found = [Edge(op.operands[0], at) for at in _power_edges(op.operands[-1])]
    elif op.name == "logit" and len(op.operands) > 1:
        found = []  # logit(x, eps=...) clamps
    else:
        found = [Edge(op.operands[0], at) for at in _EDGES.get(op.name, ())]
    return [edge for edge in found if edge.is_reachable and not edge.argument.has_constant]


def _power_edges(exponent: Value) -> tuple[float, ...]:
    number = exponent.constant
    if not exponent.has_constant or isinstance(number, bool) or not isinstance(number, (int, float)):
        return ()
    broken = not float(number).is_integer()
    at_zero = (0.0,) if number < 1 and number != 0 else ()
    return (*at_zero, *((BELOW_ZERO,) if broken else ()))


def is_boundary(interval: Interval, at: float) -> bool:
    """Whether a point is an end of a range: a value that is never negative reaches 0 in earnest."""
    return at in (interval.low, interval.high) and not math.isinf(at)
