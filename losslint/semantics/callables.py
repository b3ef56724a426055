"""Functions and classes as values: what a name is bound to once decorators ran, closures, lambdas, partials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls, inlining, module_calls
from losslint.semantics.machine import MAX_CALL_DEPTH
from losslint.semantics.names import Function, Unit, dotted
from losslint.semantics.operators import lookup_function, lookup_module
from losslint.semantics.state import State
from losslint.semantics.values import Kind, Origin, Site, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

_MODULE_VALUES = (cst.Call, cst.Name, cst.Attribute, cst.Lambda)


def project_value(frame: Frame, unit: Unit, name: str) -> Value | None:
    """What a top-level name of a file of the project is bound to, where that can be called; None for anything else."""
    function = unit.functions.get(name)
    key = frame.machine.number("global", str(unit.path), name)
    if function is not None:
        return Value(key, Kind.FUNCTION, origin=Origin("function", site=Site(unit, function), label=name))
    if name in unit.classes:
        return Value(key, Kind.CLASS, origin=Origin("class", site=Site(unit, unit.classes[name]), label=name))
    constant = unit.constants.get(name)
    if isinstance(constant, _MODULE_VALUES) and frame.depth < MAX_CALL_DEPTH and _makes_callable(unit, constant):
        inner = type(frame)(frame.machine, unit, None, frame.depth + 1)
        made = inner.evaluate(constant, State())
        return made if made.kind in (Kind.FUNCTION, Kind.CLASS, Kind.MODULE) else None
    return None


def _makes_callable(unit: Unit, node: cst.BaseExpression) -> bool:
    """Whether a module-level expression names a function, keeps some of its arguments, or makes a module."""
    if not isinstance(node, cst.Call):
        return True
    qualified = unit.qualified(node.func) or ""
    written = dotted(node.func)
    return qualified == "functools.partial" or lookup_module(qualified) is not None or written in unit.classes


def bind_definition(frame: Frame, node: Function, state: State) -> None:
    """`def name(...)` inside a function: a value that remembers the names around it."""
    state.bind(node.name.value, _closure(frame, node, state, "local_function", node.name.value))


def lambda_value(frame: Frame, node: cst.Lambda, state: State) -> Value:
    """`lambda x: ...`, which remembers the names around it."""
    return _closure(frame, node, state, "lambda", "lambda")


def _closure(frame: Frame, node: Function | cst.Lambda, state: State, name: str, label: str) -> Value:
    made = Value(frame.machine.fresh(), Kind.FUNCTION, origin=Origin(name, site=frame.site(node), label=label))
    frame.machine.closures[made.key] = (frame.instance, state)
    return made


def call_function_value(
    frame: Frame, function: Value, node: cst.Call, state: State, arguments: calls.Arguments | None
) -> Value | None:
    """A call of a function or class of the project, a closure or a partial; None where the value is none of these."""
    site, name = function.origin.site, function.origin.name
    if name == "partial":
        return _call_partial(frame, function, node, state, arguments)
    if site is None:
        return None
    if name == "class":
        return module_calls.construct_local(frame, site.unit, function.origin.label, node, state, arguments)
    if name == "function" and isinstance(site.node, cst.FunctionDef):
        is_bare = function.key in frame.machine.undecorated
        return inlining.call_function(frame, site.unit, site.node, node, state, arguments, is_bare)
    if name in ("local_function", "lambda"):
        return _call_closure(frame, function, site, node, state, arguments)
    return None


def partial(frame: Frame, node: cst.Call, state: State) -> Value:
    """`functools.partial(function, ...)`: the function with some arguments kept."""
    arguments = calls.read_arguments(frame, node, state)
    origin = Origin("partial", arguments.positional, dict(arguments.named), frame.site(node), "partial")
    return Value(frame.machine.fresh(), Kind.FUNCTION, origin=origin)


def _call_partial(
    frame: Frame, function: Value, node: cst.Call, state: State, arguments: calls.Arguments | None
) -> Value:
    """A call of a partial: its arguments first, then those of the call."""
    given = arguments or calls.read_arguments(frame, node, state)
    origin = function.origin
    if not origin.operands:
        return calls.opaque_call(frame, "partial", given.all, node)
    merged = calls.Arguments(
        (*origin.operands[1:], *given.positional), {**origin.keywords, **given.named}, given.complete, given.spread
    )
    return calls.call_value(frame, origin.operands[0], node, state, merged)


def _call_closure(
    frame: Frame, function: Value, site: Site, node: cst.Call, state: State, arguments: calls.Arguments | None
) -> Value:
    instance, defined = frame.machine.closures.get(function.key, (frame.instance, state))
    arguments = arguments or calls.read_arguments(frame, node, state)
    around = {**defined.scope, **(state.scope if state.frame == defined.frame else {})}
    callee = type(frame)(frame.machine, site.unit, instance, frame.depth + 1)
    if isinstance(site.node, cst.FunctionDef):
        symbol = function.origin.label
        return inlining.run_call(frame, callee, symbol, site.node, arguments, node, state, False, around)
    if not isinstance(site.node, cst.Lambda) or frame.depth >= MAX_CALL_DEPTH or not arguments.complete:
        return calls.opaque_call(frame, function.origin.label, arguments.all, node)
    inner = state.fork()
    inner.frame = frame.machine.next_frame()
    inner.scope = {**around, **inlining.bind_parameters(callee, site.node.params, arguments, False)}
    return callee.evaluate(site.node.body, inner)


def decorated(frame: Frame, unit: Unit, function: Function, node: cst.Call, state: State) -> Value | None:
    """What a function's name is bound to once the project's own decorators ran; None where they leave it as it is."""
    if not function.decorators:
        return None
    known = frame.machine.decorated
    if id(function) not in known:
        known[id(function)] = None  # while it is worked out, the function is itself
        known[id(function)] = _run_decorators(frame, unit, function, node, state)
    return known[id(function)]


def _run_decorators(frame: Frame, unit: Unit, function: Function, node: cst.Call, state: State) -> Value | None:
    origin = Origin("function", site=Site(unit, function), label=function.name.value)
    bare = made = Value(frame.machine.fresh(), Kind.FUNCTION, origin=origin)
    frame.machine.undecorated.add(bare.key)
    for decorator_unit, decorator in _project_decorators(frame, unit, function):
        given = calls.Arguments((made,), {})
        result = inlining.call_function(frame, decorator_unit, decorator, node, state.fork(), given)
        made = result if result.origin.name in ("local_function", "function", "lambda", "partial") else made
    return None if made is bare else made


def _project_decorators(frame: Frame, unit: Unit, function: Function) -> Iterator[tuple[Unit, Function]]:
    """The decorators that are functions of the project, innermost first."""
    for decorator in reversed(function.decorators):
        name = dotted(decorator.decorator)
        if name is None:
            continue
        found = (unit, name) if name in unit.functions else frame.machine.resolve(unit, name)
        if found is not None and found[1] in found[0].functions:
            yield found[0], found[0].functions[found[1]]


def is_library_function(value: Value) -> bool:
    """Whether a value is a function of torch that the operator tables know."""
    return value.origin.name == "library" and lookup_function(value.origin.label) is not None
