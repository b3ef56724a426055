"""The functions of a file that call a private helper: they know what it is given, and what was asked before."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.names import Function, Unit
from losslint.semantics.syntax_walk import nodes_of_kind

MAX_CALLERS = 6


def is_private(function: Function) -> bool:
    """Whether a name says that only its own file calls it: `_reduce`, `__reduce`; not `__call__`."""
    name = function.name.value
    return name.startswith("_") and not name.endswith("__")


def callers(unit: Unit, function: Function) -> tuple[str, ...] | None:
    """The names of the functions of the file that call a private one; None where none does, or they are too many.

    A mention that is no call hands it on to who knows where, so that its callers are not known either.
    """
    name = function.name.value
    found: list[str] = []
    for caller, node in unit.functions_that_mention(name):
        if node is function or caller.rpartition(".")[0] in unit.functions:
            continue
        mentions = [each for each in nodes_of_kind(node, cst.Name) if each.value == name]
        called = [each for each in nodes_of_kind(node, cst.Call) if _names(each.func, name)]
        if len(mentions) > len(called):
            return None
        if called:
            found.append(caller)
    return tuple(found) if 0 < len(found) <= MAX_CALLERS else None


def _names(node: cst.CSTNode, name: str) -> bool:
    match node:
        case cst.Attribute(attr=cst.Name(value=value)):
            return value == name
        case cst.Name(value=value):
            return value == name
    return False
