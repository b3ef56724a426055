"""Collectives of torch.distributed, which fill tensors in place: what they gather has no graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls
from losslint.semantics.operators.model import parameters
from losslint.semantics.state import State
from losslint.semantics.values import Gradient, Kind, Origin, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

ALL_GATHER = "all_gather"
_GATHERS = {
    "torch.distributed.all_gather": parameters("tensor_list tensor group= async_op="),
    "torch.distributed.all_gather_into_tensor": parameters("output_tensor input_tensor group= async_op="),
    "torch.distributed.distributed_c10d.all_gather": parameters("tensor_list tensor group= async_op="),
}


def is_gather(qualified: str) -> bool:
    """Whether a function gathers tensors of all processes into those it is given."""
    return qualified in _GATHERS


def gather(frame: Frame, qualified: str, arguments: calls.Arguments, node: cst.Call, state: State) -> Value:
    """`dist.all_gather(gathered, x)`: what `gathered` is bound to holds the numbers of x, and no graph."""
    into, source = _bound(qualified, arguments)
    done = frame.machine.constant(None, node, frame.unit)
    if into is None or source is None:
        return done
    gradient = Gradient.CUT if source.gradient is Gradient.CARRIES else source.gradient
    origin = Origin(ALL_GATHER, (source,), site=frame.site(node), frame=state.frame)
    gathered = source.with_(
        key=frame.machine.fresh(), kind=Kind.TENSOR, origin=origin, gradient=gradient, alias=frozenset(), elements=None
    )
    frame.machine.emit(gathered, state)
    filled = gathered
    if not into.is_tensor:
        filled = into.with_(
            key=frame.machine.fresh(),
            kind=Kind.SEQUENCE,
            origin=Origin("comprehension", (gathered,), site=frame.site(node)),
            gradient=gradient,
            elements=None,
        )
    for name, value in state.scope.items():
        if value.key == into.key:
            state.bind(name, filled)
    return done


def _bound(qualified: str, arguments: calls.Arguments) -> tuple[Value | None, Value | None]:
    names: Mapping[str, Value] = calls.bind(_GATHERS[qualified], arguments)
    first, second = (parameter.name for parameter in _GATHERS[qualified][:2])
    return names.get(first), names.get(second)
