"""Calls of the class's own methods and the file's own functions: the body is interpreted with the caller's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls
from losslint.semantics.graph import Call
from losslint.semantics.machine import MAX_CALL_DEPTH
from losslint.semantics.names import Function
from losslint.semantics.parameters import default_value
from losslint.semantics.state import State
from losslint.semantics.values import Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame


def call_method(
    frame: Frame, name: str, node: cst.Call, state: State, from_super: bool = False
) -> Value:
    """`self.name(...)` or `super().name(...)` where the class or a base in this file defines it."""
    arguments = calls.read_arguments(frame, node, state)
    if name in ("register_buffer", "register_parameter") and len(arguments.positional) > 1:
        label, value = arguments.positional[:2]
        frame.machine.buffers[str(label.constant)] = value
        state.bind(f"self.{label.constant}", value)
    if frame.instance is None:
        return calls.opaque_call(frame, f"self.{name}", arguments.all, node)
    owner = _owner_of(frame) if from_super else None
    found = frame.instance.method(name, owner)
    if found is None:
        if name == "__init__":
            return frame.machine.constant(None)
        made = frame.machine.unknown(node, frame.unit, arguments.all, "")
        return made
    owner_name, function = found
    static = _is_static(function)
    return _run(frame, f"{owner_name}.{name}", function, arguments, node, state, skip_self=not static)


def call_function(
    frame: Frame, function: Function, node: cst.Call, state: State, closure: bool = False
) -> Value:
    """A function of the file, or a nested one that sees the caller's names."""
    arguments = calls.read_arguments(frame, node, state)
    return _run(frame, function.name.value, function, arguments, node, state, skip_self=False, closure=closure)


def _owner_of(frame: Frame) -> str | None:
    """The class whose method is running: where `super()` starts."""
    if frame.instance is None or not frame.active:
        return None
    for qualified, function in frame.instance.unit.functions.items():
        if function is frame.active[-1]:
            return qualified.rpartition(".")[0]
    return None


def _is_static(function: Function) -> bool:
    return any(
        isinstance(decorator.decorator, cst.Name) and decorator.decorator.value == "staticmethod"
        for decorator in function.decorators
    )


def _run(
    frame: Frame,
    symbol: str,
    function: Function,
    arguments: calls.Arguments,
    node: cst.Call,
    state: State,
    skip_self: bool,
    closure: bool = False,
) -> Value:
    from losslint.semantics.frame import Frame as FrameClass
    from losslint.semantics.statements import run_function

    if frame.depth >= MAX_CALL_DEPTH or function in frame.active or not arguments.complete:
        return calls.opaque_call(frame, symbol, arguments.all, node)
    callee = FrameClass(frame.machine, frame.unit, frame.instance, frame.depth + 1)
    callee.active = (*frame.active, function)
    inner = state.fork()
    inner.frame = frame.machine.next_frame()
    inner.calls = (*state.calls, Call(symbol, frame.site(node)))
    kept = {name: value for name, value in state.scope.items() if closure or name.startswith("self.")}
    inner.scope = {**kept, **bind_parameters(callee, function, arguments, skip_self)}
    flow = run_function(callee, function, inner)
    returned = [value for _, value in flow.returned]
    if not flow.returned and not flow.falling:
        return frame.machine.unknown(node, frame.unit)
    if flow.falling:
        returned.append(frame.machine.constant(None, node, frame.unit))
    _keep_attributes(frame, flow.returned, flow.falling, state)
    return frame.machine.phi(returned, node, frame.unit)


def _keep_attributes(
    frame: Frame, returned: Sequence[tuple[State, Value]], falling: Sequence[State], state: State
) -> None:
    """What the callee stored on `self` is seen by the caller."""
    ends = [end for end, _ in returned] + list(falling)
    for name in dict.fromkeys(name for end in ends for name in end.scope if name.startswith("self.")):
        values = [end.scope[name] for end in ends if name in end.scope]
        if any(value is not state.scope.get(name) for value in values):
            state.bind(name, frame.machine.phi(values))


def bind_parameters(
    callee: Frame, function: Function, arguments: calls.Arguments, skip_self: bool
) -> dict[str, Value]:
    """The parameters of a function bound to a call's arguments, defaults where none is given."""
    parameters = [*function.params.posonly_params, *function.params.params]
    if skip_self:
        parameters = parameters[1:]
    scope: dict[str, Value] = {}
    for position, parameter in enumerate([*parameters, *function.params.kwonly_params]):
        name = parameter.name.value
        if position < len(arguments.positional) and position < len(parameters):
            scope[name] = arguments.positional[position]
        elif name in arguments.named:
            scope[name] = arguments.named[name]
        else:
            given = default_value(callee, parameter)
            scope[name] = given.with_(is_default=False) if given is not None else callee.machine.unknown(parameter, callee.unit)
    star = function.params.star_arg
    if isinstance(star, cst.Param):
        rest = arguments.positional[len(parameters) :]
        made = callee.machine.unknown(star, callee.unit, rest)
        scope[star.name.value] = made.with_(elements=tuple(rest))
    if function.params.star_kwarg is not None:
        scope[function.params.star_kwarg.name.value] = callee.machine.unknown(function.params.star_kwarg, callee.unit)
    return scope
