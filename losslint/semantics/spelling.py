"""Source text for fixes: how a value can be written again at another place, if it still means the same there."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.operators import operators
from losslint.semantics.syntax_walk import children, holds, walk
from losslint.semantics.values import Value

_ATOMS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.Integer, cst.Float, cst.SimpleString)


def respell(graph: Graph, op: Op, value: Value) -> str | None:
    """The text of a value's expression if, written at `op`, it would be the same value; None where unsure.

    Every name in it must still be bound to what it was bound to, and it must stand in the same function.
    """
    site = value.origin.site
    named = _bound_name(op, value)
    if named is not None or site is None or not isinstance(site.node, cst.BaseExpression):
        return named
    if value.origin.frame != op.origin.frame and value.origin.name != "constant":
        return None
    if _runs_twice(op, value):
        return None
    maker = graph.op_of(value)
    scope = maker.scope if maker is not None else op.scope
    for name in _names(site.node):
        if name in op.scope or name in scope:
            here, there = op.scope.get(name), scope.get(name)
            if here is None or there is None or here.key != there.key:
                return None
    return without_parentheses(site.node, site.unit.code(site.node))


def _runs_twice(op: Op, value: Value) -> bool:
    """Whether the expression stands elsewhere and calls what may not be called again: a batch norm, a dropout, a network."""
    assert value.origin.site is not None
    if holds(op.site.node, value.origin.site.node):
        return False
    written = {id(node) for node in walk(value.origin.site.node)}
    return any(
        each.origin.site is not None and id(each.origin.site.node) in written and _is_no_function(each)
        for each in ancestors([value])
    )


def _is_no_function(value: Value) -> bool:
    """Whether a call may give something else when it is made again, or leave something behind."""
    row = operators().get(value.origin.name)
    return value.origin.name in ("unknown", "method") or (row is not None and row.random)


def _bound_name(op: Op, value: Value) -> str | None:
    """A name that is bound to the value where the operator runs."""
    for name, bound in op.scope.items():
        if bound.key == value.key and not bound.has_constant:
            return name
    return None


def _names(node: cst.CSTNode) -> set[str]:
    if isinstance(node, cst.Name):
        return {node.value}
    if isinstance(node, cst.Attribute):
        return _names(node.value)
    return {name for child in children(node) for name in _names(child)}


def parenthesised(text: str) -> str:
    """Text that can be followed by `.method()`: in parentheses unless it is a single primary expression."""
    try:
        node = cst.parse_expression(text)
    except cst.ParserSyntaxError:
        return f"({text})"
    return text if isinstance(node, _ATOMS) or node.lpar else f"({text})"


def without_parentheses(node: cst.BaseExpression, text: str) -> str:
    """The text of an expression without the parentheses around it, to be used as an argument."""
    inner = text
    if isinstance(node, cst.Tuple):
        return text.strip()
    for _ in node.lpar:
        inner = inner.strip().removeprefix("(").removesuffix(")")
    return inner.strip()


_NAMED = frozenset(("parameter", "setting", "attribute", "function", "local_function", "class", "keywords"))


def excerpt(value: Value, limit: int = 40) -> str:
    """What a person would call a value: its name, or its source text, shortened."""
    if value.origin.name in _NAMED and value.origin.label:
        return value.origin.label
    if value.origin.name == "phi" and value.origin.site is None:
        return excerpt(max(value.origin.operands, key=lambda each: each.zero is not None), limit)
    site = value.origin.site
    if site is None:
        return value.origin.label or value.origin.name
    return shortened(site.unit.code(site.node).rstrip().rstrip(","), limit)  # an element of `a, b = pair` has its comma


def shortened(code: str, limit: int = 50) -> str:
    """Code on one line, cut off where it is longer than `limit`."""
    text = " ".join(code.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
