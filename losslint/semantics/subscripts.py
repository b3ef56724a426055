"""Subscripts: elements of sequences and mappings, sizes of shapes, and indexing of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst
from msgspec.structs import replace

from losslint.semantics.comprehensions import SPLITS, element_of
from losslint.semantics.devices import of_member
from losslint.semantics.guards import chain, closure
from losslint.semantics.index_shapes import indexed
from losslint.semantics.measures import sizes_of, slice_label
from losslint.semantics.selections import is_selection, picks_by_name
from losslint.semantics.sizes import rank_of
from losslint.semantics.state import State
from losslint.semantics.values import DType, Kind, Origin, Reduced, Reduction, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame


def subscript(frame: Frame, node: cst.Subscript, state: State) -> Value:
    """`value[index]`."""
    receiver = frame.evaluate(node.value, state)
    frame.use(receiver, node, state, "item")
    indices = [_index(frame, element.slice, state) for element in node.slice]
    if receiver.kind is Kind.SHAPE:
        return _size(frame, node, receiver, indices)
    if isinstance(receiver.elements, tuple) and len(indices) == 1:
        found = _element(frame, receiver, receiver.elements, indices[0], node)
        if found is not None:
            return found
    if receiver.kind is Kind.SEQUENCE and receiver.origin.name in SPLITS and isinstance(indices[0], Value):
        return element_of(frame, receiver, node, state)
    if isinstance(receiver.elements, dict) and len(indices) == 1 and isinstance(indices[0], Value):
        named = receiver.elements.get(str(indices[0].constant))
        if isinstance(named, Value):
            return named
    if receiver.kind in (Kind.TENSOR, Kind.UNKNOWN) and (receiver.is_tensor or tensor_like(indices)):
        if not receiver.is_tensor:
            frame.learn(receiver, Kind.TENSOR)
        return select(frame, node, receiver, indices, state)
    made = frame.machine.unknown(node, frame.unit, (receiver,)).with_(device=of_member(receiver))
    if len(indices) == 1 and isinstance(indices[0], Value):
        return made.with_(origin=replace(made.origin, keywords={"index": indices[0]}))
    return made


def _index(frame: Frame, part: cst.BaseSlice, state: State) -> Value | cst.Slice:
    if isinstance(part, cst.Index):
        return frame.evaluate(part.value, state)
    assert isinstance(part, cst.Slice)
    return part


def _is_ragged(frame: Frame, part: Value | cst.Slice, state: State) -> bool:
    """Whether a slice ends where the data say: `x[: lengths[i]]`."""
    if isinstance(part, Value):
        return False
    bounds = [frame.evaluate(bound, state) for bound in (part.lower, part.upper) if bound is not None]
    return any(each.origin.name in _ELEMENTS for bound in bounds for each in _beneath(bound))


_ELEMENTS = frozenset({"getitem", "select", "item"})


def _beneath(value: Value, limit: int = 30) -> list[Value]:
    """A number and what it is computed from."""
    found: list[Value] = []
    pending = [value]
    while pending and len(found) < limit:
        current = pending.pop()
        found.append(current)
        pending.extend(current.origin.operands if current.origin.name not in ("size", "shape", "len") else ())
    return found


def tensor_like(indices: Sequence[Value | cst.Slice]) -> bool:
    """Several indices, a mask or a None: only tensors and arrays take those."""
    if len(indices) != 1:
        return bool(indices)
    index = indices[0]
    if not isinstance(index, Value):
        return False
    is_mask = index.kind is Kind.UNKNOWN and (index.dtype is DType.BOOL or picks_by_name(index))  # `x[x == 255]`
    return index.is_tensor or index.kind is Kind.NONE or is_mask


def _size(frame: Frame, node: cst.Subscript, receiver: Value, indices: list[Value | cst.Slice]) -> Value:
    index = indices[0]
    label = repr(index.constant) if isinstance(index, Value) else _slice_label(frame, index)
    origin = Origin("size", receiver.origin.operands, site=frame.site(node), label=label)
    key = frame.machine.number("size", receiver.key, label)
    kind = Kind.NUMBER if isinstance(index, Value) else Kind.SHAPE
    tensor = receiver.origin.operands[0] if receiver.origin.operands else None
    selected = tensor is not None and is_selection(tensor) and label == "0"
    zero = tensor.zero if selected and tensor is not None else None
    return Value(key, kind, origin=origin, rank=0, zero=zero, role=receiver.role)


def _slice_label(frame: Frame, part: cst.Slice) -> str:
    """The bounds of a slice where they are literal and its step is 1."""
    bounds = _part(part)
    return slice_label(*bounds) if isinstance(bounds, tuple) else f"slice {frame.unit.code(part)}"


def _literal_bound(node: cst.BaseExpression) -> int | None:
    negative = isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus)
    inner = node.expression if isinstance(node, cst.UnaryOperation) else node
    if not isinstance(inner, cst.Integer) or not inner.value.isdecimal():
        return None
    return -int(inner.value) if negative else int(inner.value)


def _element(
    frame: Frame, receiver: Value, elements: tuple[Value, ...], index: Value | cst.Slice, node: cst.Subscript
) -> Value | None:
    if isinstance(index, Value) and isinstance(index.constant, int) and index.has_constant:
        if -len(elements) <= index.constant < len(elements):
            return elements[index.constant]
        return None
    if isinstance(index, cst.Slice):
        return receiver.with_(key=frame.machine.fresh(), elements=None)
    return frame.machine.phi(elements, node, frame.unit) if elements else None


def select(frame: Frame, node: cst.Subscript, receiver: Value, indices: list[Value | cst.Slice], state: State) -> Value:
    """Indexing of a tensor, recorded as `getitem` with the label "mask" for boolean masks."""
    values = [index for index in indices if isinstance(index, Value)]
    masks = [value for value in values if value.kind in (Kind.TENSOR, Kind.UNKNOWN) and value.dtype is DType.BOOL]
    ragged = any(_is_ragged(frame, index, state) for index in indices)
    label = "mask" if masks else "ragged" if ragged else "index"
    sizes = indexed(sizes_of(receiver), [_part(index) for index in indices])
    rank = rank_of(sizes)
    zero = receiver.zero
    if zero is not None and masks:
        asked = closure(masks[0])
        if any(value.key in asked for value in chain(receiver)):
            zero = None  # x[x > 0] holds no zeros any more
    origin = Origin("getitem", (receiver, *values), site=frame.site(node), label=label, frame=state.frame)
    made = receiver.with_(
        key=frame.machine.number("getitem", receiver.key, *(_index_key(frame, index) for index in indices)),
        kind=Kind.TENSOR,
        origin=origin,
        rank=rank,
        shape=sizes,
        reduction=_selected_reduction(receiver, indices, rank),
        alias=frozenset() if masks else receiver.alias,
        zero=zero,
        constant=None,
        has_constant=False,
        elements=None,
    )
    return frame.machine.emit(made, state)


def _part(index: Value | cst.Slice) -> Value | tuple[int | None, int | None] | None:
    """An index as shapes see it: a value, or the literal bounds of a slice, None where they are not literal."""
    if isinstance(index, Value):
        return index
    lower, upper = (None if bound is None else _literal_bound(bound) for bound in (index.lower, index.upper))
    literal = (lower is None) is (index.lower is None) and (upper is None) is (index.upper is None)
    return (lower, upper) if literal and index.step is None else None


def _index_key(frame: Frame, index: Value | cst.Slice) -> int:
    return index.key if isinstance(index, Value) else frame.machine.number("slice", frame.unit.code(index))


def _selected_reduction(receiver: Value, indices: list[Value | cst.Slice], rank: int | None) -> Reduction:
    """An element taken by a number may be a scalar; a slice or a mask leaves elements."""
    if receiver.reduction.kind not in (Reduced.NONE, Reduced.PARTIAL) or rank == 0:
        return Reduction()
    numbers = [index for index in indices if isinstance(index, Value) and index.kind is not Kind.NONE]
    if any(not index.is_tensor for index in numbers if index.constant is not ...) and rank is None:
        return receiver.reduction if len(numbers) < len(indices) else Reduction()
    return receiver.reduction
