"""Which side a value comes from: the roles of the parameters that its numbers are made of, and names that are bound to it."""

from __future__ import annotations

from losslint.semantics.carriers import carriers
from losslint.semantics.graph import Graph
from losslint.semantics.values import Role, Value

_OF_FIRST = frozenset("one_hot view reshape flatten squeeze unsqueeze permute transpose expand clamp getitem".split())
_MAX_VALUES = 80


def side_of(value: Value) -> Role:
    """PREDICTION or TARGET where a value is computed from parameters of that role alone, else UNKNOWN."""
    roots = {each.role for each in parameters_in(value)} - {Role.CONFIG, Role.WEIGHT}
    return roots.pop() if len(roots) == 1 and roots <= {Role.PREDICTION, Role.TARGET} else Role.UNKNOWN


def parameters_in(value: Value) -> list[Value]:
    """The parameters that the numbers of a value come from, not those it takes a shape or dtype from."""
    found: list[Value] = []
    pending, seen = [value], {value.key}
    while pending and len(seen) < _MAX_VALUES:
        current = pending.pop()
        name = current.origin.name
        if name == "parameter":
            found.append(current)
        for each in current.origin.operands[:1] if name in _OF_FIRST else carriers(current):
            if each.key not in seen:
                seen.add(each.key)
                pending.append(each)
    return found


def names_of(value: Value, graph: Graph) -> frozenset[str]:
    """The names that are bound to a value anywhere in the loss and in what it calls."""
    return frozenset(
        name
        for op in graph.ops
        for name, bound in op.scope.items()
        if bound.key == value.key and not bound.has_constant
    )
