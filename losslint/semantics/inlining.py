"""Calls of the class's own methods and the file's own functions: the body is interpreted with the caller's values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import callables, calls, failures, inherited_modules
from losslint.semantics.graph import Call
from losslint.semantics.guards import without_asked
from losslint.semantics.machine import MAX_CALL_DEPTH
from losslint.semantics.members import Instance
from losslint.semantics.names import Function, Unit
from losslint.semantics.parameters import default_value
from losslint.semantics.state import State
from losslint.semantics.values import Kind, Origin, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame


def call_method(frame: Frame, name: str, node: cst.Call, state: State, from_super: bool = False) -> Value:
    """`self.name(...)` or `super().name(...)` where the class or a base in this file defines it."""
    arguments = calls.read_arguments(frame, node, state)
    if name in ("register_buffer", "register_parameter"):
        _register(frame, arguments, state)
    if frame.instance is None:
        return calls.opaque_call(frame, f"self.{name}", arguments.all, node)
    after = frame.active[-1] if from_super and frame.active else None
    found = frame.instance.method(name, after)
    if found is None:
        if name == "__init__":
            inherited_modules.keep_settings(frame, arguments, node, state)
            return frame.machine.constant(None)
        inherited = (
            inherited_modules.forward(frame, frame.instance, arguments, node, state) if name == "forward" else None
        )
        if inherited is not None:
            return inherited
        return frame.machine.unknown(node, frame.unit, arguments.all, "")
    callee = _callee(frame, found.owner.unit, frame.instance)
    skip_self = not _is_static(found.function)
    # Any other method may be another one in a class that descends from this.
    is_sure = from_super and name == "__init__" and failures.constructs_surely(frame.instance.lineage, found.owner)
    return run_call(frame, callee, found.symbol, found.function, arguments, node, state, skip_self, is_sure=is_sure)


def _register(frame: Frame, arguments: calls.Arguments, state: State) -> None:
    """`self.register_buffer("name", tensor)`."""
    given = arguments.positional
    label = given[0] if given else arguments.named.get("name")
    value = given[1] if len(given) > 1 else arguments.named.get("tensor", arguments.named.get("param"))
    if label is not None and value is not None and label.has_constant:
        frame.machine.buffers[str(label.constant)] = value
        state.bind(f"self.{label.constant}", value)


def call_function(
    frame: Frame,
    unit: Unit,
    function: Function,
    node: cst.Call,
    state: State,
    arguments: calls.Arguments | None = None,
    is_bare: bool = False,
) -> Value:
    """A function of the project as its decorators leave it, or without them."""
    if arguments is None:
        arguments = calls.read_arguments(frame, node, state)
    wrapper = None if is_bare else callables.decorated(frame, unit, function, node, state)
    if wrapper is not None:
        return calls.call_value(frame, wrapper, node, state, arguments)
    name, callee = function.name.value, _callee(frame, unit, None)
    is_sure = not is_bare and failures.is_defined_once(unit, name)
    return run_call(frame, callee, name, function, arguments, node, state, False, is_sure=is_sure)


def call_instance(
    frame: Frame, instance: Instance, arguments: calls.Arguments, node: cst.Call, state: State
) -> Value | None:
    """`module(...)` for a module of the project: its forward; None where it has none."""
    found = instance.method("forward") or instance.method("__call__")
    if found is None:
        return None
    callee = _callee(frame, found.owner.unit, instance)
    return run_call(frame, callee, found.symbol, found.function, arguments, node, state, True)


def _callee(frame: Frame, unit: Unit, instance: Instance | None) -> Frame:
    from losslint.semantics.frame import Frame as FrameClass

    return FrameClass(frame.machine, unit, instance, frame.depth + 1)


def _is_static(function: Function) -> bool:
    return any(
        isinstance(decorator.decorator, cst.Name) and decorator.decorator.value == "staticmethod"
        for decorator in function.decorators
    )


def run_call(
    frame: Frame,
    callee: Frame,
    symbol: str,
    function: Function,
    arguments: calls.Arguments,
    node: cst.Call,
    state: State,
    skip_self: bool,
    around: Mapping[str, Value] | None = None,
    is_sure: bool = False,
) -> Value:
    """Run a function's body with a call's arguments; too deep, recursive or with hidden arguments it is opaque.

    `around` are the names that a nested function sees. Where it `is_sure` that no other function is called, the path ends with
    a call that raises.
    """
    from losslint.semantics.statements import run_function

    too_deep = frame.depth >= MAX_CALL_DEPTH or not frame.machine.may_inline
    if too_deep or function in frame.active or not arguments.complete:
        return calls.opaque_call(frame, symbol, arguments.all, node)
    if is_sure and failures.does_not_fit(function, arguments, skip_self):
        state.fails = True
        return frame.machine.unknown(node, frame.unit)
    callee.active = (*frame.active, function)
    frame.machine.inlined.add(id(function))
    inner = state.fork()
    inner.frame = frame.machine.next_frame()
    inner.calls = (*state.calls, Call(symbol, frame.site(node)))
    own = callee.instance is frame.instance
    kept = {name: value for name, value in state.scope.items() if own and name.startswith("self.")}
    inner.scope = {**kept, **(around or {}), **bind_parameters(callee, function.params, arguments, skip_self)}
    summary = _summary_key(callee, function, inner)
    known = frame.machine.results.get(summary)
    if known is not None:
        return known
    flow = run_function(callee, function, inner)
    returned = [without_asked(value, end.guards) for end, value in flow.returned]
    if not flow.returned and not flow.falling:
        state.fails = is_sure and failures.runs_when_called(function)
        return frame.machine.unknown(node, frame.unit)
    frame.machine.fall(function, callee.unit, flow.falling)
    if flow.falling:
        returned.append(frame.machine.constant(None, node, frame.unit))
    if own:
        _keep_attributes(frame, flow.returned, flow.falling, state)
    result = frame.machine.phi(returned, node, frame.unit)
    if not any(name.startswith("self.") for end, _ in flow.returned for name in end.scope):
        frame.machine.results[summary] = result
    return result


def _summary_key(callee: Frame, function: Function, state: State) -> Hashable:
    """What a call's result depends on: the function, what its names are bound to, and what the path knows."""
    names = frozenset((name, value.key) for name, value in state.scope.items())
    known = frozenset(state.assumptions.items())
    contexts = tuple(value.key for value in state.contexts)
    shapes = frozenset(state.shapes.items())
    return (id(function), id(callee.instance), names, known, shapes, state.guards, state.gradient_matters, contexts)


