"""Loops: the body is run until what it finds at its head is what it leaves there.

The first turn starts from the values before the loop. Where it changes some of them, it is run again with values that may
be either, and once more with everything unknown that still changed. Only the last run is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics.graph import ancestors
from losslint.semantics.operators import Interval
from losslint.semantics.state import State
from losslint.semantics.values import DType, Origin, Reduced, Reduction, Role, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame
    from losslint.semantics.statements import Flow

MAX_NESTED = 2
HEAD = "loop head"

Turn = Callable[[State], "Flow"]


def settled(frame: Frame, node: cst.CSTNode, before: State, turn: Turn) -> Flow:
    """How one turn of a loop ends, from a head that holds for every turn. `turn` runs the body on a path of its own."""
    machine = frame.machine
    mark = machine.mark()
    with _nested(frame) as depth:
        flow = turn(before)
        if depth > MAX_NESTED:
            return flow
        carried = _changed(before, before, flow)
        for widen in (False, True):
            if not carried:
                break
            head = before.fork()
            head.scope = {
                **before.scope,
                **{name: _at_head(frame, node, before, name, ends, widen) for name, ends in carried.items()},
            }
            machine.return_to(mark)
            flow = turn(head)
            further = _changed(before, head, flow)
            if all(name in carried and _agrees(head.scope[name], ends) for name, ends in further.items()):
                break
            carried = {**carried, **further}
    return flow


def is_carried(values: Iterable[Value]) -> bool:
    """Whether values are computed from what an earlier turn of a loop left."""
    return any(each.origin.label == HEAD for each in ancestors(values))


def is_never_empty(iterated: cst.BaseExpression) -> bool:
    """Whether what a loop goes over is written out, so that it runs at least once."""
    match iterated:
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            return any(isinstance(each, cst.Element) for each in elements)
        case cst.Call(func=cst.Name(value="range"), args=[cst.Arg(value=cst.Integer(value=count))]):
            return count.strip("0_") != ""
    return False


@contextmanager
def _nested(frame: Frame) -> Iterator[int]:
    frame.machine.loop_depth += 1
    try:
        yield frame.machine.loop_depth
    finally:
        frame.machine.loop_depth -= 1


def _changed(before: State, head: State, flow: Flow) -> Mapping[str, Sequence[Value]]:
    """The names bound before a loop that a turn gives other values, with those."""
    ends = [*flow.falling, *flow.continued]
    found: dict[str, list[Value]] = {}
    for name in before.scope:
        values = {end.scope[name].key: end.scope[name] for end in ends if name in end.scope}
        values.pop(head.scope[name].key, None)
        values.pop(before.scope[name].key, None)
        if values:
            found[name] = list(values.values())
    return found


def _at_head(frame: Frame, node: cst.CSTNode, before: State, name: str, ends: Sequence[Value], widen: bool) -> Value:
    """What a name may hold when a turn begins: its start, or what an earlier turn left."""
    start = before.scope[name]
    made = frame.machine.phi([start, *ends])
    key = frame.machine.number("loop", id(node), name, start.key, widen)
    origin = Origin("phi", made.alternatives, label=HEAD)
    # Devices meet in the first turn if they ever do, so the head is where it started.
    head = made.with_(
        key=key, origin=origin, interval=_grown(start, ends), device=start.device, constant=None, has_constant=False
    )
    if widen:
        head = head.with_(
            rank=None,
            shape=None,
            role=Role.UNKNOWN,
            dtype=DType.UNKNOWN,
            reduction=Reduction(Reduced.UNKNOWN),
            elements=None,
        )
    return head


def _grown(start: Value, ends: Sequence[Value]) -> Interval:
    """The interval of a value that turns move: it keeps an end that no turn passes, zero or infinity."""
    low = min(value.interval.low for value in (start, *ends))
    high = max(value.interval.high for value in (start, *ends))
    return Interval(
        low if low >= start.interval.low else 0.0 if low >= 0 else float("-inf"),
        high if high <= start.interval.high else 0.0 if high <= 0 else float("inf"),
    )


def _agrees(head: Value, ends: Sequence[Value]) -> bool:
    """Whether what a turn leaves is what its head already may hold."""
    return all(
        head.interval.low <= end.interval.low
        and end.interval.high <= head.interval.high
        and (head.kind is end.kind or not end.is_tensor)
        and head.rank in (None, end.rank)
        and head.shape in (None, end.shape)
        and head.dtype in (DType.UNKNOWN, end.dtype)
        and (head.zero is not None or end.zero is None)
        for end in ends
    )
