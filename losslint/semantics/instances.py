"""Building an instance: the constructor is run with its arguments, or with its parameters as configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from losslint.semantics.failures import constructs_surely, does_not_fit
from losslint.semantics.machine import Machine, TooMuchWork
from losslint.semantics.members import Instance, lineage
from losslint.semantics.names import Unit
from losslint.semantics.parameters import constructor_parameter
from losslint.semantics.refusals import refused
from losslint.semantics.state import Assumption, State
from losslint.semantics.stored_attributes import stored_later
from losslint.semantics.values import Device, Value

if TYPE_CHECKING:
    from losslint.semantics.calls import Arguments
    from losslint.semantics.frame import Frame


def build_instance(
    machine: Machine,
    unit: Unit,
    name: str,
    arguments: Arguments | None = None,
    assumed: Mapping[Assumption, bool] | None = None,
) -> Instance:
    """The class with the attributes its constructor sets; one too hard to follow leaves them unknown.

    Without `arguments` the constructor's parameters are settings, as they are for the loss that is analysed. `assumed` is what the
    caller knows of them.
    """
    from losslint.semantics.frame import Frame as FrameClass
    from losslint.semantics.statements import run_function

    bases = lineage(unit, name, machine.resolve)
    stored = frozenset(attribute for base in bases for attribute in stored_later(base.unit, base.name))
    instance = Instance(bases, stored=stored)
    found = instance.method("__init__")
    if found is None:
        return instance
    is_sure = constructs_surely(bases, found.owner)
    if arguments is not None and is_sure and does_not_fit(found.function, arguments, skip_self=True):
        return Instance(bases, stored=stored, fails=True)
    outer_ops, machine.ops = machine.ops, []
    outer_buffers, machine.buffers = machine.buffers, {}
    frame = FrameClass(machine, found.owner.unit, instance)
    frame.active = (found.function,)
    state = State(machine.next_frame())
    state.scope = _scope(frame, found.function, arguments)
    state.assumptions = assumed or {}
    try:
        if arguments is None:
            machine.refused.extend(refused(frame, found.function, state))
        flow = run_function(frame, found.function, state)
        ends = [*flow.falling, *(end for end, _ in flow.returned)]
        attributes: dict[str, Value] = {}
        for attribute in dict.fromkeys(name for end in ends for name in end.scope if name.startswith("self.")):
            values = [end.scope[attribute] for end in ends if attribute in end.scope]
            attributes[attribute.removeprefix("self.")] = machine.phi(values)
        buffers = frozenset(machine.buffers)
        known = {**machine.buffers, **attributes}
        return Instance(
            bases,
            {each: _placed(known[each], each in buffers) for each in known},
            buffers,
            stored,
            machine.instances,
            fails=is_sure and not ends,
        )
    except (TooMuchWork, RecursionError):
        return instance
    finally:
        machine.ops, machine.buffers = outer_ops, outer_buffers


def _placed(value: Value, is_buffer: bool) -> Value:
    """What is registered moves with the module to where the inputs are, a plain tensor stays where it was made."""
    registered = is_buffer or value.origin.name == "parameter_tensor"
    return value.with_(device=Device.INPUT) if registered and value.is_tensor else value


def _scope(frame: Frame, constructor: object, arguments: Arguments | None) -> dict[str, Value]:
    from losslint.semantics.inlining import bind_parameters
    from losslint.semantics.names import Function

    assert isinstance(constructor, Function)
    if arguments is not None:
        return bind_parameters(frame, constructor.params, arguments, skip_self=True)
    parameters = [*constructor.params.posonly_params, *constructor.params.params][1:]
    return {
        parameter.name.value: constructor_parameter(frame, parameter)
        for parameter in [*parameters, *constructor.params.kwonly_params]
    }
