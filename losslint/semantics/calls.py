"""Calls: torch operators in all spellings, modules, methods of the class, functions of the file, builtins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import libcst as cst
from msgspec import Struct

from losslint.semantics import (
    builtin_calls,
    callables,
    collectives,
    devices,
    differentiation,
    distributions,
    failures,
    inlining,
    method_calls,
    module_calls,
    rewrapping,
)
from losslint.semantics.known_shapes import from_operator
from losslint.semantics.machine import MAX_CALL_DEPTH
from losslint.semantics.names import dotted
from losslint.semantics.operators import REQUIRED, Operator, Parameter, Shape, lookup_function, lookup_module
from losslint.semantics.state import State
from losslint.semantics.transfer import apply_operator
from losslint.semantics.values import Device, Gradient, Kind, Role, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

TARGET_SLOTS = {
    "cross_entropy_loss": "target",
    "nll_loss": "target",
    "one_hot": "input",
    "gather": "index",
    "multi_margin_loss": "target",
}


class Arguments(Struct, frozen=True):
    """The evaluated arguments of a call; `complete` is False where * or ** hide some, `spread` says that they gave some."""

    positional: tuple[Value, ...]
    named: Mapping[str, Value]
    complete: bool = True
    spread: bool = False

    @property
    def all(self) -> tuple[Value, ...]:
        """Every argument value."""
        return (*self.positional, *self.named.values())


def evaluate_call(frame: Frame, node: cst.Call, state: State) -> Value:
    """The value of a call on this path."""
    qualified = frame.unit.qualified(node.func) if _is_global(node.func, state) else None
    if qualified is not None:
        return library_call(frame, qualified, node, state)
    func = node.func
    if type(func) is cst.Attribute:
        return _attribute_call(frame, func.value, func.attr.value, node, state)
    if type(func) is not cst.Name:
        return call_value(frame, frame.evaluate(func, state), node, state)
    if func.value in state.scope:
        return call_value(frame, state.scope[func.value], node, state)
    return _named_call(frame, func.value, node, state)


def _attribute_call(frame: Frame, receiver: cst.BaseExpression, name: str, node: cst.Call, state: State) -> Value:
    """`super().name(...)`, `self.name(...)`, or a method of anything else."""
    if type(receiver) is cst.Call and type(receiver.func) is cst.Name and receiver.func.value == "super":
        return inlining.call_method(frame, name, node, state, from_super=True)
    if type(receiver) is cst.Name and receiver.value == "self":
        if f"self.{name}" not in state.scope and _is_method(frame, name):
            return inlining.call_method(frame, name, node, state)
        return call_value(frame, frame.self_attribute(name, node, state), node, state)
    value = frame.evaluate(receiver, state)
    frame.use(value, node, state, "attribute")
    return method_calls.method_call(frame, value, name, node, state)


def _is_method(frame: Frame, name: str) -> bool:
    if name in ("register_buffer", "register_parameter"):
        return True
    return frame.instance is not None and frame.instance.method(name) is not None


def _is_global(function: cst.BaseExpression, state: State) -> bool:
    node = function
    while type(node) is cst.Attribute:
        node = node.value
    return type(node) is cst.Name and node.value not in state.scope


def read_arguments(frame: Frame, node: cst.Call, state: State) -> Arguments:
    """Evaluate the arguments of a call, left to right."""
    positional: list[Value] = []
    named: dict[str, Value] = {}
    complete = True
    for argument in node.args:
        value = frame.evaluate(argument.value, state)
        if argument.star == "*" and isinstance(value.elements, tuple):
            positional.extend(value.elements)
        elif argument.star == "**" and _is_complete(value):
            named.update(value.elements)  # type: ignore[arg-type]
        elif argument.star:
            complete = False
            positional.append(value) if argument.star == "*" else named.setdefault("**", value)
        elif argument.keyword is not None:
            named[argument.keyword.value] = value
        else:
            positional.append(value)
    return Arguments(tuple(positional), named, complete, any(argument.star for argument in node.args))


def _is_complete(value: Value) -> bool:
    """Whether all that `**value` gives is known: keywords that were collected, or a literal whose keys are all written out."""
    if not isinstance(value.elements, dict):
        return False
    literal = value.origin.name == "mapping" and len(value.elements) == len(value.origin.operands)
    return literal or value.origin.name == "keywords"


def bind(parameters: Sequence[Parameter], arguments: Arguments) -> dict[str, Value]:
    """Arguments by the names of a signature; several sizes (`view(2, 3)`) stay with the first name they meet."""
    names = [parameter.name for parameter in parameters]
    bound: dict[str, Value] = {}
    for position, value in enumerate(arguments.positional):
        bound[names[position] if position < len(names) else f"#{position}"] = value
    for name, value in arguments.named.items():
        bound[_ALIASES.get(name, name)] = value
    return bound


_ALIASES = {"axis": "dim", "keepdims": "keepdim", "a_min": "min", "a_max": "max"}


def library_call(
    frame: Frame, qualified: str, node: cst.Call, state: State, arguments: Arguments | None = None
) -> Value:
    """A call of an imported name, with the arguments of the node or those given."""
    if qualified == "functools.partial":
        return callables.partial(frame, node, state)
    arguments = arguments or read_arguments(frame, node, state)
    operator = lookup_function(qualified)
    if operator is not None:
        made = operator_call(frame, operator, operator.parameters, arguments, node, state)
        if qualified.endswith("_"):
            frame.machine.mark_in_place(made)
        return made
    if lookup_module(qualified) is not None:
        return module_calls.construct(frame, qualified, node, state, arguments)
    if qualified == "torch.compile" and arguments.positional:
        return arguments.positional[0]
    if qualified == "torch.autograd.grad":
        return differentiation.gradient_of(frame, arguments, node, state)
    if collectives.is_gather(qualified):
        return collectives.gather(frame, qualified, arguments, node, state)
    if distributions.is_distribution(qualified):
        return distributions.construct(frame, qualified, arguments, node, state)
    if qualified.startswith(("math.", "numpy.")):
        return rewrapping.escape(frame, qualified, arguments, node, state)
    if rewrapping.copies(qualified):
        return rewrapping.rewrap(frame, qualified, arguments, node, state)
    if qualified == "torch.nn.Parameter" or qualified == "torch.nn.parameter.Parameter":
        return rewrapping.parameter_tensor(frame, arguments, node)
    return _project_call(frame, qualified, arguments, node, state)


def _project_call(frame: Frame, qualified: str, arguments: Arguments, node: cst.Call, state: State) -> Value:
    """A function or a class of another file of the project."""
    written = dotted(node.func)
    found = frame.machine.resolve(frame.unit, written) if written is not None and frame.depth < MAX_CALL_DEPTH else None
    if found is None:
        return opaque_call(frame, qualified, arguments.all, node)
    unit, name = found
    value = callables.project_value(frame, unit, name)
    if value is not None:
        return call_value(frame, value, node, state, arguments)
    return opaque_call(frame, qualified, arguments.all, node)


def operator_call(
    frame: Frame,
    operator: Operator,
    parameters: Sequence[Parameter],
    arguments: Arguments,
    node: cst.CSTNode,
    state: State,
    receiver: Value | None = None,
    module: Value | None = None,
) -> Value:
    """Apply an operator to the arguments of a call: of a function, of a method of `receiver`, or of a `module`."""
    bound = bind(parameters, arguments)
    positional = arguments.positional
    if receiver is not None:
        first = operator.parameters[0].name if operator.parameters else "input"
        bound = {first: receiver, **{name: value for name, value in bound.items() if name != first}}
        positional = (receiver, *positional)
    if _lacks_an_operand(parameters, bound):
        return frame.machine.unknown(node, frame.unit, tuple(bound.values()), f"{operator.name}()")
    pairwise = lookup_function(f"torch.{operator.name}imum") if operator.name in ("max", "min") else None
    if pairwise is not None and "dim" in bound and _is_paired(bound):  # torch.max(x, y)
        return apply_operator(frame.machine, state, pairwise, _pair(bound), positional, frame.site(node))
    if operator.name in ("tensor", "as_tensor", "from_numpy", "scalar_tensor"):
        return rewrapping.rewrap(frame, f"torch.{operator.name}", Arguments(positional, arguments.named), node, state)
    reduction = bound.get("reduction")
    if reduction is not None and not reduction.has_constant:
        fixed = frame.string_on_path(reduction, state)
        if isinstance(fixed, str):
            bound["reduction"] = frame.machine.constant(fixed, node, frame.unit)
    elif reduction is not None and reduction.is_default:
        fixed = frame.string_on_path(reduction, state)
        bound["reduction"] = (
            frame.machine.constant(fixed, node, frame.unit)
            if isinstance(fixed, str)
            else reduction.with_(has_constant=False, constant=None)
        )
    _learn(frame, operator, bound)
    made = apply_operator(frame.machine, state, operator, bound, positional, frame.site(node), module)
    state.learn_shapes(from_operator(operator.name, bound, made.rank, state.shapes))
    return made


def _lacks_an_operand(parameters: Sequence[Parameter], bound: Mapping[str, Value]) -> bool:
    """Whether an argument is missing that torch cannot do without: a star hides it, or the method is another library's."""
    needed = (parameter.name for parameter in parameters if parameter.default is REQUIRED)
    return any(name not in bound or bound[name].kind is Kind.NONE for name in needed)


