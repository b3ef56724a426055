"""The arguments of a call as they are written, and edits of them."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from losslint.diagnostic import Applicability
from losslint.rule import Replacement, Rewrite, Step
from losslint.semantics.graph import Graph, Op
from losslint.semantics.names import dotted
from losslint.semantics.spelling import excerpt, parenthesised, respell, shortened
from losslint.semantics.syntax_walk import holds
from losslint.semantics.values import Kind, Site, Value


def argument(op: Op, name: str) -> Value | None:
    """The value bound to a parameter, None where none is given or it is None."""
    value = op.keywords.get(name)
    return None if value is None or value.kind is Kind.NONE else value


def flag(op: Op, name: str) -> bool | None:
    """A boolean argument: False where it is not given, None where it is not known."""
    value = op.keywords.get(name)
    if value is None and not is_complete(op):
        return None
    if value is None or value.kind is Kind.NONE:
        return False
    return value.constant if value.has_constant and not value.is_default and isinstance(value.constant, bool) else None


def is_complete(op: Op) -> bool:
    """Whether all arguments are to be seen: no * or ** in the call, or in the construction of its module."""
    sites = [op.site, op.origin.module.origin.site if op.origin.module is not None else None]
    calls = [site.node for site in sites if site is not None and isinstance(site.node, cst.Call)]
    return all(not argument.star for call in calls for argument in call.args)


def argument_node(op: Op, name: str, position: int) -> cst.BaseExpression | None:
    """Where an argument is written in the call of a function or a module; None where it is not to be seen."""
    call = op.site.node
    if not isinstance(call, cst.Call) or any(argument.star for argument in call.args):
        return None
    for each in call.args:
        if each.keyword is not None and each.keyword.value == name:
            return each.value
    if position < len(call.args) and call.args[position].keyword is None:
        return call.args[position].value
    return None


def written(op: Op, name: str, position: int, limit: int = 40) -> str:
    """An argument as it is written in the call, shortened."""
    node = argument_node(op, name, position)
    if node is None:
        value = argument(op, name)
        return "" if value is None else excerpt(value)
    return shortened(op.site.unit.code(node), limit)


def instead_of(graph: Graph, op: Op, name: str, position: int, made: Value, text_of: Value) -> Replacement | None:
    """Write `text_of` where the argument's value was `made`: in place of the whole argument, or inside of it.

    None where the argument is computed further up and something else is done with it before the call.
    """
    node, value, maker = argument_node(op, name, position), argument(op, name), graph.op_of(made)
    if node is None or value is None or maker is None or made.origin.site is None:
        return None
    if made.origin.frame != op.origin.frame:
        return None  # made by a function that is called: it has other callers
    if text_of.origin.site is not None and text_of.origin.site.node is made.origin.site.node:
        return None  # both come out of one nn.Sequential: the argument has no text of its own
    if holds(node, made.origin.site.node):
        text = respell(graph, maker, text_of)
        where = made.origin.site
    elif value.key == made.key:
        text = respell(graph, op, text_of)
        where = Site(op.site.unit, node)
    else:
        return None
    if text is None:
        return None
    return Replacement(where, text if where.node is node else parenthesised(text))


def unsafe(message: str, *replacements: Replacement | None) -> Rewrite | None:
    """A fix that changes values or intent; None unless all its parts could be written."""
    present = [each for each in replacements if each is not None]
    if not present or len(present) != len(replacements):
        return None
    return Rewrite(Applicability.UNSAFE, message, tuple(present))


def calls_function(op: Op, names: Sequence[str]) -> bool:
    """Whether an operator is written as a call of a function of this last name."""
    call = op.site.node
    name = dotted(call.func) if isinstance(call, cst.Call) else None
    return name is not None and op.origin.module is None and name.rpartition(".")[2] in names


def with_argument(op: Op, text: str) -> Replacement | None:
    """The call with one more keyword argument at its end, as a replacement of its last argument."""
    call = op.site.node
    if not isinstance(call, cst.Call) or not call.args or any(argument.star == "**" for argument in call.args):
        return None
    last = call.args[-1].value
    return Replacement(Site(op.site.unit, last), f"{op.site.unit.code(last)}, {text}")


def in_log_space(graph: Graph, op: Op, name: str, position: int, made: Value) -> Replacement | None:
    """Write the argument's softmax as a log_softmax, where the softmax is written in it or is all of it."""
    site, node = made.origin.site, argument_node(op, name, position)
    if made.origin.name != "softmax" or made.origin.module is not None or site is None or node is None:
        return None
    call = site.node
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute) or call.func.attr.value != "softmax":
        return None
    if holds(node, call):
        return Replacement(Site(site.unit, call.func.attr), "log_softmax")
    value, dim = argument(op, name), made.origin.keywords.get("dim")
    function = op.site.unit.spell("torch.nn.functional.log_softmax")
    if (
        value is None
        or value.key != made.key
        or dim is None
        or function is None
        or made.origin.keywords.keys() - _PLAIN
    ):
        return None
    text = respell(graph, op, made.origin.operands[0])
    dim_text = dim.origin.label if dim.has_constant and not dim.is_default else respell(graph, op, dim)
    if text is None or not dim_text or made.origin.frame != op.origin.frame:
        return None
    return Replacement(Site(op.site.unit, node), f"{function}({text}, dim={dim_text})")


_PLAIN = frozenset({"input", "dim"})


def made_here(value: Value, what: str) -> list[Step]:
    """The first step of a witness path: where a value comes from."""
    return [Step(value.origin.site, f"`{excerpt(value)}` {what}")] if value.origin.site is not None else []


def renamed(op: Op, name: str, other: str) -> Replacement | None:
    """Call another function of the same module: `F.name(...)` becomes `F.other(...)`."""
    call = op.site.node
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute) or op.origin.module is not None:
        return None
    return Replacement(Site(op.site.unit, call.func.attr), other) if call.func.attr.value == name else None
