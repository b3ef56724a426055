"""Learned parameters as they are: what training can move across 0, or away without a bound."""

from __future__ import annotations

import re

from losslint.semantics.values import Gradient, Value

_VIEWS = frozenset(
    "getitem select view reshape squeeze unsqueeze expand expand_as to type_as float flatten contiguous clone".split()
)
_FROZEN = re.compile(r"in self\.parameters\(\):\s*\w+\.requires_grad(?:\s*=\s*|_\()False|self\.requires_grad_\(False\)")
_CONSTRAINED = re.compile(r"\.(?:clamp|clip|abs|copy|relu|fill)_\(|torch\.(?:clamp|clip)_\(|\.data\b\s*=|parametri[zs]")


def raw_parameter(value: Value) -> Value | None:
    """The trained nn.Parameter that a value is, or a view or a positive multiple of; None for anything else.

    A file that changes data in place, as a clamp after each step does, may keep its parameters where they belong; one that freezes
    all parameters of a module does.
    """
    while value.origin.operands and (value.origin.name in _VIEWS or _is_multiple(value)):
        value = value.origin.operands[0] if value.origin.name in _VIEWS else _multiplied(value)
    if value.origin.name == "phi":  # learned or fixed, as the settings say
        return next((found for each in value.origin.operands if (found := raw_parameter(each)) is not None), None)
    site = value.origin.site
    if value.origin.name != "parameter_tensor" or value.gradient is not Gradient.CARRIES or site is None:
        return None
    text = site.unit.text
    return None if _CONSTRAINED.search(text) or _FROZEN.search(text) else value


def _is_multiple(value: Value) -> bool:
    operands = value.origin.operands
    return value.origin.name in ("mul", "div") and len(operands) == 2 and any(_is_positive(each) for each in operands)


def _multiplied(value: Value) -> Value:
    left, right = value.origin.operands
    return left if _is_positive(right) else right


def _is_positive(value: Value) -> bool:
    return value.has_constant and isinstance(value.constant, (int, float)) and value.constant > 0