def _is_paired(bound: Mapping[str, Value]) -> bool:
    """Whether the second argument of max or min is another tensor: one, or worked out from what the first is made of."""
    first, second = bound["input"], bound["dim"]
    if second.kind is not Kind.UNKNOWN or second.role is Role.CONFIG:
        return second.is_tensor
    return second.origin.name in _PAIRED and bool(
        {each.key for each in (first, *first.origin.operands)}
        & {each.key for each in second.origin.operands if not each.has_constant}
    )


_PAIRED = frozenset({"mul", "add", "sub", "div", "neg", "pow"})


def _pair(bound: Mapping[str, Value]) -> dict[str, Value]:
    return {"input": bound["input"], "other": bound["dim"]}


_TAKES_OTHERS = frozenset("cat stack tensor as_tensor einsum max min sum".split())


def _learn(frame: Frame, operator: Operator, bound: Mapping[str, Value]) -> None:
    """A parameter that sits in a tensor's slot is a tensor; one in a label's slot is a target."""
    first = next(iter(bound.values()), None)
    takes_tensor = (
        operator.shape is not Shape.FACTORY or operator.name.startswith("new_") or operator.name.endswith("_like")
    )
    if first is not None and takes_tensor and operator.name not in _TAKES_OTHERS:
        frame.learn(first, Kind.TENSOR)
    for name in ("other", "target", "index", "mask", "x2", "positive", "negative"):
        value = bound.get(name)
        if value is not None and operator.name not in ("mul", "add", "sub", "div", "pow", "max", "min"):
            frame.learn(value, Kind.TENSOR)
    slot = TARGET_SLOTS.get(operator.name)
    if slot is not None and slot in bound:
        frame.learn(bound[slot], Kind.TENSOR, Role.TARGET)


