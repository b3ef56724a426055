"""Where the shapes of a docstring may be relied on, and what has one value a sample for certain."""

from __future__ import annotations

from collections.abc import Collection

from losslint.semantics.documented_shapes import documented_sizes
from losslint.semantics.graph import RETURN, Graph, Op, ancestors
from losslint.semantics.known_shapes import resolved
from losslint.semantics.measures import literal_ints, sizes_of
from losslint.semantics.operators import Shape, operators
from losslint.semantics.sizes import Sizes, broadcast_all, pack, rank_of
from losslint.semantics.values import Kind, Value
from losslint_rules.shapes.matrix_use import ELEMENTWISE, REDUCTIONS
from losslint_rules.shapes.misalignment import consumers, introducer

_ASKS = frozenset({"size", "shape", "dim", "ndim", "len", "numel", "ndimension"})


def shapes_by_docstring(graph: Graph) -> dict[int, Sizes]:
    """The documented shapes of the inputs, and those of what is computed from them element by element."""
    known = documented_sizes(graph)
    for op in graph.ops if known else ():
        row = operators().get(op.name)
        if row is None or row.shape is not Shape.POINTWISE or sizes_of(op.value) != (pack(op.value.key),):
            continue
        shapes = [sizes_of(each) for each in op.operands if each.kind in (Kind.TENSOR, Kind.UNKNOWN, Kind.NUMBER)]
        made = broadcast_all([None if sizes is None else resolved(sizes, known) for sizes in shapes])
        if made and rank_of(made) is not None:
            known.setdefault(op.value.key, made)
    return known


def asks_for_shapes(op: Op, documented: Collection[int]) -> bool:
    """Whether a test on the way asks for the shape of a tensor that is documented: then the code knows of others."""
    return any(
        value.origin.name in _ASKS and any(each.key in documented for each in ancestors(value.origin.operands))
        for condition in op.conditions
        for value in ancestors([condition.test])
    )


def has_rows(graph: Graph, value: Value) -> bool:
    """Whether the rows of what is made of a value are told apart later, by a reduction along a dimension or an unknown use."""
    pending, seen = [value], {value.key}
    while pending and len(seen) < 80:
        current = pending.pop()
        for op in consumers(graph, current):
            if op.name in REDUCTIONS:
                dim = op.keywords.get("dim")
                if dim is not None and dim.kind is not Kind.NONE:
                    return True
            elif op.name not in _WHOLE:
                return True
            elif op.name != RETURN and op.value.rank != 0 and op.value.key not in seen:
                seen.add(op.value.key)
                pending.append(op.value)
    return False


_WHOLE = (
    ELEMENTWISE
    | frozenset(
        "maximum minimum smooth_l1_loss le lt ge gt eq ne masked_fill expand_as item nan_to_num clip square sum".split()
    )
    | {RETURN}
)


def is_squeezed(value: Value) -> bool:
    """Whether a value is what `squeeze(-1)` leaves of a last dimension of size 1, as nn.Linear(n, 1) gives it."""
    squeezed = introducer(value)
    if squeezed.origin.name != "squeeze" or literal_ints(squeezed.origin.keywords.get("dim")) not in ((-1,), [-1]):
        return False
    before = sizes_of(squeezed.origin.operands[0])
    return before is not None and len(before) > 1 and before[-1] == 1
