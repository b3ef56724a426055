"""Paths that a default cannot be on: beyond `if power < 1` where it does not hold, a power of 0.5 is not the exponent."""

from __future__ import annotations

from losslint.semantics.graph import Op
from losslint.semantics.values import Value
from losslint_rules.numerics.substitution import is_true_at, point


def excludes_default(op: Op, setting: Value) -> bool:
    """Whether a test on the way to an operator has an answer that the default of a setting does not give."""
    if not setting.is_default or type(setting.constant) not in (int, float):
        return False
    here = point(setting, float(setting.constant))  # type: ignore[arg-type]
    return any(is_true_at(each.test, here) is (not each.holds) for each in op.conditions)
