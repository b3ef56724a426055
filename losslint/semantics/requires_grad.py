"""`x.requires_grad = True`, which makes a leaf of a tensor, and `False`, which keeps a parameter as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics.machine import Machine
from losslint.semantics.state import State
from losslint.semantics.values import Gradient, Origin, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame


def with_gradient(frame: Frame, receiver: Value, wanted: bool, node: cst.CSTNode, state: State) -> Value:
    """What a tensor is once it was asked for a gradient, or freed from it."""
    if not wanted:
        return _frozen(frame.machine, receiver)
    origin = Origin("requires_grad_", (receiver,), site=frame.site(node), frame=state.frame)
    return frame.machine.emit(receiver.with_(key=frame.machine.fresh(), origin=origin), state)


def _frozen(machine: Machine, value: Value) -> Value:
    """A parameter that no step moves from what it was made of; anything else as it is."""
    if value.origin.name == "phi":
        return machine.phi([_frozen(machine, each) for each in value.alternatives])
    if value.origin.name != "parameter_tensor":
        return value
    return value.with_(key=machine.fresh(), gradient=Gradient.NEUTRAL, interval=value.origin.operands[0].interval)