def opaque_call(frame: Frame, label: str, arguments: Sequence[Value], node: cst.CSTNode) -> Value:
    """A call nothing is known of: it may carry whatever goes in."""
    return frame.machine.unknown(node, frame.unit, arguments, f"{label}()")


def call_value(
    frame: Frame, function: Value, node: cst.Call, state: State, arguments: Arguments | None = None
) -> Value:
    """A call of a value (a module, a function, a class, an instance, or something unknown), with the arguments of the node or
    those given."""
    frame.use(function, node, state, "call")
    if function.kind is Kind.MODULE:
        return module_calls.call_module(frame, function, node, state, arguments)
    made = callables.call_function_value(frame, function, node, state, arguments)
    if made is not None:
        return made
    if callables.is_library_function(function):
        return library_call(frame, function.origin.label, node, state, arguments)
    arguments = arguments or read_arguments(frame, node, state)
    made = frame.machine.unknown(node, frame.unit, (*arguments.all, function), f"{frame.unit.code(node.func)}()")
    from_module = function.gradient is Gradient.CARRIES or function.kind is Kind.UNKNOWN  # it may be a network
    if from_module and any(devices.is_on_input(value) for value in arguments.all):
        made = made.with_(device=Device.INPUT)
    if not state.gradient_matters:
        return made.with_(gradient=Gradient.CUT) if made.gradient is Gradient.CARRIES else made
    return made.with_(gradient=Gradient.CARRIES) if from_module else made


def _named_call(frame: Frame, name: str, node: cst.Call, state: State) -> Value:
    value = callables.project_value(frame, frame.unit, name)
    if value is not None:
        return call_value(frame, value, node, state)
    if failures.is_unbound(frame.machine, frame.unit, name):
        state.fails = True
    return builtin_calls.builtin_call(frame, name, node, state)
