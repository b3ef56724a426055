"""Formulas as numbers: what a value is where one other value and the settings are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from losslint.semantics.values import Kind, Role, Value
from losslint_rules.formulas.evaluation import power

_SAME = frozenset(
    "float double to contiguous clone view reshape squeeze unsqueeze flatten detach type_as expand".split()
)
_SETTINGS = frozenset({"setting", "parameter"})


@dataclass(frozen=True, slots=True)
class Point:
    """Values by key, and the number that every setting without a default stands for; `free` collects their keys."""

    known: Mapping[int, float]
    setting: float
    free: set[int] = field(default_factory=set)


def evaluated(value: Value, point: Point, depth: int = 24) -> float | None:
    """A formula at a point; None where anything in it is not known."""
    if value.key in point.known:
        return point.known[value.key]
    if value.has_constant:
        constant = value.constant
        return float(constant) if isinstance(constant, (int, float)) and not isinstance(constant, bool) else None
    name, operands = value.origin.name, value.origin.operands
    if name in _SETTINGS and (value.kind is Kind.NUMBER or value.role is Role.CONFIG):
        point.free.add(value.key)
        return point.setting
    if depth == 0 or not operands:
        return None
    arguments = [evaluated(each, point, depth - 1) for each in operands]
    if any(each is None for each in arguments):
        return None
    function = _NAMED.get(value.origin.label) if name == "escape" else _FORMULAS.get(name)
    if name in _SAME:
        return arguments[0]
    if function is None or len(arguments) != function[0]:
        return None
    try:
        result = function[1](*arguments)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return result if isinstance(result, float) and math.isfinite(result) else None


_FORMULAS: Mapping[str, tuple[int, Callable[..., float]]] = {
    "add": (2, lambda x, y: x + y),
    "sub": (2, lambda x, y: x - y),
    "mul": (2, lambda x, y: x * y),
    "div": (2, lambda x, y: x / y),
    "pow": (2, power),
    "neg": (1, lambda x: -x),
    "abs": (1, abs),
    "square": (1, lambda x: x * x),
    "sqrt": (1, math.sqrt),
    "exp": (1, math.exp),
    "log": (1, math.log),
    "log1p": (1, math.log1p),
    "expm1": (1, math.expm1),
    "relu": (1, lambda x: max(x, 0.0)),
    "tanh": (1, math.tanh),
    "sin": (1, math.sin),
    "cos": (1, math.cos),
}
_NAMED: Mapping[str, tuple[int, Callable[..., float]]] = {
    **{f"{module}.{name}": _FORMULAS[name] for module in ("math", "numpy") for name in ("sqrt", "exp", "log", "log1p")},
    "math.pow": _FORMULAS["pow"],
    "math.fabs": _FORMULAS["abs"],
}
