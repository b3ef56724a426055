"""Item assignment: `x[mask] = 0`, `weights[i] = w`, `losses["dice"] = value`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import intervals
from losslint.semantics.graph import IN_PLACE
from losslint.semantics.guards import chain, closure
from losslint.semantics.machine import strongest_gradient
from losslint.semantics.state import State
from losslint.semantics.subscripts import tensor_like
from losslint.semantics.values import DType, Kind, Origin, Value, ZeroWitness
from losslint.semantics.zeros import strongest

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame


def store(frame: Frame, target: cst.Subscript, value: Value, state: State) -> None:
    """Bind the changed container to the name it is reached by."""
    receiver = frame.evaluate(target.value, state)
    name = _name_of(target.value)
    if name is None:
        if receiver.is_tensor:
            _overwritten(frame, receiver, target, value, state)
        return
    if receiver.kind is Kind.MAPPING:
        state.bind(name, _with_item(frame, receiver, target, value, state))
    elif receiver.is_tensor or receiver.kind is Kind.UNKNOWN:
        made = _overwritten(frame, receiver, target, value, state)
        if len(target.slice) > 1 or tensor_like(list(made.origin.operands[2:])):
            frame.learn(receiver, Kind.TENSOR)
        state.bind(name, made)
    else:
        state.bind(
            name,
            receiver.with_(
                key=frame.machine.fresh(),
                elements=None,
                origin=Origin("unknown", (receiver, value)),
                gradient=strongest_gradient((receiver.gradient, value.gradient)),
            ),
        )


def _name_of(node: cst.BaseExpression) -> str | None:
    match node:
        case cst.Name(value=name):
            return name
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)):
            return f"self.{name}"
    return None


def _with_item(frame: Frame, receiver: Value, target: cst.Subscript, value: Value, state: State) -> Value:
    known = dict(receiver.elements) if isinstance(receiver.elements, dict) else {}
    index = target.slice[0].slice
    if isinstance(index, cst.Index):
        key = frame.evaluate(index.value, state)
        if key.has_constant:
            known[str(key.constant)] = value
    gradient = strongest_gradient((receiver.gradient, value.gradient))
    origin = Origin("mapping", (*receiver.origin.operands, value), site=receiver.origin.site)
    return receiver.with_(key=frame.machine.fresh(), elements=known, gradient=gradient, origin=origin)


def _left_over(receiver: Value, indices: Sequence[Value]) -> ZeroWitness | None:
    """The zeros that are left where a mask about them is written to: none in `x[x == 0] = 1`."""
    asked = frozenset[int]().union(*(closure(each) for each in indices if each.dtype is DType.BOOL))
    return None if any(each.key in asked for each in chain(receiver)) else receiver.zero


def _overwritten(frame: Frame, receiver: Value, target: cst.Subscript, value: Value, state: State) -> Value:
    indices = [
        frame.evaluate(element.slice.value, state) for element in target.slice if isinstance(element.slice, cst.Index)
    ]
    origin = Origin("index_put", (receiver, value, *indices), site=frame.site(target), frame=state.frame)
    made = receiver.with_(
        key=frame.machine.fresh(),
        origin=origin,
        interval=intervals.hull(receiver.interval, value.interval),
        gradient=strongest_gradient((receiver.gradient, value.gradient))
        if state.gradient_matters
        else receiver.gradient,
        zero=strongest(iter((_left_over(receiver, indices), value.zero))),
        constant=None,
        has_constant=False,
    )
    return frame.machine.emit(made, state, IN_PLACE) if receiver.is_tensor else made
