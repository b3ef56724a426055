"""Attributes of a module that hold a graph when the loss returns, and whether the next call starts from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.semantics.carriers import members
from losslint.semantics.graph import Graph, Op
from losslint.semantics.operators import GradientClass, operators
from losslint.semantics.terms import carries_from_input
from losslint.semantics.values import Gradient, Value

_CUTS = frozenset({"detach", "data", "item", "tolist", "numpy", "float", "int", "bool", "len", "size", "shape", "dim"})


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """`self.name` is `value`, with a graph, when the loss returns.

    `is_read` says that what is returned was computed from what the call before left there, `grows` that the value was.
    """

    name: str
    value: Value
    is_read: bool
    grows: bool


def kept_graphs(graph: Graph) -> Iterator[Kept]:
    """What a loss leaves on `self` with a graph, on any of its paths."""
    if graph.instance is None:
        return
    for op in graph.returns:
        for name, value in op.scope.items():
            if name.startswith("self.") and value.gradient is Gradient.CARRIES and _is_stored(graph, name):
                for each in value.alternatives:
                    if each.gradient is Gradient.CARRIES and carries_from_input(each):
                        yield Kept(name.removeprefix("self."), each, _starts_from(op, name), _reaches(each, name))


def _is_stored(graph: Graph, name: str) -> bool:
    assert graph.instance is not None
    return name.removeprefix("self.") in graph.instance.stored


def _starts_from(op: Op, name: str) -> bool:
    return _reaches(op.operands[0], name)


def _reaches(value: Value, name: str) -> bool:
    """Whether a gradient flows from a value back to what `self.name` was when the call began."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current.key in seen or _cuts(current):
            continue
        seen.add(current.key)
        if current.origin.name == "attribute" and current.origin.label == name:
            return True
        pending.extend(members(current))
    return False


def _cuts(value: Value) -> bool:
    if value.gradient in (Gradient.CUT, Gradient.ZERO) or value.origin.name in _CUTS:
        return True
    row = operators().get(value.origin.name)
    return row is not None and row.gradient is not GradientClass.DIFFERENTIABLE
