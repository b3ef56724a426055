"""From a loss's source to its graph: the entry is run on all its paths with what is known of its parameters.

A first run learns from use which parameters are tensors and which are targets; where that says something new, a second
run starts with it.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial

import libcst as cst

from losslint.semantics.frame import Frame
from losslint.semantics.graph import Graph
from losslint.semantics.instances import build_instance
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.machine import Hints, Machine, Resolver, Surroundings, TooMuchWork, alone, nothing_elsewhere
from losslint.semantics.members import Instance, foreign_bases
from losslint.semantics.names import Function, Unit
from losslint.semantics.parameters import entry_scope
from losslint.semantics.state import State
from losslint.semantics.statements import run_function, run_suite
from losslint.semantics.values import Kind, Role, Site, Value

SCRIPT = "<module>"


def analyse(
    unit: Unit, entry: str, resolve: Resolver = nothing_elsewhere, surroundings: Surroundings = alone
) -> Graph | None:
    """The graph of the function `entry` ("Class.forward", "dice_loss" or "<module>"); None where there is none.

    `resolve` leads to definitions in other files of the project, `surroundings` gives the texts of those files.
    """
    if entry == SCRIPT:
        return _run_script(unit, resolve)
    function = unit.functions.get(entry)
    if function is None:
        return None
    machine, graph = _run(unit, entry, function, {}, resolve)
    hints = _hints(machine)
    if any(_is_news(value, hints.get(value.origin.label)) for value in graph.parameters):
        _, graph = _run(unit, entry, function, hints, resolve)
    return replace(graph, elsewhere=partial(surroundings, unit))


def _is_news(parameter: Value, hint: tuple[Kind, Role] | None) -> bool:
    """Whether use says more of a parameter than its name and annotation did."""
    if hint is None or parameter.role is Role.CONFIG:
        return False
    kind, role = hint
    new_role = role is not Role.UNKNOWN and role is not parameter.role
    return new_role or (parameter.kind is Kind.UNKNOWN and kind is not Kind.UNKNOWN)


def _hints(machine: Machine) -> Hints:
    names = {*machine.learned_kinds, *machine.learned_roles}
    return {
        name: (machine.learned_kinds.get(name, Kind.UNKNOWN), machine.learned_roles.get(name, Role.UNKNOWN))
        for name in names
    }


def _run(unit: Unit, entry: str, function: Function, hints: Hints, resolve: Resolver) -> tuple[Machine, Graph]:
    owner = entry.rpartition(".")[0]
    is_method = owner in unit.classes
    machine, instance = (
        _constructed(unit, owner, resolve, hints) if is_method else (Machine(unit, hints, resolve), None)
    )
    frame = Frame(machine, unit, instance)
    frame.active = (function,)
    state = State()
    state.scope = entry_scope(frame, function, skip_self=is_method and not _is_static(function))
    parameters = tuple(state.scope.values())
    unbound: tuple[Site, ...] = ()
    with contextlib.suppress(TooMuchWork, RecursionError):
        machine.fall(function, unit, run_function(frame, function, state).falling)
        unbound = machine.never_bound()
    classes = instance.lineage if instance is not None else ()
    graph = Graph(
        entry,
        tuple(machine.ops),
        unit,
        function,
        owner if is_method else "",
        parameters,
        frozenset(machine.inlined),
        frozenset(machine.opaque),
        classes,
        foreign_bases(classes, resolve),
        tuple(machine.falling),
        unbound=unbound,
        instance=instance,
    )
    return machine, graph


def _constructed(unit: Unit, owner: str, resolve: Resolver, hints: Hints) -> tuple[Machine, Instance]:
    """A machine that has run the constructor of a class, and the instance that it left."""
    known, instance = _construction(unit, owner, resolve)
    machine = known.copy(hints)
    return machine, replace(instance, built=machine.instances)


@kept_for_a_file
def _construction(unit: Unit, owner: str, resolve: Resolver) -> tuple[Machine, Instance]:
    """A constructor depends on no entry of its class, nor on what is learned of one: it is run once."""
    machine = Machine(unit, {}, resolve)
    instance = build_instance(machine, unit, owner)
    machine.built = machine.statements
    return machine, instance


def _is_static(function: Function) -> bool:
    names = [decorator.decorator for decorator in function.decorators]
    return any(isinstance(name, cst.Name) and name.value == "staticmethod" for name in names)


def _run_script(unit: Unit, resolve: Resolver) -> Graph:
    """The module's own statements, as one long function."""
    machine = Machine(unit, {}, resolve)
    frame = Frame(machine, unit)
    suite = cst.IndentedBlock(body=[node for node in unit.module.body if isinstance(node, cst.BaseStatement)])
    with contextlib.suppress(TooMuchWork, RecursionError):
        run_suite(frame, suite, [State()])
    return Graph(SCRIPT, tuple(machine.ops), unit)
