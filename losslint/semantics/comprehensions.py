"""Loops as expressions: what one turn of a `for` binds, and comprehensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics.devices import of_member
from losslint.semantics.graph import LOOP
from losslint.semantics.known_shapes import refined_shape
from losslint.semantics.measures import sizes_of, slice_bounds, slice_label
from losslint.semantics.sizes import rank_of, without
from losslint.semantics.state import State
from losslint.semantics.values import Kind, Origin, Reduced, Reduction, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

SPLITS = frozenset({"split", "chunk", "unbind"})


def comprehension(frame: Frame, node: cst.ListComp | cst.GeneratorExp | cst.SetComp, state: State) -> Value:
    """The sequence a comprehension makes, with one turn's element as its element."""
    inner = state.fork()
    loops = node.for_in
    iterated = frame.evaluate(loops.iter, inner)
    tensors = looped_tensors(iterated)
    if tensors:
        record_loop(frame, tensors, node, inner, "comprehension")
    inner.loops = (*inner.loops, frame.site(node))
    bind_target(frame, loops.target, element_of(frame, iterated, loops.iter, inner), inner)
    nested = loops.inner_for_in
    while nested is not None:
        bind_target(
            frame,
            nested.target,
            element_of(frame, frame.evaluate(nested.iter, inner), nested.iter, inner),
            inner,
        )
        nested = nested.inner_for_in
    element = frame.evaluate(node.elt, inner)
    made = frame.machine.unknown(node, frame.unit, (element,))
    return made.with_(
        kind=Kind.SEQUENCE,
        origin=Origin("comprehension", (element,), site=frame.site(node)),
        gradient=element.gradient,
        elements=iterated.elements if _keeps_all(node) and isinstance(iterated.elements, tuple) else None,
    )


def _keeps_all(node: cst.ListComp | cst.GeneratorExp | cst.SetComp) -> bool:
    """`[x for x in xs]` has the elements of xs."""
    loops = node.for_in
    if isinstance(node, cst.SetComp) or loops.ifs or loops.inner_for_in is not None:
        return False
    match node.elt, loops.target:
        case cst.Name(value=element), cst.Name(value=target):
            return element == target
    return False


def record_loop(frame: Frame, tensors: tuple[Value, ...], node: cst.CSTNode, state: State, detail: str) -> None:
    """Record a Python loop over tensors."""
    origin = Origin(LOOP, tensors, site=frame.site(node), frame=state.frame)
    frame.machine.emit(Value(frame.machine.fresh(), Kind.NONE, origin=origin), state, detail)


def looped_tensors(iterated: Value) -> tuple[Value, ...]:
    """The tensors a loop goes over, through `range(x.size(0))`, `zip` and `enumerate`; none for plain sequences."""
    if iterated.is_tensor:
        return (iterated,)
    if iterated.origin.name == "unbind":
        return iterated.origin.operands[:1]
    if iterated.origin.name == "range":
        return tuple(tensor for size in iterated.origin.operands for tensor in _sized(size))
    if iterated.origin.name in ("zip", "enumerate", "iter", "reversed"):
        return tuple(tensor for inner in iterated.origin.operands for tensor in looped_tensors(inner))
    return ()


def _sized(size: Value) -> tuple[Value, ...]:
    if size.origin.name in ("size", "len") and size.origin.operands:
        return tuple(each for each in size.origin.operands if each.is_tensor)
    return ()


