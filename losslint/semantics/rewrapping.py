"""Tensors made of data that is there already, and what leaves the graph for Python and NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls, devices
from losslint.semantics.measures import data_sizes, listed_sizes
from losslint.semantics.operators import Parameter
from losslint.semantics.sizes import rank_of
from losslint.semantics.state import State
from losslint.semantics.values import EVERYTHING, Gradient, Kind, Origin, Role, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

_REWRAPS = frozenset(
    f"{module}.{name}Tensor"
    for module in ("torch", "torch.cuda")
    for name in ("Float", "Double", "Half", "Long", "Int", "Bool", "Byte", "")
)


def copies(qualified: str) -> bool:
    """Whether a call copies data into a tensor of its own: FloatTensor, Variable."""
    return qualified in _REWRAPS or qualified == "torch.autograd.Variable"


def parameter_tensor(frame: Frame, arguments: calls.Arguments, node: cst.Call) -> Value:
    """`nn.Parameter(data)`: training moves it anywhere, whatever it starts from, unless it is frozen."""
    first = arguments.all[0] if arguments.all else frame.machine.unknown(node, frame.unit)
    bound = calls.bind((Parameter("data"), Parameter("requires_grad", None)), arguments)
    frozen = "requires_grad" in bound and bound["requires_grad"].constant is False
    origin = Origin("parameter_tensor", (first,), site=frame.site(node), label="nn.Parameter")
    return first.with_(
        key=frame.machine.fresh(),
        kind=Kind.TENSOR,
        interval=first.interval if frozen else EVERYTHING,
        gradient=Gradient.NEUTRAL if frozen else Gradient.CARRIES,
        origin=origin,
        has_constant=False,
        constant=None,
        elements=None,
        zero=None,
        role=Role.CONFIG,
    )


def rewrap(frame: Frame, qualified: str, arguments: calls.Arguments, node: cst.CSTNode, state: State) -> Value:
    """A constructor that copies data and leaves the graph: torch.tensor, FloatTensor, Variable."""
    first = arguments.all[0] if arguments.all else None
    inside = inner_values(first) if first is not None else ()
    cut = any(value.gradient in (Gradient.CARRIES, Gradient.CUT) for value in inside)
    zero = any(value.gradient is Gradient.ZERO for value in inside)
    plain = first is not None and first.kind in (Kind.NUMBER, Kind.BOOL)
    last = qualified.rpartition(".")[2]
    name = last if last in ("Variable", "as_tensor", "from_numpy", "scalar_tensor") else "tensor"
    if qualified in _REWRAPS and first is not None and first.kind is Kind.NUMBER:
        inside, cut = (), False  # FloatTensor(3) makes an empty tensor of three elements
    keeps = name == "Variable" or (
        qualified == "torch.as_tensor" and first is not None and first.kind is not Kind.SEQUENCE
    )
    gradient = Gradient.ZERO if zero else Gradient.CUT if cut else Gradient.NEUTRAL
    if keeps and first is not None:
        gradient = first.gradient
    sizes = data_sizes(first) if first is not None else None
    if qualified in _REWRAPS and first is not None and first.kind is Kind.NUMBER:
        sizes = listed_sizes(arguments.all)  # FloatTensor(2, 3) is an empty tensor of these sizes
    origin = Origin(
        name,
        (first,) if first is not None else (),
        dict(arguments.named),
        frame.site(node),
        qualified,
        state.frame,
    )
    made = Value(
        key=frame.machine.number(qualified, *(value.key for value in arguments.all)),
        kind=Kind.TENSOR,
        interval=first.interval if first is not None and plain else frame.machine.constant(None).interval,
        origin=origin,
        gradient=gradient,
        rank=rank_of(sizes),
        shape=sizes,
        device=devices.rewrapped(qualified, first, arguments.named, state.device),
        constant=first.constant if first is not None and plain else None,
        has_constant=False,
    )
    return frame.machine.emit(made, state)


def inner_values(value: Value) -> tuple[Value, ...]:
    """A value and, for a sequence, its members at any depth."""
    if isinstance(value.elements, tuple):
        return tuple(inner for element in value.elements for inner in inner_values(element))
    if value.origin.name == "comprehension":
        return value.origin.operands
    return (value,)


def escape(frame: Frame, qualified: str, arguments: calls.Arguments, node: cst.Call, state: State) -> Value:
    """math.* and numpy.* on a tensor leave the graph."""
    values = tuple(inner for value in arguments.all for inner in inner_values(value))
    touched = [value for value in values if value.gradient in (Gradient.CARRIES, Gradient.ZERO, Gradient.CUT)]
    constants = [value for value in arguments.all if value.has_constant]
    made = Value(
        key=frame.machine.number(qualified, *(value.key for value in arguments.all)),
        kind=Kind.NUMBER if qualified.startswith("math.") else Kind.OBJECT,
        origin=Origin("escape", arguments.all, site=frame.site(node), label=qualified, frame=state.frame),
        gradient=Gradient.CUT if touched else Gradient.NEUTRAL,
    )
    if len(constants) == len(arguments.all) or not touched:
        return made
    return frame.machine.emit(made, state)
