"""Walking syntax trees fast: without the nodes nobody asks about (Load, Store, operators), and each function once."""

from __future__ import annotations

import ast

from losslint.semantics.kept import kept_for_a_file

_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LEAVES = {
    "ctx",
    "op",
    "ops",
    "id",
    "attr",
    "arg",
    "name",
    "names",
    "level",
    "module",
    "kind",
    "type_comment",
    "conversion",
}
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    known = _FIELDS.get(kind)
    if known is None:
        names = () if kind is ast.Constant else tuple(name for name in kind._fields if name not in _LEAVES)
        known = _FIELDS[kind] = names
    return known


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below a node, expressions and statements and what holds them together."""
    found: list[ast.AST] = []
    for name in _fields(node.__class__):
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


@kept_for_a_file
def own_nodes(
    function: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module,
) -> tuple[ast.AST, ...]:
    """The nodes of a body, in order, without those of functions and classes defined in it."""
    pending: list[ast.AST] = list(reversed(function.body))
    found: list[ast.AST] = []
    while pending:
        node = pending.pop()
        found.append(node)
        if not isinstance(node, _DEFINED):
            pending += reversed(children(node))
    return tuple(found)


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and everything below it."""
    found = [node]
    for each in found:
        found += children(each)
    return found