def element_of(frame: Frame, iterated: Value, node: cst.CSTNode, state: State) -> Value:
    """What one turn of a loop over a value gets."""
    machine = frame.machine
    if isinstance(iterated.elements, tuple) and iterated.elements:
        return machine.phi(iterated.elements, node, frame.unit)
    if iterated.origin.name in ("zip", "enumerate"):
        parts = tuple(element_of(frame, inner, node, state) for inner in iterated.origin.operands)
        if iterated.origin.name == "enumerate":
            parts = (_index(frame, node), *parts)
        return machine.unknown(node, frame.unit, parts).with_(kind=Kind.SEQUENCE, elements=parts)
    if iterated.origin.name == "range":
        return _index(frame, node)
    if iterated.origin.name == "comprehension":
        return iterated.origin.operands[0]
    if iterated.origin.name in SPLITS:
        made = iterated.with_(kind=Kind.TENSOR)  # the shape of a split is that of a part
        return made.with_(
            key=machine.fresh(), origin=Origin("select", (made,), site=frame.site(node), frame=state.frame)
        )
    if iterated.is_tensor:
        sizes = sizes_of(iterated)
        left = None if sizes is None else without(sizes, 0)
        rank = rank_of(left)
        kept = iterated.reduction if rank != 0 and rank is not None else Reduction(Reduced.UNKNOWN)
        origin = Origin("select", (iterated,), site=frame.site(node), frame=state.frame)
        return iterated.with_(key=machine.fresh(), origin=origin, rank=rank, shape=left, reduction=kept)
    made = machine.unknown(node, frame.unit, (iterated,))
    return made.with_(role=iterated.role, device=of_member(iterated))


def _index(frame: Frame, node: cst.CSTNode) -> Value:
    return Value(frame.machine.fresh(), Kind.NUMBER, origin=Origin("loop_index", site=frame.site(node)), rank=0)


def bind_target(frame: Frame, target: cst.BaseExpression, value: Value, state: State) -> None:
    """Bind the names of an assignment target; unpacking takes elements where they are known."""
    if type(target) is cst.Name:  # most are, and isinstance is slow with libcst's classes
        state.bind(target.value, value)
        return
    match target:
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            _unpack(frame, elements, value, state)
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)):
            state.bind(f"self.{name}", value)
        case cst.Subscript():
            frame.store(target, value, state)
        case cst.StarredElement(value=inner):
            bind_target(frame, inner, value, state)


def _unpack(frame: Frame, elements: object, value: Value, state: State) -> None:
    assert isinstance(elements, (list, tuple))
    if value.kind is Kind.SHAPE:
        _unpack_shape(frame, elements, value, state)
        return
    known = value.elements if isinstance(value.elements, tuple) and len(value.elements) == len(elements) else None
    for position, element in enumerate(elements):
        if known is not None:
            part = known[position]
        elif value.is_tensor or value.origin.name in SPLITS:
            part = element_of(frame, value, element, state)
        else:
            part = frame.machine.unknown(element, frame.unit, (value,))
        bind_target(frame, element.value, part, state)


def _unpack_shape(frame: Frame, elements: Sequence[cst.BaseElement], shape: Value, state: State) -> None:
    """`N, C = x.shape`, which fixes the rank of x; behind a starred name dimensions count from the back."""
    starred = [at for at, element in enumerate(elements) if isinstance(element, cst.StarredElement)]
    whole = shape.origin.name == "shape"
    if whole and not starred:
        frame.learn_rank(shape.origin.operands[0], len(elements), state)
    operands = tuple(refined_shape(operand, state.shapes) for operand in shape.origin.operands)
    if whole and not starred and operands[0].rank not in (None, len(elements)):
        whole = False  # this path is never taken
    first, last = (0, None) if whole else slice_bounds(shape.origin.label) or (None, None)
    for position, element in enumerate(elements):
        label = "?"
        if not starred or position < starred[0]:
            label = str(first + position) if first is not None else str(position) if last is not None else "?"
        elif position > starred[0] and whole:
            label = str(position - len(elements))
        elif position == starred[0] and whole:
            label = slice_label(position or None, position + 1 - len(elements) or None)
        kind = Kind.SHAPE if isinstance(element, cst.StarredElement) else Kind.NUMBER
        origin = Origin("size", operands, site=frame.site(element), label=label)
        key = frame.machine.number("size", shape.key, label if label != "?" else f"? {position}")
        bind_target(frame, element.value, Value(key, kind, origin=origin, rank=0), state)
