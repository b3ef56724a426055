"""torch.distributions: what is drawn from a distribution, and whether a gradient gets back to its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls
from losslint.semantics.machine import strongest_gradient
from losslint.semantics.state import State
from losslint.semantics.values import Device, Gradient, Kind, Origin, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

DISTRIBUTION = "distribution"
_LIBRARY = "torch.distributions."


def is_distribution(qualified: str) -> bool:
    """Whether a full name is a class of torch.distributions: `torch.distributions.normal.Normal` too."""
    return qualified.startswith(_LIBRARY) and qualified.rpartition(".")[2][:1].isupper()


def construct(frame: Frame, qualified: str, arguments: calls.Arguments, node: cst.Call, state: State) -> Value:
    """A distribution; its label is the class, its operands are the arguments."""
    label = _LIBRARY + qualified.rpartition(".")[2]
    return Value(
        frame.machine.number(label, *(value.key for value in arguments.all)),
        Kind.OBJECT,
        origin=Origin(DISTRIBUTION, arguments.all, dict(arguments.named), frame.site(node), label, state.frame),
        gradient=strongest_gradient([value.gradient for value in arguments.all]),
    )


def method(frame: Frame, receiver: Value, name: str, node: cst.Call, state: State) -> Value:
    """`sample` leaves the graph, `rsample` stays in it; everything else is a function of the parameters."""
    arguments = calls.read_arguments(frame, node, state)
    machine = frame.machine
    operands = (receiver, *arguments.all)
    if name in ("sample", "sample_n", "rsample", "rsample_n"):
        carried = receiver.gradient if receiver.gradient is not Gradient.CARRIES else Gradient.CUT
        drawn = Value(
            machine.fresh(),
            Kind.TENSOR,
            origin=Origin(name.removesuffix("_n"), operands, site=frame.site(node), frame=state.frame),
            gradient=receiver.gradient if name.startswith("r") else carried,
            device=Device.INPUT
            if any(value.device is Device.INPUT for value in receiver.origin.operands)
            else Device.UNKNOWN,
        )
        return machine.emit(drawn, state)
    if name in ("expand", "to_event", "mask"):
        origin = Origin(
            DISTRIBUTION, operands, receiver.origin.keywords, frame.site(node), receiver.origin.label, state.frame
        )
        return receiver.with_(key=machine.fresh(), origin=origin)
    made = machine.unknown(node, frame.unit, operands, f".{name}()")
    return made.with_(origin=Origin("method", operands, site=frame.site(node), label=name))
