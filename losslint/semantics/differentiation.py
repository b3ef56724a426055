"""Gradients that a loss takes itself: torch.autograd.grad, and the call of backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls
from losslint.semantics.graph import BACKWARD
from losslint.semantics.operators.model import parameters
from losslint.semantics.state import State
from losslint.semantics.values import DType, Gradient, Kind, Origin, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

GRAD = "autograd_grad"
_SIGNATURE = parameters(
    "outputs inputs grad_outputs= retain_graph= create_graph= only_inputs= allow_unused= is_grads_batched= "
    "materialize_grads="
)
_BACKWARD_SIGNATURE = parameters("gradient= retain_graph= create_graph= inputs=")


def gradient_of(frame: Frame, arguments: calls.Arguments, node: cst.Call, state: State) -> Value:
    """`torch.autograd.grad(...)`: a tuple with one gradient an input, recorded as `autograd_grad`.

    The gradients have a graph of their own only with `create_graph`; where that is no constant they may have one.
    """
    bound = calls.bind(_SIGNATURE, arguments)
    flows = any(value.gradient is Gradient.CARRIES for value in arguments.all)
    differentiable = not arguments.complete or _may_be_true(bound.get("create_graph"))
    gradient = Gradient.NEUTRAL if not flows else Gradient.CARRIES if differentiable else Gradient.CUT
    inputs = bound.get("inputs")
    differentiated: tuple[Value, ...] | None = None
    if inputs is not None and isinstance(inputs.elements, tuple):
        differentiated = inputs.elements
    elif inputs is not None and inputs.kind in (Kind.TENSOR, Kind.UNKNOWN):
        differentiated = (inputs,)  # a sequence of unknown length is taken for one tensor: its first element is right
    machine, site = frame.machine, frame.site(node)
    key = machine.number(GRAD, *(value.key for value in arguments.all))
    elements = tuple(
        Value(
            machine.number(GRAD, key, position),
            Kind.TENSOR,
            origin=Origin(GRAD, arguments.all, bound, site, str(position), state.frame),
            gradient=gradient,
            rank=each.rank,
            dtype=each.dtype if each.dtype is not DType.BOOL else DType.UNKNOWN,
            device=each.device,
        )
        for position, each in enumerate(differentiated or ())
    )
    made = Value(
        key,
        Kind.SEQUENCE,
        origin=Origin(GRAD, arguments.all, bound, site, frame=state.frame),
        gradient=gradient,
        elements=elements or None,
    )
    return machine.emit(made, state)


def _may_be_true(flag: Value | None) -> bool:
    if flag is None or flag.kind is Kind.NONE:
        return False
    return flag.is_default or not flag.has_constant or bool(flag.constant)


def backward(frame: Frame, receiver: Value, node: cst.Call, state: State) -> Value:
    """`loss.backward()`, recorded: what it is called on is what is minimised, whatever the function returns."""
    arguments = calls.read_arguments(frame, node, state)
    bound = calls.bind(_BACKWARD_SIGNATURE, arguments)
    if not arguments.complete:
        bound.setdefault("retain_graph", frame.machine.unknown(node, frame.unit))
    origin = Origin(BACKWARD, (receiver,), bound, frame.site(node), frame=state.frame)
    made = Value(frame.machine.fresh(), Kind.NONE, origin=origin)
    return frame.machine.emit(made, state)
