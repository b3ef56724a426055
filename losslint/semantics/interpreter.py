"""From a loss's source to its graph: the entry is run on all its paths with what is known of its parameters.

A first run learns from use which parameters are tensors and which are targets; where that says something new, a second
run starts with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from losslint.semantics.frame import Frame
from losslint.semantics.graph import Graph
from losslint.semantics.machine import Machine, TooMuchWork
from losslint.semantics.members import Instance, lineage
from losslint.semantics.names import Function, Unit
from losslint.semantics.parameters import constructor_parameter, entry_scope
from losslint.semantics.state import State
from losslint.semantics.statements import run_function, run_suite
from losslint.semantics.values import Kind, Role, Value

Hints = Mapping[str, tuple[Kind, Role]]
SCRIPT = "<module>"


def analyse(unit: Unit, entry: str) -> Graph | None:
    """The graph of the function `entry` ("Class.forward", "dice_loss" or "<module>"); None where there is none."""
    if entry == SCRIPT:
        return _run_script(unit)
    function = unit.functions.get(entry)
    if function is None:
        return None
    machine, graph = _run(unit, entry, function, {})
    hints = _hints(machine)
    if hints:
        _, graph = _run(unit, entry, function, hints)
    return graph


def _hints(machine: Machine) -> Hints:
    names = {*machine.learned_kinds, *machine.learned_roles}
    return {
        name: (machine.learned_kinds.get(name, Kind.UNKNOWN), machine.learned_roles.get(name, Role.UNKNOWN))
        for name in names
    }


def _run(unit: Unit, entry: str, function: Function, hints: Hints) -> tuple[Machine, Graph]:
    machine = Machine(unit, hints)
    owner = entry.rpartition(".")[0]
    is_method = owner in unit.classes
    instance = _instance(machine, unit, owner) if is_method else None
    machine.ops.clear()
    frame = Frame(machine, unit, instance)
    frame.active = (function,)
    state = State()
    state.scope = entry_scope(frame, function, skip_self=is_method and not _is_static(function))
    parameters = tuple(state.scope.values())
    try:
        run_function(frame, function, state)
    except (TooMuchWork, RecursionError):
        pass
    return machine, Graph(entry, tuple(machine.ops), unit, function, owner if is_method else "", parameters)


def _is_static(function: Function) -> bool:
    names = [decorator.decorator for decorator in function.decorators]
    return any(isinstance(name, cst.Name) and name.value == "staticmethod" for name in names)


def _instance(machine: Machine, unit: Unit, owner: str) -> Instance:
    """The class with the attributes its constructor sets; a constructor too hard to follow leaves them unknown."""
    bases = lineage(unit, owner)
    instance = Instance(unit, owner, bases)
    found = instance.method("__init__")
    if found is None:
        return instance
    _, constructor = found
    frame = Frame(machine, unit, instance)
    frame.active = (constructor,)
    state = State()
    parameters = [*constructor.params.posonly_params, *constructor.params.params][1:]
    state.scope = {
        parameter.name.value: constructor_parameter(frame, parameter)
        for parameter in [*parameters, *constructor.params.kwonly_params]
    }
    try:
        flow = run_function(frame, constructor, state)
    except (TooMuchWork, RecursionError):
        return instance
    ends = [*flow.falling, *(end for end, _ in flow.returned)]
    attributes: dict[str, Value] = {}
    for name in dict.fromkeys(name for end in ends for name in end.scope if name.startswith("self.")):
        values = [end.scope[name] for end in ends if name in end.scope]
        attributes[name.removeprefix("self.")] = machine.phi(values)
    return Instance(unit, owner, bases, {**machine.buffers, **attributes})


def _run_script(unit: Unit) -> Graph:
    """The module's own statements, as one long function."""
    machine = Machine(unit, {})
    frame = Frame(machine, unit)
    suite = cst.IndentedBlock(body=[node for node in unit.module.body if isinstance(node, cst.BaseStatement)])
    try:
        run_suite(frame, suite, [State()])
    except (TooMuchWork, RecursionError):
        pass
    return Graph(SCRIPT, tuple(machine.ops), unit)
