"""What holds at one point: `x` being 0 (or -0.001, or 1), what is the value of `x.abs()`, and is `x > eps` true.

Ranges are closed and sound: what does not depend on the point keeps its own range, so an answer is given only where it
holds for every value that the rest can take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from losslint.semantics import intervals
from losslint.semantics.intervals import POSITIVE
from losslint.semantics.operators import Interval
from losslint.semantics.role_names import says_epsilon
from losslint.semantics.values import EVERYTHING, Value


@dataclass(frozen=True, slots=True)
class Point:
    """What values are at one point; those of `all_elements` hold for all elements of a tensor together, as under a sum."""

    values: Mapping[int, Interval]
    all_elements: Mapping[int, Interval] = field(default_factory=dict)

    @property
    def of_all(self) -> Point:
        """The point as a reduction over all elements sees it."""
        return Point({**self.all_elements, **self.values})


_ALIKE = frozenset(
    (
        "detach view reshape squeeze unsqueeze expand expand_as broadcast_to contiguous clone flatten to float double half "
        "bfloat16 type_as data"
    ).split()
)
MAX_DEPTH = 12


_TOTALS = frozenset({"sum", "mean", "count_nonzero"})


def point(value: Value, at: float) -> Point:
    """The point at which `value` is `at`, with what follows for the values it is made of: for `1 - x` being 0, x is 1."""
    found: dict[int, Interval] = {}
    of_all: dict[int, Interval] = {}
    current, number = value, at
    for _ in range(MAX_DEPTH):
        (of_all or found)[current.key] = Interval(number, number)
        step = _undone(current, number)
        if step is None:
            break
        if current.origin.name in _TOTALS:
            of_all[step[0].key] = Interval(step[1], step[1])
        current, number = step
    return Point(found, of_all)


def is_shifted(value: Value) -> bool:
    """Whether a value is another one plus a constant: it is 0 where that one is something else."""
    return any(each.low != 0 for each in point(value, 0.0).values.values())


def _undone(value: Value, number: float) -> tuple[Value, float] | None:
    """The operand of a value, and what it is where the value is `number`."""
    name, operands = value.origin.name, value.origin.operands
    if not operands:
        return None
    if name in _ALIKE:
        return operands[0], number
    if name == "neg":
        return operands[0], -number
    if name in ("abs", "square", "sqrt") and number == 0:
        return operands[0], 0.0
    if name == "pow" and number == 0 and len(operands) == 2 and operands[1].interval.low > 0:
        return operands[0], 0.0
    if name == "div" and number == 0:
        return operands[0], 0.0
    if name in _TOTALS and number == 0 and operands[0].interval.low >= 0:
        return operands[0], 0.0
    if name in _SOLVED and len(operands) == 2:
        for position in (0, 1):
            constant = operands[1 - position].constant
            if operands[1 - position].has_constant and isinstance(constant, (int, float)):
                solved = _SOLVED[name](number, float(constant), position)
                return None if solved is None else (operands[position], solved)
    return None


def _factor(result: float, constant: float, position: int) -> float | None:
    return result / constant if constant else None


def _fraction(result: float, constant: float, position: int) -> float | None:
    return result * constant if position == 0 else None


_SOLVED: dict[str, Callable[[float, float, int], float | None]] = {
    "add": lambda result, constant, position: result - constant,
    "sub": lambda result, constant, position: result + constant if position == 0 else constant - result,
    "mul": _factor,
    "div": _fraction,
}


def value_at(value: Value, where: Point, depth: int = MAX_DEPTH) -> Interval:
    """The range of a value at a point."""
    known = where.values.get(value.key)
    if known is not None:
        return known
    name, operands = value.origin.name, value.origin.operands
    if depth == 0 or value.has_constant or not operands:
        return _range_of(value)
    inner = [value_at(each, where, depth - 1) for each in operands[:2]]
    if name in _ALIKE:
        return inner[0]
    if name == "neg":
        return intervals.negate(inner[0])
    if name == "abs":
        return intervals.absolute(inner[0])
    if name == "sqrt" and inner[0].low >= 0:
        return Interval(math.sqrt(inner[0].low), math.sqrt(inner[0].high))
    if name in ("square", "pow") and (name == "square" or operands[1].constant == 2):
        size = intervals.absolute(inner[0])
        return Interval(size.low**2, size.high**2 if size.high < 1e150 else size.high)
    if len(inner) == 2 and name in _EVALUATED:
        return _EVALUATED[name](inner[0], inner[1])
    return _range_of(value)


def _range_of(value: Value) -> Interval:
    """A value's own range; a setting that is named as an epsilon is not negative."""
    if value.interval == EVERYTHING and says_epsilon(value.origin.label.rpartition(".")[2]):
        return POSITIVE
    return value.interval


_EVALUATED: dict[str, Callable[[Interval, Interval], Interval]] = {
    "add": intervals.add,
    "sub": lambda left, right: intervals.add(left, intervals.negate(right)),
    "mul": intervals.multiply,
    "div": lambda left, right: EVERYTHING if intervals.contains_zero(right) else intervals.divide(left, right),
}


def is_true_at(condition: Value, where: Point, depth: int = MAX_DEPTH) -> bool | None:
    """Whether a condition holds at a point; None where that depends on other things."""
    name, operands = condition.origin.name, condition.origin.operands
    known = where.values.get(condition.key)
    if known is not None and (known.low > 0 or known.high < 0 or known.low == known.high):
        return known.low != 0
    if depth == 0 or not operands:
        return None
    if name in ("eq", "ne", "lt", "le", "gt", "ge", "compared"):
        name = condition.origin.label if name == "compared" else name
        return _compared(name, value_at(operands[0], where), value_at(operands[1], where))
    if name == "any":
        return is_true_at(operands[0], where.of_all, depth - 1)
    answers = [is_true_at(each, where, depth - 1) for each in operands[:2]]
    if name in _ALIKE or name in ("bool", "long", "int"):
        return answers[0]
    if name in ("logical_not", "bitwise_not", "not"):
        return None if answers[0] is None else not answers[0]
    if name == "sub" and operands[0].has_constant and operands[0].constant == 1:
        return None if answers[1] is None else not answers[1]  # 1 - mask
    if name in ("logical_and", "bitwise_and", "mul"):
        return _all(answers)
    if name in ("logical_or", "bitwise_or"):
        neither = _all([None if answer is None else not answer for answer in answers])
        return None if neither is None else not neither
    return None


def _all(answers: list[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def _compared(name: str, left: Interval, right: Interval) -> bool | None:
    match name:
        case "gt":
            return True if left.low > right.high else False if left.high <= right.low else None
        case "lt":
            return _compared("gt", right, left)
        case "eq" if left.high < right.low or right.high < left.low:
            return False
        case "eq":
            return True if left.low == left.high == right.low == right.high else None
        case "ne" | "le" | "ge":
            answer = _compared({"ne": "eq", "le": "gt", "ge": "lt"}[name], left, right)
            return None if answer is None else not answer
    return None
