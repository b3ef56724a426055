"""`x.diagonal().fill_(0)` and `x[:, k:].fill_diagonal_(1)` change x itself, though they are called on a view of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import intervals
from losslint.semantics.graph import IN_PLACE
from losslint.semantics.machine import strongest_gradient
from losslint.semantics.state import State
from losslint.semantics.values import Origin, Value
from losslint.semantics.zeros import strongest

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

_VIEWS = frozenset("diagonal view t transpose permute select narrow squeeze unsqueeze".split())


def write_through_view(frame: Frame, node: cst.Call, given: Value, state: State) -> None:
    """Bind the name behind a chain of views to what it holds once a method has written `given` into its view."""
    name = _base(node)
    base = state.scope.get(name) if name is not None else None
    if name is None or base is None or not base.is_tensor:
        return
    flowing = (base.gradient, given.gradient) if state.gradient_matters else (base.gradient,)
    made = base.with_(
        key=frame.machine.fresh(),
        origin=Origin("index_put", (base, given), site=frame.site(node), frame=state.frame),
        interval=intervals.hull(base.interval, given.interval),
        gradient=strongest_gradient(flowing),
        zero=strongest(iter((base.zero, given.zero))),
        constant=None,
        has_constant=False,
    )
    state.bind(name, frame.machine.emit(made, state, IN_PLACE))


def _base(node: cst.Call) -> str | None:
    receiver = node.func.value if isinstance(node.func, cst.Attribute) else None
    views = 0
    while isinstance(receiver, (cst.Call, cst.Subscript)):
        if isinstance(receiver, cst.Subscript):
            if not all(map(_keeps_storage, receiver.slice)):
                return None
            receiver = receiver.value
        elif isinstance(receiver.func, cst.Attribute) and receiver.func.attr.value in _VIEWS:
            receiver = receiver.func.value
        else:
            return None
        views += 1
    return receiver.value if views and isinstance(receiver, cst.Name) else None


def _keeps_storage(element: cst.SubscriptElement) -> bool:
    """Whether an index is a range or a written number: a tensor, or a name that may be one, gives a copy."""
    match element.slice:
        case cst.Slice() | cst.Index(value=cst.Integer() | cst.Ellipsis()):
            return True
        case cst.Index(value=cst.UnaryOperation(operator=cst.Minus(), expression=cst.Integer())):
            return True
        case cst.Index(value=cst.Name(value="None")):
            return True
    return False
