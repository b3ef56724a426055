"""From a loss's source to its graph: the entry is run on all its paths with what is known of its parameters.

A first run learns from use which parameters are tensors and which are targets; where that says something new, a second
run starts with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import libcst as cst

from losslint.semantics.frame import Frame
from losslint.semantics.graph import Graph
from losslint.semantics.instances import build_instance
from losslint.semantics.machine import Machine, Resolver, Surroundings, TooMuchWork, alone, nothing_elsewhere
from losslint.semantics.members import foreign_bases
from losslint.semantics.names import Function, Unit
from losslint.semantics.parameters import entry_scope
from losslint.semantics.state import State
from losslint.semantics.statements import run_function, run_suite
from losslint.semantics.values import Kind, Role, Site, Value

Hints = Mapping[str, tuple[Kind, Role]]
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
    machine = Machine(unit, hints, resolve)
    owner = entry.rpartition(".")[0]
    is_method = owner in unit.classes
    instance = build_instance(machine, unit, owner) if is_method else None
    machine.built = machine.statements
    frame = Frame(machine, unit, instance)
    frame.active = (function,)
    state = State()
    state.scope = entry_scope(frame, function, skip_self=is_method and not _is_static(function))
    parameters = tuple(state.scope.values())
    unbound: tuple[Site, ...] = ()
    with contextlib.suppress(TooMuchWork, RecursionError):
        machine.fall(function, unit, run_function(frame, function, state).falling)
        unbound = machine.never_bound()
    machine.closures.clear()  # they hold the machine, and through it everything that it has seen
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
    machine.closures.clear()
    return Graph(SCRIPT, tuple(machine.ops), unit)
