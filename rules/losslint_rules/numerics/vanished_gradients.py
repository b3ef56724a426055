"""Whether a NaN that the backward of an operator makes reaches anything that is trained."""

from __future__ import annotations

from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.selections import selected_by
from losslint.semantics.values import Gradient, Value
from losslint_rules.numerics.domains import Edge

_PASSED = frozenset(
    (
        "view reshape squeeze unsqueeze expand flatten permute transpose t contiguous clone float double to getitem gather "
        "index_select select sum mean square sqrt amax max stack cat"
    ).split()
)


def reaches(op: Op, edge: Edge, graph: Graph) -> bool:
    """Whether the NaN goes on beneath the operator: to its argument, or for a division to the dividend."""
    argument = edge.argument
    if _flows(argument, graph) and not ends_in_relu(argument):
        return True
    if op.name != "div" or not _flows(op.operands[0], graph):
        return False
    dividend = op.operands[0]
    total = _summed(dividend)
    may_be_a_selection = total.origin.name == "unknown" and not total.origin.label
    if may_be_a_selection or selected_by(total) is not None:
        return False  # nothing is selected where the count is 0, so nothing gets the NaN
    source = relu_beneath(dividend)
    return source is None or all(each.key != source.key for each in ancestors([argument]))


def _flows(value: Value, graph: Graph) -> bool:
    return value.gradient is Gradient.CARRIES and graph.differentiates(value)


def _summed(value: Value) -> Value:
    while value.origin.name in ("sum", "mul", "neg") and value.origin.operands and value.rank == 0:
        value = value.origin.operands[0]
    return value


def ends_in_relu(value: Value) -> bool:
    """Whether a value is 0 only where a ReLU was inactive, whose backward writes a 0 over any NaN."""
    return relu_beneath(value) is not None


def relu_beneath(value: Value) -> Value | None:
    """The ReLU that a value is made of through sums, powers, views and scaling."""
    for _ in range(20):
        name, operands = value.origin.name, value.origin.operands
        if name in ("relu", "relu6"):
            return value
        scaled = name in ("mul", "div", "pow") and len(operands) == 2 and operands[1].has_constant
        if not operands or not (name in _PASSED or scaled):
            return None
        value = operands[0]
    return None
