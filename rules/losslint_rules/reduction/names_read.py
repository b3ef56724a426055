"""Which names a piece of code reads, and the blocks of a function."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.semantics.names import Function

_SEES_ALL = frozenset({"locals", "vars", "eval", "exec", "globals"})


def names_read(node: cst.CSTNode) -> frozenset[str]:
    """The names that are read anywhere in a node: `del` and `nonlocal` count, `name += ...` alone does not."""
    return frozenset(_read(node))


def _read(node: cst.CSTNode) -> Iterator[str]:
    match node:
        case cst.Name(value=name):
            yield name
            return
        case cst.Attribute(value=value):
            yield from _read(value)
            return
        case cst.Arg(value=value):
            yield from _read(value)
            return
        case cst.Param(default=default, annotation=annotation):
            for each in (default, annotation):
                if each is not None:
                    yield from _read(each)
            return
        case cst.AssignTarget(target=target) | cst.AnnAssign(target=target) | cst.AugAssign(target=target):
            if not isinstance(target, cst.Name):
                yield from _stored_to(target)
            for child in node.children:
                if child is not target:
                    yield from _read(child)
            return
    for child in node.children:
        yield from _read(child)


def _stored_to(target: cst.BaseExpression) -> Iterator[str]:
    """What is read to store something: of `x[i] = ...` x and i, of `a, b = ...` nothing."""
    match target:
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            for element in elements:
                yield from _stored_to(element.value)
        case cst.Name():
            return
        case _:
            yield from _read(target)


def blocks(node: cst.CSTNode) -> Iterator[cst.BaseSuite]:
    """The blocks of a function, without those of the definitions in it."""
    for child in node.children:
        if isinstance(child, cst.BaseSuite):
            yield child
        if not isinstance(child, cst.FunctionDef | cst.ClassDef | cst.Lambda):
            yield from blocks(child)


def sees_every_name(function: Function) -> bool:
    """Whether a function looks at its names as a whole: locals(), eval()."""
    return bool(names_read(function) & _SEES_ALL)
