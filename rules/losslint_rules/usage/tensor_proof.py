"""Whether a value is a tensor beyond doubt, and whether an operator leaves its operands as they are."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.graph import Graph, Op
from losslint.semantics.operators import operators
from losslint.semantics.values import Kind, Value

# Methods that modules, optimizers, loggers, lists and distributions have too: they prove nothing of what has them.
AMBIGUOUS = frozenset(
    """to cuda cpu float double half bfloat16 type apply index count sort split add log sample size_ unique
    mean sum max min std var norm all any mode median round trace copy clone values repeat item""".split()
)


_CASTS = frozenset("to cuda cpu float double half bfloat16 type".split())
"""What modules can be asked for too, and answer with themselves."""


def is_pure(call: cst.Call) -> bool:
    """Whether a call neither has a name of an in-place operator nor is told to write somewhere."""
    called = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    if not isinstance(called, cst.Name) or called.value.endswith("_"):
        return False
    return all(argument.keyword is None or argument.keyword.value not in ("out", "inplace") for argument in call.args)


def is_tensor_for_certain(value: Value, use: Op, graph: Graph) -> bool:
    """Whether an operator made a value, or the operators that take it (`use` among them) only take tensors."""
    if value.kind not in (Kind.TENSOR, Kind.UNKNOWN):
        return False
    if value.origin.name in _CASTS and value.origin.operands:
        return is_tensor_for_certain(value.origin.operands[0], use, graph)  # `model.half().float()`
    if value.origin.name in operators():
        return True
    return value.origin.name == "parameter" and any(
        op.name not in AMBIGUOUS and op.name in operators() and any(each.key == value.key for each in op.operands)
        for op in (use, *graph.ops)
    )
