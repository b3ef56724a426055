"""Python's builtins as losses use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls
from losslint.semantics.comprehensions import element_of, looped_tensors, record_loop
from losslint.semantics.expressions import arithmetic
from losslint.semantics.intervals import POSITIVE
from losslint.semantics.operators import Interval, lookup_function
from losslint.semantics.selections import is_selection
from losslint.semantics.state import State
from losslint.semantics.transfer import apply_operator
from losslint.semantics.values import Gradient, Kind, Origin, Value
from losslint.semantics.zeros import strongest

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame


def builtin_call(frame: Frame, name: str, node: cst.Call, state: State) -> Value:
    """A call of a builtin, or of a name nobody defines."""
    arguments = calls.read_arguments(frame, node, state)
    first = arguments.positional[0] if arguments.positional else None
    if name == "dict" and first is None and arguments.complete:
        return _mapping(frame, arguments.named, node)
    if first is None:
        return calls.opaque_call(frame, name, arguments.all, node)
    if name in ("float", "int", "bool"):
        return _converted(frame, name, first, node, state)
    if name == "len":
        return _length(frame, first, node)
    if name in ("range", "zip", "enumerate", "reversed", "iter"):
        key = frame.machine.number(name, *(value.key for value in arguments.positional))
        made = frame.machine.unknown(node, frame.unit, arguments.positional)
        made = made.with_(key=key, kind=Kind.SEQUENCE, origin=Origin(name, arguments.positional, site=frame.site(node)))
        return frame.machine.emit(made, state) if name == "zip" else made
    if name in ("max", "min") and len(arguments.positional) == 2:
        return _extreme(frame, name, arguments.positional, node, state)
    if name == "sum":
        return _total(frame, first, node, state)
    if name == "abs":
        operator = lookup_function("torch.abs")
        if operator is not None:
            made = apply_operator(frame.machine, state, operator, {"input": first}, (first,), frame.site(node))
            return made.with_(kind=first.kind)
    if name in ("list", "tuple", "sorted", "set") and first.kind is Kind.SEQUENCE:
        return first
    if name in ("isinstance", "hasattr", "callable", "issubclass", "all", "any"):
        key = frame.machine.number(name, *(value.key for value in arguments.positional))
        if name == "isinstance" and len(arguments.positional) == 2:
            frame.machine.asked_kinds[key] = (first, frame.unit.code(node.args[1].value))
        return Value(key, Kind.BOOL, origin=Origin(name, (), site=frame.site(node)))
    if name == "print":
        origin = Origin(name, arguments.positional, site=frame.site(node), frame=state.frame)
        return frame.machine.emit(Value(frame.machine.fresh(), Kind.NONE, origin=origin), state)
    if name in ("repr", "str", "id", "type"):
        return Value(frame.machine.fresh(), Kind.OBJECT, origin=Origin(name, (), site=frame.site(node)))
    return calls.opaque_call(frame, name, arguments.all, node)


def _mapping(frame: Frame, members: Mapping[str, Value], node: cst.Call) -> Value:
    """`dict(device=x.device)`, which is `{"device": x.device}`."""
    values = tuple(members.values())
    made = frame.machine.unknown(node, frame.unit, values)
    return made.with_(
        kind=Kind.MAPPING, origin=Origin("mapping", values, site=frame.site(node)), elements=dict(members)
    )


def _converted(frame: Frame, name: str, first: Value, node: cst.Call, state: State) -> Value:
    if first.has_constant and isinstance(first.constant, (int, float, str)):
        try:
            constant = {"float": float, "int": int, "bool": bool}[name](first.constant)
        except ValueError:
            return calls.opaque_call(frame, name, (first,), node)
        return frame.machine.constant(constant, node, frame.unit).with_(is_default=first.is_default)
    cut = {Gradient.CARRIES: Gradient.CUT}.get(first.gradient, first.gradient)
    made = first.with_(
        key=frame.machine.number(name, first.key),
        kind=Kind.BOOL if name == "bool" else Kind.NUMBER,
        origin=Origin(name, (first,), site=frame.site(node), frame=state.frame),
        gradient=cut,
        rank=0,
        shape=(),
        elements=None,
    )
    return frame.machine.emit(made, state) if first.is_tensor or first.gradient is Gradient.CARRIES else made


def _length(frame: Frame, first: Value, node: cst.Call) -> Value:
    if isinstance(first.elements, tuple):
        return frame.machine.constant(len(first.elements), node, frame.unit).with_(
            key=frame.machine.number("len", first.key)
        )
    selected = first.is_tensor and is_selection(first)
    return Value(
        key=frame.machine.number("len", first.key),
        kind=Kind.NUMBER,
        interval=POSITIVE,
        origin=Origin("len", (first,), site=frame.site(node)),
        rank=0,
        zero=first.zero if selected else None,
    )


def _extreme(frame: Frame, name: str, pair: tuple[Value, ...], node: cst.Call, state: State) -> Value:
    """max(n, 1) and min(n, 1): element-wise where a tensor takes part."""
    left, right = pair
    operator = lookup_function("torch.maximum" if name == "max" else "torch.minimum")
    if operator is None:
        return frame.machine.unknown(node, frame.unit, pair)
    made = apply_operator(frame.machine, state, operator, {"input": left, "other": right}, pair, frame.site(node))
    kind = Kind.TENSOR if Kind.TENSOR in (left.kind, right.kind) else left.kind
    positive = any(
        value.has_constant and isinstance(value.constant, (int, float)) and value.constant > 0 for value in pair
    )
    zero = None if name == "max" and positive else made.zero
    interval = made.interval
    if name == "max" and positive:
        interval = Interval(max(left.interval.low, right.interval.low), interval.high)
    changed = made.with_(kind=kind, zero=zero, interval=interval)
    frame.machine.replace_last(changed)
    return changed


def _total(frame: Frame, first: Value, node: cst.Call, state: State) -> Value:
    """The builtin sum: a Python loop where it goes over a tensor, additions over a sequence."""
    tensors = looped_tensors(first)
    if tensors and first.is_tensor:
        record_loop(frame, tensors, node, state, "sum")
    if isinstance(first.elements, tuple) and first.elements:
        total = first.elements[0]
        for element in first.elements[1:]:
            total = arithmetic(frame, "add", total, element, node, state)
        return total
    element = element_of(frame, first, node, state)
    made = frame.machine.unknown(node, frame.unit, (element,))
    return made.with_(
        kind=element.kind,
        gradient=element.gradient,
        rank=element.rank,
        shape=element.shape,
        zero=strongest(iter((element.zero,))),
        origin=Origin("python_sum", (element,), site=frame.site(node)),
    )
