"""A formula worked out on numbers: what a value of the graph is where some of its ancestors are given numbers.

Every tensor is read as many equal elements: views, means, maxima and norms of single numbers are the number itself, and a sum is
it times the count. Whatever is not understood, or not given, makes the result None: nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping

from losslint.semantics.graph import ancestors
from losslint.semantics.values import Kind, Value

MANY = 1e9
_MAX_VALUES = 400
_SAME = frozenset(
    (
        "view reshape squeeze unsqueeze expand expand_as contiguous clone flatten to float double half type_as permute transpose "
        "t detach mean amax amin broadcast_to long int movedim"
    ).split()
)


class _Opaque(Exception):
    pass


def defaults(value: Value) -> dict[int, float]:
    """The numbers with a default, which may be replaced, that a value is made of."""
    found: dict[int, float] = {}
    for each in ancestors([value]):
        if each.has_constant and each.is_default and not each.origin.operands and type(each.constant) in (int, float):
            found[each.key] = float(each.constant)  # type: ignore[arg-type]
    return found


def number_at(value: Value, given: Mapping[int, float], count: float = 1.0) -> float | None:
    """The number a value is where the values with the keys of `given` are these numbers, with `count` elements a tensor."""
    try:
        return _Evaluation(given, count).number(value, 40)
    except (_Opaque, OverflowError, ZeroDivisionError, ValueError):
        return None


def unknowns(value: Value, given: Collection[int] = (), most: int = _MAX_VALUES) -> list[Value]:
    """What a value is made of that has no number: parameters, attributes, and the results of what is not understood here.

    The search ends where there are `most` of them.
    """
    found: list[Value] = []
    pending, seen = [value], {value.key}
    while pending and len(seen) < _MAX_VALUES and len(found) < most:
        current = pending.pop()
        if current.key in given or (current.has_constant and not is_derived(current)):
            continue
        if current.origin.name not in _UNDERSTOOD or not current.origin.operands:
            found.append(current)
            continue
        for each in _valued(current):
            if each.key not in seen:
                seen.add(each.key)
                pending.append(each)
    return found


def worked_out_from(value: Value) -> Iterator[Value]:
    """A value and what its number is worked out from, as far as that is understood here, each once."""
    pending, seen = [value], {value.key}
    while pending:
        current = pending.pop()
        yield current
        for each in _valued(current) if current.origin.name in _UNDERSTOOD else ():
            if each.key not in seen:
                seen.add(each.key)
                pending.append(each)


def is_derived(value: Value) -> bool:
    """Whether a constant is worked out from defaults that may be replaced: `2 * self.delta`."""
    return value.is_default and value.origin.name in _UNDERSTOOD and bool(value.origin.operands)


def _valued(value: Value) -> tuple[Value, ...]:
    """The operands whose numbers count: not the shapes and dimensions of views and reductions."""
    name, operands = value.origin.name, value.origin.operands
    if name in _SAME or name in ("sum", "nansum", "norm", "linalg_vector_norm", "zeros_like", "ones_like"):
        return operands[:1]
    if name in ("max", "min"):
        return tuple(value.origin.keywords.get(each, operands[0]) for each in ("input", "other"))
    return operands


def power(base: float, exponent: float) -> float:
    """torch.pow of two numbers: NaN where a negative one is raised to a fraction, which Python answers with a complex number."""
    return math.nan if base < 0 and exponent % 1 else float(base**exponent)


class _Evaluation:
    def __init__(self, given: Mapping[int, float], count: float) -> None:
        self._known = dict(given)
        self._count = count
        self._left = _MAX_VALUES

    def number(self, value: Value, depth: int) -> float:
        known = self._known.get(value.key)
        if known is None:
            self._left -= 1
            if depth == 0 or self._left < 0:
                raise _Opaque
            known = self._known[value.key] = self._made(value, depth - 1)
        return known

    def _made(self, value: Value, depth: int) -> float:
        if value.has_constant and not is_derived(value):
            if isinstance(value.constant, (int, float)):
                return float(value.constant)
            raise _Opaque
        name, operands = value.origin.name, value.origin.operands
        if not operands or value.origin.label == "indices":
            raise _Opaque
        if name in ("sum", "nansum"):
            return self._count * self.number(operands[0], depth)
        if name in _SAME or (name in ("max", "min") and len(operands) == 1):
            return self.number(operands[0], depth)
        if name in ("max", "min", "norm", "linalg_vector_norm"):
            return self._reduced(name, value, depth)
        if name == "phi":
            found = {self.number(each, depth) for each in operands}
            if len(found) == 1:
                return found.pop()
            raise _Opaque
        if name == "where" and len(operands) == 3:
            return self.number(operands[1] if self.number(operands[0], depth) else operands[2], depth)
        if name == "masked_fill" and len(operands) == 3:
            return self.number(operands[2] if self.number(operands[1], depth) else operands[0], depth)
        if name in ("clamp", "clamp_min", "clamp_max", "relu"):
            return self._clamped(name, value, depth)
        if name in ("zeros_like", "ones_like"):
            return 0.0 if name == "zeros_like" else 1.0
        if name == "compared":
            name = value.origin.label
        if name in _UNARY and len(operands) == 1:
            return _UNARY[name](self.number(operands[0], depth))
        if name in _BINARY and len(operands) == 2 and self._is_plain(value):
            return _BINARY[name](self.number(operands[0], depth), self.number(operands[1], depth))
        raise _Opaque

    @staticmethod
    def _is_plain(value: Value) -> bool:
        """Whether there is no rounding mode and no alpha."""
        extra = [value.origin.keywords.get(each) for each in ("alpha", "rounding_mode")]
        return all(each is None or each.kind is Kind.NONE for each in extra)

    def _reduced(self, name: str, value: Value, depth: int) -> float:
        operands = value.origin.operands
        if name in ("norm", "linalg_vector_norm"):
            if self._count != 1:
                raise _Opaque
            return abs(self.number(operands[0], depth))
        other = value.origin.keywords.get("other")
        if other is None and value.origin.keywords.get("dim") is None:
            raise _Opaque
        first = self.number(operands[0], depth)
        if other is None:
            return first
        return (max if name == "max" else min)(first, self.number(other, depth))

    def _clamped(self, name: str, value: Value, depth: int) -> float:
        operands, keywords = value.origin.operands, value.origin.keywords
        found = self.number(operands[0], depth)
        if name == "relu":
            return max(found, 0.0)
        low, high = keywords.get("min"), keywords.get("max")
        if low is not None and low.kind is not Kind.NONE:
            found = max(found, self.number(low, depth))
        if high is not None and high.kind is not Kind.NONE:
            found = min(found, self.number(high, depth))
        return found


def _log_sigmoid(number: float) -> float:
    return min(number, 0.0) - math.log1p(math.exp(-abs(number)))


_UNARY: dict[str, Callable[[float], float]] = {
    "neg": lambda x: -x,
    "abs": abs,
    "square": lambda x: x * x,
    "exp": math.exp,
    "log": math.log,
    "log1p": math.log1p,
    "sqrt": math.sqrt,
    "reciprocal": lambda x: 1 / x,
    "sigmoid": lambda x: math.exp(_log_sigmoid(x)),
    "log_sigmoid": _log_sigmoid,
    "softplus": lambda x: -_log_sigmoid(-x),
    "tanh": math.tanh,
    "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
    "logical_not": lambda x: float(not x),
    "bitwise_not": lambda x: float(not x),
    "not": lambda x: float(not x),
}
_BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "rsub": lambda x, y: y - x,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": power,
    "maximum": max,
    "minimum": min,
    "fmax": max,
    "fmin": min,
    "lt": lambda x, y: float(x < y),
    "le": lambda x, y: float(x <= y),
    "gt": lambda x, y: float(x > y),
    "ge": lambda x, y: float(x >= y),
    "eq": lambda x, y: float(x == y),
    "ne": lambda x, y: float(x != y),
    "logical_and": lambda x, y: float(bool(x) and bool(y)),
    "logical_or": lambda x, y: float(bool(x) or bool(y)),
    "bitwise_and": lambda x, y: float(bool(x) and bool(y)),
    "bitwise_or": lambda x, y: float(bool(x) or bool(y)),
}
_UNDERSTOOD = (
    _SAME
    | frozenset(_UNARY)
    | frozenset(_BINARY)
    | frozenset(
        (
            "sum nansum max min norm linalg_vector_norm phi where masked_fill clamp clamp_min clamp_max relu zeros_like "
            "ones_like compared"
        ).split()
    )
)
