"""The numbers a value can hold, where they are few and known: {0, 1} for a comparison, {-1, 1} for `2 * y - 1`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable

from losslint.semantics.values import DType, Value
from losslint_rules.usage.meanings import SELECTIONS, VIEWS

Numbers = frozenset[float]
_MOST = 8
_BINARY: dict[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "rsub": lambda left, right: right - left,
}
_COMPARISONS = frozenset(
    "compared eq ne lt le gt ge logical_and logical_or logical_not logical_xor isnan isinf isfinite isin isclose".split()
)
_FILLED: dict[str, float] = {
    "zeros": 0,
    "zeros_like": 0,
    "new_zeros": 0,
    "ones": 1,
    "ones_like": 1,
    "new_ones": 1,
}
_KEEPS = (VIEWS | SELECTIONS | frozenset({"long", "int", "short", "data"})) - {"sort", "topk", "max", "min"}


def numbers_of(value: Value, depth: int = 30) -> Numbers | None:
    """The few numbers a tensor's elements can be; None where that is not known."""
    name, operands = value.origin.name, value.origin.operands
    if value.has_constant:
        return _constant(value)
    if name in _FILLED:
        return frozenset({float(_FILLED[name])})
    if (
        name in _COMPARISONS
        or name in ("one_hot", "eye", "bernoulli")
        or (value.is_tensor and value.dtype is DType.BOOL)
    ):
        return frozenset({0.0, 1.0})
    if name == "sign":
        return frozenset({-1.0, 0.0, 1.0})
    if depth == 0 or not operands:
        return None
    return _computed(value, depth - 1)


def _constant(value: Value) -> Numbers | None:
    if value.is_default or not isinstance(value.constant, (bool, int, float)):
        return None
    return frozenset({float(value.constant)})


def _computed(value: Value, depth: int) -> Numbers | None:
    name, operands, keywords = value.origin.name, value.origin.operands, value.origin.keywords
    if name in ("full", "full_like", "new_full"):
        return _union([keywords["fill_value"]], depth) if "fill_value" in keywords else None
    if name in _KEEPS or name == "requires_grad_":
        return numbers_of(operands[0], depth)
    if name in ("phi", "index_put"):
        return _union(operands[:2] if name == "index_put" else operands, depth)
    if name in ("cat", "stack", "tensor"):
        parts = operands[0].elements
        return _union(parts, depth) if isinstance(parts, tuple) else _union(operands[:1], depth)
    if name == "sequence":
        return _union(operands, depth)
    if name in ("where", "masked_fill"):
        sides = [keywords[each] for each in ("input", "other", "value") if each in keywords]
        return _union(sides, depth) if len(sides) == 2 else None
    if name == "neg":
        inner = numbers_of(operands[0], depth)
        return None if inner is None else frozenset(-each for each in inner)
    if name in _BINARY and len(operands) == 2 and "alpha" not in keywords:
        left, right = (numbers_of(each, depth) for each in operands)
        if left is None or right is None:
            return None
        return _few(_BINARY[name](a, b) for a in left for b in right)
    return None


def _union(values: Iterable[Value], depth: int) -> Numbers | None:
    found: set[float] = set()
    for value in values:
        inner = numbers_of(value, depth)
        if inner is None:
            return None
        found |= inner
    return _few(found) if found else None


def _few(found: Iterable[float]) -> Numbers | None:
    numbers = frozenset(found)
    return numbers if len(numbers) <= _MOST else None
