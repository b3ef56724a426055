"""Autocast blocks: whether one is open around an operator, and which dtype it computes in."""

from __future__ import annotations

from losslint.semantics.graph import Op
from losslint.semantics.values import Value

_AUTOCAST = frozenset({"torch.autocast()", "torch.amp.autocast()", "torch.cuda.amp.autocast()"})


def autocast_around(op: Op) -> Value | None:
    """The innermost autocast around an operator; None where there is none, or where it is switched off."""
    for context in reversed(op.contexts):
        if context.origin.label in _AUTOCAST:
            return None if False in _written(context) else context
    return None


def is_on_cpu(context: Value) -> bool:
    """Whether an autocast is the CPU's."""
    return "cpu" in _written(context)


def is_float16(context: Value) -> bool:
    """Whether an autocast computes in float16, as it does on a GPU unless it is told otherwise."""
    return not is_on_cpu(context) and all(each.origin.label != "torch.bfloat16" for each in context.origin.operands)


def _written(context: Value) -> list[object]:
    return [each.constant for each in context.origin.operands if each.has_constant and not each.is_default]
