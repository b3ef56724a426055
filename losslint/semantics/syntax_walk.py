"""Walking libcst trees fast: without white space, commas and parentheses, and each definition once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from operator import itemgetter
from typing import TypeVar, cast

import libcst as cst

from losslint.semantics.kept import kept_for_a_file

Node = TypeVar("Node", bound=cst.CSTNode)

_TRIVIA = tuple("whitespace leading_lines lines_after lpar rpar header footer comma semicolon equal".split())
_LEAVES = (cst.Name, cst.Integer, cst.Float, cst.Imaginary, cst.SimpleString)
_FIELDS: dict[type[cst.CSTNode], tuple[str, ...]] = dict.fromkeys(_LEAVES, ())


def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    names = () if issubclass(kind, _LEAVES) else tuple(field.name for field in fields(kind))
    known = _FIELDS[kind] = tuple(name for name in names if not name.startswith(_TRIVIA))
    return known


class _Nodes(dict[type, bool]):
    """Whether a class is one of nodes; libcst's classes are abstract ones, which isinstance is slow with."""

    def __missing__(self, kind: type) -> bool:
        known = self[kind] = issubclass(kind, cst.CSTNode)
        return known


_IS_NODE = _Nodes()


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes directly below a node, expressions and statements and what holds them together."""
    kind = type(node)
    names = _FIELDS.get(kind)
    if names is None:
        names = _fields(kind)
    found: list[cst.CSTNode] = []
    for name in names:
        value = getattr(node, name)
        kind = type(value)
        if _IS_NODE[kind]:
            found.append(value)
        elif kind is tuple or kind is list:
            found += [each for each in value if _IS_NODE[type(each)]]
    return found


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and everything below it, outer nodes first, in the order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        if _FIELDS.get(type(current)) != ():
            pending += reversed(children(current))


def holds(outer: cst.CSTNode, inner: cst.CSTNode) -> bool:
    """Whether a node is another one, or is written inside of it."""
    return any(each is inner for each in walk(outer))


@kept_for_a_file
def nodes_of(definition: cst.CSTNode) -> tuple[cst.CSTNode, ...]:
    """Everything below a function or class, each definition walked once."""
    return tuple(walk(definition))


def nodes_of_kind(definition: cst.CSTNode, *kinds: type[Node]) -> list[Node]:
    """What is below a function or class of these very classes, in the order of the text."""
    by_kind = _by_kind(definition)
    found = [numbered for kind in kinds for numbered in by_kind.get(kind, ())]
    if len(kinds) > 1:
        found.sort(key=itemgetter(0))
    return [cast(Node, node) for _, node in found]


@kept_for_a_file
def _by_kind(definition: cst.CSTNode) -> Mapping[type, Sequence[tuple[int, cst.CSTNode]]]:
    found: dict[type, list[tuple[int, cst.CSTNode]]] = {}
    for number, node in enumerate(nodes_of(definition)):
        found.setdefault(type(node), []).append((number, node))
    return found
