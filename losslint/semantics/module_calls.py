"""Modules: what a constructor keeps, and what calling the module does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls, inherited_modules, inlining
from losslint.semantics.devices import is_on_input
from losslint.semantics.instances import build_instance
from losslint.semantics.layer_shapes import layer_sizes
from losslint.semantics.members import Instance
from losslint.semantics.names import Unit
from losslint.semantics.operators import Parameter, lookup_module
from losslint.semantics.sizes import rank_of
from losslint.semantics.state import State
from losslint.semantics.values import Device, Gradient, Kind, Origin, Value
from losslint.semantics.widths import objects, use_widths

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

MAX_NESTED_INSTANCES = 3
_WRAPPERS = frozenset({"DataParallel", "DistributedDataParallel"})
_CONTAINERS = frozenset({"torch.nn.ModuleList", "torch.nn.ModuleDict"})


def construct(
    frame: Frame, qualified: str, node: cst.Call, state: State, arguments: calls.Arguments | None = None
) -> Value:
    """An instance of a torch module; its constructor's arguments are kept by name, the members of containers as elements."""
    module = lookup_module(qualified)
    arguments = arguments or calls.read_arguments(frame, node, state)
    if qualified.rpartition(".")[2] in _WRAPPERS and arguments.positional:
        return arguments.positional[0]
    bound = calls.bind(module.constructor, arguments) if module is not None else dict(arguments.named)
    use_widths(bound, state)
    origin = Origin("module", arguments.positional, bound, frame.site(node), qualified, state.frame)
    key = frame.machine.number("module", qualified, *(value.key for value in arguments.all))
    elements = arguments.positional[0].elements if qualified in _CONTAINERS and arguments.positional else None
    if qualified == "torch.nn.Sequential" and arguments.complete:
        elements = arguments.positional
    made = Value(key, Kind.MODULE, origin=origin, gradient=Gradient.CARRIES, elements=elements)
    return frame.machine.emit(made, state)


def construct_local(
    frame: Frame, unit: Unit, name: str, node: cst.Call, state: State, arguments: calls.Arguments | None = None
) -> Value:
    """An instance of a class of the project, built with the call's arguments."""
    arguments = arguments or calls.read_arguments(frame, node, state)
    origin = Origin("instance", arguments.all, dict(arguments.named), frame.site(node), name)
    key = frame.machine.fresh()
    if frame.machine.may_inline and frame.machine.building < MAX_NESTED_INSTANCES and arguments.complete:
        frame.machine.building += 1
        instance = build_instance(frame.machine, unit, name, arguments, objects(state.assumptions))
        frame.machine.instances[key] = instance
        frame.machine.building -= 1
        state.fails |= instance.fails
    return Value(key, Kind.MODULE, origin=origin, gradient=Gradient.CARRIES)


def call_module(
    frame: Frame, function: Value, node: cst.Call, state: State, arguments: calls.Arguments | None = None
) -> Value:
    """Calling a module: the operator it stands for, its members one after the other, or something unknown."""
    arguments = arguments or calls.read_arguments(frame, node, state)
    return _apply(frame, function, arguments, node, state)


def _apply(frame: Frame, function: Value, arguments: calls.Arguments, node: cst.Call, state: State) -> Value:
    instance = frame.machine.instances.get(function.key)
    if isinstance(instance, Instance):
        called = inlining.call_instance(frame, instance, arguments, node, state)
        if called is None:
            called = inherited_modules.forward(frame, instance, arguments, node, state)
        if called is not None:
            return called
    if function.origin.label == "torch.nn.Sequential":
        value = arguments.all[0] if arguments.all else frame.machine.unknown(node, frame.unit)
        for member in function.origin.operands:
            if member.kind is not Kind.MODULE:
                return _opaque(frame, function, (value,), node, state)
            value = _apply(frame, member, calls.Arguments((value,), {}), node, state)
        return value
    if function.origin.label == "torch.nn.Identity" and len(arguments.all) == 1:
        return arguments.all[0]
    module = lookup_module(function.origin.label)
    if module is None or module.operator is None:
        return _opaque(frame, function, arguments.all, node, state)
    kept: dict[str, Value] = {
        name: frame.machine.constant(default, node, frame.unit) for name, default in module.defaults.items()
    }
    for constructor_name, call_name in module.mapping.items():
        setting = function.origin.keywords.get(constructor_name)
        if setting is not None:
            kept[call_name] = setting
    given = calls.Arguments(arguments.positional, {**kept, **arguments.named}, arguments.complete)
    parameters: tuple[Parameter, ...] = module.operator.parameters
    return calls.operator_call(frame, module.operator, parameters, given, node, state, module=function)


def _opaque(frame: Frame, function: Value, arguments: tuple[Value, ...], node: cst.Call, state: State) -> Value:
    made = frame.machine.unknown(node, frame.unit, (*arguments, function), f"{function.origin.label}()")
    device = Device.INPUT if any(is_on_input(value) for value in arguments) else Device.UNKNOWN
    made = made.with_(gradient=Gradient.CARRIES if state.gradient_matters else Gradient.CUT, device=device)
    sizes = layer_sizes(function, arguments[0]) if arguments else None
    return made if sizes is None else made.with_(kind=Kind.TENSOR, rank=rank_of(sizes), shape=sizes)
