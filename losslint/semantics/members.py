"""What `self` holds: the attributes that `__init__` and the class body assign, with parameters' defaults as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import libcst as cst

from losslint.semantics.machine import Machine
from losslint.semantics.names import Function, Unit, dotted
from losslint.semantics.values import Kind, Role, Value


@dataclass(frozen=True, eq=False)
class Instance:
    """A class as its methods see it: the methods of it and of its bases in the file, and its attributes."""

    unit: Unit
    name: str
    lineage: tuple[str, ...]
    attributes: Mapping[str, Value] = field(default_factory=dict)

    def method(self, name: str, after: str | None = None) -> tuple[str, Function] | None:
        """The class and the definition of a method; `after` starts behind a class, as `super()` does."""
        order = self.lineage
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for owner in order:
            found = self.unit.functions.get(f"{owner}.{name}")
            if found is not None:
                return owner, found
        return None


def lineage(unit: Unit, name: str) -> tuple[str, ...]:
    """The class and its bases in the same file, nearest first."""
    found: list[str] = []
    pending = [name]
    while pending:
        current = pending.pop(0)
        node = unit.classes.get(current)
        if node is None or current in found:
            continue
        found.append(current)
        pending.extend(base for argument in node.bases if (base := dotted(argument.value)))
    return tuple(found)


def member_value(machine: Machine, instance: Instance, name: str, node: cst.CSTNode) -> Value | None:
    """The value of `self.name`, or None where the class does not say."""
    found = instance.attributes.get(name)
    if found is not None:
        return found
    for owner in instance.lineage:
        constant = instance.unit.constants.get(f"{owner}.{name}")
        if isinstance(constant, (cst.Integer, cst.Float, cst.SimpleString)):
            value = machine.constant(constant.evaluated_value, node, instance.unit)
            return value.with_(key=machine.number("self", name), is_default=True, role=Role.CONFIG)
    return None


def is_configuration(value: Value) -> bool:
    """Whether a value is set when the loss is built and not computed from its inputs."""
    return value.role is Role.CONFIG or value.kind in (Kind.STR, Kind.MODULE, Kind.FUNCTION, Kind.CLASS)
