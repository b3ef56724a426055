"""Classes and instances: the methods and attributes `self` has, through bases in other files of the project too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics.literals import literal
from losslint.semantics.machine import Machine
from losslint.semantics.names import Function, Unit, dotted
from losslint.semantics.stored_attributes import methods_of, stores
from losslint.semantics.values import EVERYTHING, Kind, Origin, Role, Site, Value

if TYPE_CHECKING:
    from losslint.semantics.machine import Resolver

MAX_BASES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A class of the project: its file and its name there."""

    unit: Unit
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A method, with the class that defines it."""

    owner: Base
    function: Function

    @property
    def symbol(self) -> str:
        """`Class.method`."""
        return f"{self.owner.name}.{self.function.name.value}"


@dataclass(frozen=True, eq=False)
class Instance:
    """A class as its methods see it: itself and its bases, nearest first, and its attributes.

    `buffers` names those that are registered as buffers, `stored` those that methods change after the constructor;
    `built` holds instances of the project's classes, its own members among them, by the key of their value; `fails` says that
    the constructor surely raises, so that there is no such object.
    """

    lineage: tuple[Base, ...]
    attributes: Mapping[str, Value] = field(default_factory=dict)
    buffers: frozenset[str] = frozenset()
    stored: frozenset[str] = frozenset()
    built: Mapping[int, object] = field(default_factory=dict)
    fails: bool = False

    @property
    def is_torch_module(self) -> bool:
        """Whether the class is an nn.Module, as far as the project shows its bases."""
        for base in self.lineage:
            for argument in base.unit.classes[base.name].bases:
                qualified = base.unit.qualified(argument.value) or dotted(argument.value) or ""
                if qualified.startswith("torch.nn.") or qualified.endswith("Module"):
                    return True
        return False

    def method(self, name: str, after: Function | None = None) -> Method | None:
        """The nearest definition of a method; `after` starts behind the class that defines it, as `super()` does."""
        order = self.lineage
        if after is not None:
            for position, base in enumerate(order):
                if _defines(base, after):
                    order = order[position + 1 :]
                    break
        for base in order:
            found = base.unit.functions.get(f"{base.name}.{name}")
            if found is not None:
                return Method(base, found)
        return None


def _defines(base: Base, function: Function) -> bool:
    return base.unit.functions.get(f"{base.name}.{function.name.value}") is function


def lineage(unit: Unit, name: str, resolve: Resolver) -> tuple[Base, ...]:
    """The class and its bases in the project, nearest first."""
    found: list[Base] = []
    pending = [Base(unit, name)]
    while pending and len(found) < MAX_BASES:
        current = pending.pop(0)
        node = current.unit.classes.get(current.name)
        if node is None or any(base.unit is current.unit and base.name == current.name for base in found):
            continue
        found.append(current)
        pending.extend(_bases(current.unit, node, resolve))
    return tuple(found)


def _bases(unit: Unit, node: cst.ClassDef, resolve: Resolver) -> list[Base]:
    bases: list[Base] = []
    for argument in node.bases:
        name = dotted(argument.value)
        if name is None:
            continue
        if name in unit.classes:
            bases.append(Base(unit, name))
        else:
            elsewhere = resolve(unit, name)
            if elsewhere is not None:
                bases.append(Base(*elsewhere))
    return bases


def foreign_bases(classes: Iterable[Base], resolve: Resolver) -> tuple[str, ...]:
    """The full names of the bases that are not defined in the project, as far as they are written as names."""
    found: list[str] = []
    for each in classes:
        for argument in each.unit.classes[each.name].bases:
            written = argument.value.value if isinstance(argument.value, cst.Subscript) else argument.value
            name = dotted(written)
            known = name is not None and (name in each.unit.classes or resolve(each.unit, name) is not None)
            if not known:
                found.append(each.unit.qualified(written) or name or each.unit.code(written))
    return tuple(dict.fromkeys(found))


def attribute_stores(instance: Instance, name: str) -> Iterator[Site]:
    """Where methods of the class and its bases assign an attribute of `self`, or let it grow."""
    for base in instance.lineage:
        for function in methods_of(base.unit, base.name):
            yield from (Site(base.unit, statement) for stored, statement in stores(function) if stored == name)


def member_value(machine: Machine, instance: Instance, name: str, node: cst.CSTNode) -> Value | None:
    """The value of `self.name`, or None where the class does not say."""
    found = instance.attributes.get(name)
    if found is not None:
        return _state(machine, name, found, node) if name in instance.stored else found
    for base in instance.lineage:
        constant = base.unit.constants.get(f"{base.name}.{name}")
        if isinstance(constant, (cst.Integer, cst.Float, cst.SimpleString)):
            value = machine.constant(literal(constant), node, base.unit)
            return value.with_(key=machine.number("self", name), is_default=True, role=Role.CONFIG)
    return None


def _state(machine: Machine, name: str, initial: Value, node: cst.CSTNode) -> Value:
    """An attribute that methods change: what the constructor gave it says what it is, not which value it has."""
    if initial.kind in (Kind.MODULE, Kind.FUNCTION, Kind.CLASS) or initial.origin.name == "parameter_tensor":
        return initial
    return initial.with_(
        key=machine.number("self", name),
        kind=Kind.UNKNOWN if initial.kind is Kind.NONE else initial.kind,
        origin=Origin("attribute", site=machine.site(node), label=f"self.{name}"),
        interval=EVERYTHING,
        zero=None,
        constant=None,
        has_constant=False,
        is_default=False,
        elements=None,
    )
