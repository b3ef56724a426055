"""torch's own losses as they are called: how they reduce, where that is set, and how to set it otherwise."""

from __future__ import annotations

import libcst as cst

from losslint.rule import Replacement
from losslint.semantics.carriers import members
from losslint.semantics.graph import Graph
from losslint.semantics.literals import literal
from losslint.semantics.operators import Shape, operators
from losslint.semantics.syntax_walk import nodes_of
from losslint.semantics.values import Gradient, Kind, Reduced, Site, Value

_SCALINGS = frozenset("mul div neg add sub float double to clamp clamp_min clamp_max squeeze mean sum clone".split())


def is_loss_operator(value: Value) -> bool:
    """Whether a value is what one of torch's losses returns."""
    operator = operators().get(value.origin.name)
    return operator is not None and operator.shape is Shape.LOSS


def is_one_number(value: Value) -> bool:
    """Whether a value is proven to be a mean or a sum over all elements."""
    return value.is_tensor and value.rank == 0 and value.reduction.kind in (Reduced.MEAN, Reduced.SUM)


def reduced_source(value: Value) -> Value | None:
    """The operator that made one number of all elements, through what only scales that number; None if none did."""
    current = value
    while is_one_number(current):
        if is_loss_operator(current):
            return current
        carrying = [each for each in current.origin.operands if each.gradient is Gradient.CARRIES]
        if current.origin.name not in _SCALINGS or len(carrying) != 1:
            return None
        if current.origin.name in ("mean", "sum") and carrying[0].rank != 0:
            return current
        current = carrying[0]
    return None


def how_reduced(value: Value) -> str:
    """What to call the reduction of a proven scalar."""
    if value.reduction.over == "batch":
        return "batch mean"
    return "sum" if value.reduction.kind is Reduced.SUM else "mean"


def default_reduction(value: Value) -> str | None:
    """The reduction a loss has where its caller does not choose: the default of the option that it is handed on from."""
    chosen = value.origin.keywords.get("reduction")
    if chosen is None or chosen.origin.name != "setting" or chosen.origin.site is None:
        return None
    parameter = chosen.origin.site.node
    if isinstance(parameter, cst.Param) and isinstance(parameter.default, cst.SimpleString):
        return str(literal(parameter.default))
    return None


def is_given(value: Value | None) -> bool:
    """Whether an argument is given, or may be given by whoever configures the loss."""
    return value is not None and (value.kind is not Kind.NONE or value.is_default)


def is_reduced_later(graph: Graph, source: Value) -> bool:
    """Whether every path from the loss to what is returned goes through a mean or a sum over all elements."""
    pending = [op.operands[0] for op in graph.returns]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if current.key == source.key:
            return False
        if current.key in seen or reduces_all(current):
            continue
        seen.add(current.key)
        pending.extend(members(current))
    return bool(seen) or bool(graph.returns)


def reduces_all(value: Value) -> bool:
    """Whether a value is a mean or a sum over all elements of its operand."""
    dim = value.origin.keywords.get("dim")
    return value.origin.name in ("mean", "sum") and (dim is None or dim.kind is Kind.NONE)


def with_reduction(graph: Graph, loss: Value, reduction: str) -> Replacement | None:
    """The edit that gives a torch loss another reduction: in its call, or where the member it is was constructed.

    None where the call is in another file, sets the reduction by something other than a literal, has comments inside,
    or calls a member that other code calls too.
    """
    site = loss.origin.site
    if site is None or site.unit is not graph.unit or not isinstance(site.node, cst.Call):
        return None
    call = site.node
    if graph.unit.qualified(call.func) is None:
        made = _construction(graph, call.func)
        if made is None:
            return None
        call = made
    text = graph.unit.code(call)
    if "#" in text:
        return None
    for argument in call.args:
        if argument.star or (argument.keyword is not None and argument.keyword.value in ("reduce", "size_average")):
            return None
        if argument.keyword is not None and argument.keyword.value == "reduction":
            literal = isinstance(argument.value, cst.SimpleString)
            return Replacement(Site(graph.unit, argument.value), f'"{reduction}"') if literal else None
    inside = text.rstrip().removesuffix(")").rstrip().removesuffix(",")
    separator = ", " if call.args else ""
    return Replacement(Site(graph.unit, call), f'{inside}{separator}reduction="{reduction}")')


def _construction(graph: Graph, function: cst.BaseExpression) -> cst.Call | None:
    """The one call that makes the member `self.name`, where the class calls that member once."""
    owner = graph.unit.classes.get(graph.owner)
    match function:
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)) if owner is not None:
            pass
        case _:
            return None
    made = [
        node.value
        for node in nodes_of(owner)
        if isinstance(node, cst.Assign) and any(_is_member(target.target, name) for target in node.targets)
    ]
    uses = [node for node in nodes_of(owner) if isinstance(node, cst.Attribute) and _is_member(node, name)]
    only = made[0] if len(made) == 1 and len(uses) == 2 else None
    return only if isinstance(only, cst.Call) and graph.unit.qualified(only.func) is not None else None


def _is_member(node: cst.CSTNode, name: str) -> bool:
    match node:
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=found)):
            return found == name
    return False