def _keep_attributes(
    frame: Frame, returned: Sequence[tuple[State, Value]], falling: Sequence[State], state: State
) -> None:
    """What the callee stored on `self` is seen by the caller."""
    ends = [end for end, _ in returned] + list(falling)
    for name in dict.fromkeys(name for end in ends for name in end.scope if name.startswith("self.")):
        values = [without_asked(end.scope[name], end.guards) for end in ends if name in end.scope]
        if any(value is not state.scope.get(name) for value in values):
            state.bind(name, frame.machine.phi(values))


def bind_parameters(
    callee: Frame, declared: cst.Parameters, arguments: calls.Arguments, skip_self: bool
) -> dict[str, Value]:
    """The parameters of a function bound to a call's arguments, defaults where none is given."""
    parameters = [*declared.posonly_params, *declared.params]
    if skip_self:
        parameters = parameters[1:]
    scope: dict[str, Value] = {}
    for position, parameter in enumerate([*parameters, *declared.kwonly_params]):
        name = parameter.name.value
        if position < len(arguments.positional) and position < len(parameters):
            scope[name] = arguments.positional[position]
        elif name in arguments.named:
            scope[name] = arguments.named[name]
        else:
            given = default_value(callee, parameter)
            scope[name] = (
                given.with_(is_default=False) if given is not None else callee.machine.unknown(parameter, callee.unit)
            )
    star = declared.star_arg
    if isinstance(star, cst.Param):
        rest = arguments.positional[len(parameters) :]
        made = callee.machine.unknown(star, callee.unit, rest)
        scope[star.name.value] = made.with_(elements=tuple(rest))
    if declared.star_kwarg is not None:
        scope[declared.star_kwarg.name.value] = _keywords(callee, declared.star_kwarg, arguments, scope)
    return scope


def _keywords(callee: Frame, parameter: cst.Param, arguments: calls.Arguments, bound: Mapping[str, Value]) -> Value:
    """What `**kwargs` holds: the arguments that no other parameter takes."""
    rest = {name: value for name, value in arguments.named.items() if name not in bound}
    made = callee.machine.unknown(parameter, callee.unit, tuple(rest.values()))
    origin = Origin("keywords", tuple(rest.values()), site=callee.site(parameter), label=parameter.name.value)
    return made.with_(kind=Kind.MAPPING, origin=origin, elements=rest)
