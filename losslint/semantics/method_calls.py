"""Method calls on values: tensor methods, sizes, lists, distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst
from msgspec.structs import replace

from losslint.semantics import calls, differentiation, distributions, module_calls
from losslint.semantics.graph import IN_PLACE
from losslint.semantics.machine import strongest_gradient
from losslint.semantics.operators import Interval, lookup_method
from losslint.semantics.requires_grad import with_gradient
from losslint.semantics.state import State
from losslint.semantics.stored_attributes import changed_by
from losslint.semantics.values import EVERYTHING, Kind, Origin, Value
from losslint.semantics.view_writes import write_through_view

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

_NOT_TENSORS = frozenset({Kind.STR, Kind.MAPPING, Kind.NONE, Kind.FUNCTION, Kind.CLASS})
_ALSO_OTHERS = frozenset(
    [
        "index",
        "count",
        "copy",
        "append",
        "extend",
        "insert",
        "pop",
        "remove",
        "sort",
        "reverse",
        "update",
        "get",
        "items",
        "keys",
        "values",
        "format",
        "join",
        "split",
        "add",
        "clear",
        "step",
        "backward",
        "size_",
        "log",
        "sample",
        "rsample",
        "log_prob",
        "entropy",
        "mean_",
        "forward",
        "apply",
    ]
)
_SAME_MODULE = frozenset(
    "to cuda cpu half float double bfloat16 type train eval requires_grad_ share_memory apply to_empty".split()
)
_SIZES = frozenset({"size", "dim", "numel", "nelement", "ndimension", "stride", "element_size"})


def method_call(frame: Frame, receiver: Value, name: str, node: cst.Call, state: State) -> Value:
    """`receiver.name(...)`."""
    if receiver.kind is Kind.MODULE and name in _SAME_MODULE:
        return _same_module(frame, receiver, name, node, state)
    if receiver.kind is Kind.MODULE and name == "forward":
        return module_calls.call_module(frame, receiver, node, state)
    if receiver.kind is Kind.MODULE:
        return calls.opaque_call(frame, f"{receiver.origin.label}.{name}", (receiver,), node)
    if name in _SIZES and receiver.kind not in _NOT_TENSORS:
        return _size(frame, receiver, name, node, state)
    if receiver.kind in (Kind.SEQUENCE, Kind.MAPPING):
        return _container_call(frame, receiver, name, node, state)
    if receiver.origin.name == distributions.DISTRIBUTION:
        return distributions.method(frame, receiver, name, node, state)
    if name == "backward" and receiver.kind not in _NOT_TENSORS:
        return differentiation.backward(frame, receiver, node, state)
    if name == "requires_grad_" and receiver.kind not in _NOT_TENSORS:
        return _ask_for_gradient(frame, receiver, node, state)
    found = lookup_method(name)
    if found is not None and receiver.kind not in _NOT_TENSORS and _takes(receiver):
        operator, in_place = found
        arguments = calls.read_arguments(frame, node, state)
        if not receiver.is_tensor and name in _ALSO_OTHERS and any(each.kind is Kind.STR for each in arguments.all):
            return frame.machine.unknown(
                node, frame.unit, (receiver, *arguments.all), f".{name}()"
            )  # a string's method
        frame.learn(receiver, Kind.TENSOR)
        proven = receiver.is_tensor or name not in _ALSO_OTHERS
        made = calls.operator_call(frame, operator, operator.method_parameters, arguments, node, state, receiver)
        if receiver.kind is Kind.OBJECT and made.is_tensor:
            made = made.with_(kind=Kind.OBJECT)  # an array has methods of the same names
        elif not proven and made.is_tensor:
            made = made.with_(kind=Kind.UNKNOWN)
        if in_place:
            made = made.with_(dtype=receiver.dtype)  # `x.eq_(y)` writes 0 and 1 into what x is
            frame.machine.mark_in_place(made)
            _rebind(node, made.with_(alias=receiver.alias), state)
        return made
    arguments = calls.read_arguments(frame, node, state)
    if receiver.is_tensor and name.endswith("_") and not name.endswith("__") and name not in _KEEPS_NUMBERS:
        return _changed(frame, receiver, name, arguments, node, state)
    made = frame.machine.unknown(node, frame.unit, (receiver, *arguments.all), f".{name}()")
    made = made.with_(origin=Origin("method", (receiver, *arguments.all), site=frame.site(node), label=name))
    if receiver.is_tensor and name.endswith("_") and not name.startswith("_"):
        made = made.with_(key=frame.machine.fresh(), kind=Kind.TENSOR, rank=receiver.rank, alias=receiver.alias)
        _rebind(node, made, state)  # fill_, copy_, uniform_: it holds other numbers from here on
    return made


def _same_module(frame: Frame, receiver: Value, name: str, node: cst.Call, state: State) -> Value:
    """`module.cuda()` gives the module back; that it was asked for stays among what the module was made with."""
    arguments = calls.read_arguments(frame, node, state)
    asked = Origin(name, (receiver, *arguments.all), site=frame.site(node), frame=state.frame)
    moved = Value(frame.machine.fresh(), Kind.MODULE, origin=asked)
    return receiver.with_(origin=replace(receiver.origin, keywords={**receiver.origin.keywords, f"#{name}": moved}))


def _takes(receiver: Value) -> bool:
    return receiver.kind in (Kind.TENSOR, Kind.UNKNOWN, Kind.NUMBER, Kind.OBJECT)


def _rebind(node: cst.Call, value: Value, state: State) -> None:
    """`x.clamp_(0)` changes x itself, as does `x.mul_(2).add_(1)`, and `self.seen.append(x)` the list."""
    assert isinstance(node.func, cst.Attribute)
    match changed_by(node.func):
        case cst.Name(value=name):
            state.bind(name, value)
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)):
            state.bind(f"self.{name}", value)


_KEEPS_NUMBERS = frozenset({"share_memory_", "rename_", "retain_grad_", "detach_"})


def _changed(
    frame: Frame, receiver: Value, name: str, arguments: calls.Arguments, node: cst.Call, state: State
) -> Value:
    """`x.zero_()`, `x.copy_(y)`, `x.uniform_()`: an operator that there is only in place."""
    given = arguments.all[0] if name in ("copy_", "fill_") and arguments.all else None
    flowing = arguments.all if state.gradient_matters else ()
    made = receiver.with_(
        key=frame.machine.fresh(),
        interval=Interval(0.0, 0.0) if name == "zero_" else given.interval if given is not None else EVERYTHING,
        origin=Origin(name, (receiver, *arguments.all), arguments.named, frame.site(node), frame=state.frame),
        gradient=strongest_gradient((receiver.gradient, *(value.gradient for value in flowing))),
        zero=given.zero if given is not None else None,
    )
    frame.machine.emit(made, state, IN_PLACE)
    _rebind(node, made, state)
    written = arguments.all[0] if name == "fill_diagonal_" and arguments.all else given
    if written is not None or name == "zero_":
        write_through_view(frame, node, written or frame.machine.constant(0.0, node, frame.unit), state)
    return made


def _size(frame: Frame, receiver: Value, name: str, node: cst.Call, state: State) -> Value:
    frame.learn(receiver, Kind.TENSOR)
    machine = frame.machine
    shape = machine.number("attribute", receiver.key, "shape")
    arguments = calls.read_arguments(frame, node, state)
    if name == "size" and not arguments.all:
        return Value(shape, Kind.SHAPE, origin=Origin("shape", (receiver,), site=frame.site(node)))
    if name == "size":
        label = repr(arguments.all[0].constant)
        origin = Origin("size", (receiver,), site=frame.site(node), label=label)
        return Value(machine.number("size", shape, label), Kind.NUMBER, origin=origin, rank=0)
    origin = Origin("numel" if name == "nelement" else name, (receiver,), site=frame.site(node))
    selected = name in ("numel", "nelement") and frame.is_selection(receiver)
    zero = receiver.zero if selected else None
    return Value(machine.number(name, receiver.key), Kind.NUMBER, origin=origin, rank=0, zero=zero)


def _ask_for_gradient(frame: Frame, receiver: Value, node: cst.Call, state: State) -> Value:
    """`loss.requires_grad_()` makes a leaf of what it is called on, `parameter.requires_grad_(False)` freezes it."""
    given = calls.read_arguments(frame, node, state).all
    made = with_gradient(frame, receiver, not given or given[0].constant is not False, node, state)
    _rebind(node, made, state)
    return made


def _container_call(frame: Frame, receiver: Value, name: str, node: cst.Call, state: State) -> Value:
    arguments = calls.read_arguments(frame, node, state)
    machine = frame.machine
    if name in ("append", "insert", "extend", "add") and arguments.positional:
        added = arguments.positional[-1]
        elements = receiver.elements if isinstance(receiver.elements, tuple) and not state.loops else None
        grown = receiver.with_(
            key=machine.fresh(),
            elements=(*elements, added) if elements is not None and name == "append" else None,
            origin=Origin("comprehension", (_merged(frame, receiver, added),), {"into": receiver}, frame.site(node)),
            gradient=strongest_gradient((receiver.gradient, added.gradient)),
        )
        _rebind(node, grown, state)
        return machine.constant(None, node, frame.unit)
    if isinstance(receiver.elements, dict):
        values = tuple(value for value in receiver.elements.values())
        if name == "values":
            made = machine.unknown(node, frame.unit, values)
            return made.with_(kind=Kind.SEQUENCE, elements=values)
        if name in ("get", "pop") and arguments.positional:
            found = receiver.elements.get(str(arguments.positional[0].constant))
            if isinstance(found, Value):
                return found
    return machine.unknown(node, frame.unit, (receiver, *arguments.all))


def _merged(frame: Frame, receiver: Value, added: Value) -> Value:
    """What the list may hold: what was in it, and what is added."""
    if receiver.origin.name == "comprehension":
        return frame.machine.phi((*receiver.origin.operands, added))
    return added
