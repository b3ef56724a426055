"""Interval arithmetic with float32 semantics: closed ends, and constants as float32 sees them."""

from __future__ import annotations

import math
import struct

from losslint.semantics.operators import Interval
from losslint.semantics.values import EVERYTHING, Value

POSITIVE = Interval(0.0, math.inf)


def float32(number: float) -> float:
    """The nearest float32 of a Python float (infinite past its range)."""
    try:
        result: float = struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)
    return result


def add(left: Interval, right: Interval) -> Interval:
    """left + right."""
    return Interval(_sum(left.low, right.low, -math.inf), _sum(left.high, right.high, math.inf))


def negate(operand: Interval) -> Interval:
    """-operand."""
    return Interval(-operand.high, -operand.low)


def absolute(operand: Interval) -> Interval:
    """|operand|."""
    ends = (abs(operand.low), abs(operand.high))
    return Interval(0.0 if contains_zero(operand) else min(ends), max(ends))


def multiply(left: Interval, right: Interval) -> Interval:
    """left * right, with 0 * inf taken as 0: an infinite end stands for large, not for infinity itself."""
    products = [_product(a, b) for a in (left.low, left.high) for b in (right.low, right.high)]
    return Interval(min(products), max(products))


def divide(left: Interval, right: Interval) -> Interval:
    """left / right; everything where the divisor can change sign."""
    if right.low >= 0.0:
        reciprocal = Interval(_reciprocal(right.high, 0.0), _reciprocal(right.low, math.inf))
    elif right.high <= 0.0:
        reciprocal = Interval(_reciprocal(right.high, -math.inf), _reciprocal(right.low, 0.0))
    else:
        return EVERYTHING
    return multiply(left, reciprocal)


def power(base: Interval, exponent: Value) -> Interval:
    """base ** exponent for a constant exponent or a base in [0, 1] or [0, inf)."""
    number = exponent.constant
    if isinstance(number, int) and number % 2 == 0 and number > 0:
        ends = (
            abs(base.low) ** number if math.isfinite(base.low) else math.inf,
            abs(base.high) ** number if math.isfinite(base.high) else math.inf,
        )
        low = 0.0 if base.low <= 0.0 <= base.high else min(ends)
        return Interval(low, max(ends))
    if base.low >= 0.0:
        return Interval(0.0, 1.0 if base.high <= 1.0 and exponent.interval.low >= 0.0 else math.inf)
    return EVERYTHING


def hull(*intervals: Interval) -> Interval:
    """The smallest interval that holds all of them."""
    return Interval(min(each.low for each in intervals), max(each.high for each in intervals))


def clamp(operand: Interval, low: Interval | None, high: Interval | None) -> Interval:
    """operand limited below and above; None is no limit."""
    floor = low.low if low is not None else -math.inf
    ceiling = high.high if high is not None else math.inf
    bottom = max(operand.low, floor)
    top = min(operand.high, ceiling)
    return Interval(min(bottom, top), max(bottom, top))


def contains_zero(interval: Interval) -> bool:
    """Whether 0 lies in the interval."""
    return interval.low <= 0.0 <= interval.high


def _sum(left: float, right: float, otherwise: float) -> float:
    total = left + right
    return otherwise if math.isnan(total) else float32(total)


def _product(left: float, right: float) -> float:
    return 0.0 if left == 0.0 or right == 0.0 else float32(left * right)


def _reciprocal(number: float, at_zero: float) -> float:
    return at_zero if number == 0.0 else (0.0 if math.isinf(number) else 1.0 / number)
