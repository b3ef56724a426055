"""Shapes that a path learns: from unpacking and tests of ranks, and from operators that only take shapes that fit.

What is learned is kept by the key of a value, in symbols of another value or of its own: after `N, C = x.shape` x is
(x[0], x[1]), and after `logits.gather(1, y.unsqueeze(1))` y has the dimensions of logits but the second.
"""

from __future__ import annotations

from collections.abc import Mapping

from losslint.semantics.measures import literal_int, literal_ints, sizes_of
from losslint.semantics.sizes import (
    Size,
    Sizes,
    canonical,
    dimension,
    exposed,
    factors,
    is_pack,
    pack_parts,
    product,
    rank_of,
    rank_of_source,
    without,
)
from losslint.semantics.values import DType, Value

Shapes = Mapping[int, Sizes]


def own_shape(key: int, rank: int) -> Sizes:
    """The shape of a value of known rank in symbols of its own."""
    return tuple(dimension(key, position) for position in range(rank))


def from_rank(value: Value, rank: int) -> dict[int, Sizes]:
    """What is known once a rank is: the shape of the value, or of the one whose dimensions its shape names."""
    sizes = sizes_of(value)
    source = None if sizes is None else rank_of_source(sizes, rank)
    return {} if source is None else {source[0]: own_shape(*source)}


def from_operator(name: str, bound: Mapping[str, Value], rank: int | None, known: Shapes) -> dict[int, Sizes]:
    """What an operator of these arguments says of their shapes, given that it ran and made a result of this rank."""
    if name == "permute" and rank is not None:
        return from_rank(bound["input"], rank)
    if name in ("mm", "bmm"):
        pair = list(bound.values())[:2]
        return {key: sizes for value in pair for key, sizes in from_rank(value, 2 if name == "mm" else 3).items()}
    if name in ("mean", "sum") and "input" in bound:
        dims = literal_ints(bound.get("dim"))
        if dims is not None and len(dims) > 2 and dims == tuple(range(1, len(dims) + 1)):
            return from_rank(bound["input"], len(dims) + 1)  # all dimensions but the batch: there are no others
    if name in _FITTING and "input" in bound:
        pair_of = _FITTING[name]
        second = bound.get(pair_of)
        return {} if second is None else _fitted(name, bound["input"], second, bound, known)
    return {}


_FITTING = {
    "gather": "index",
    "nll_loss": "target",
    "cross_entropy_loss": "target",
    "binary_cross_entropy": "target",
    "binary_cross_entropy_with_logits": "target",
}


def _fitted(name: str, first: Value, second: Value, bound: Mapping[str, Value], known: Shapes) -> dict[int, Sizes]:
    large, small = sizes_of(first), sizes_of(second)
    if large is None or small is None:
        return {}
    large, small = resolved(large, known), resolved(small, known)
    fits: Sizes | None = large
    if name == "gather":
        dim = literal_int(bound.get("dim"))
        if dim is None:
            return {}
        fits, shrunk = without(large, dim), without(small, dim)
        if shrunk is None:
            return {}
        small = shrunk
    elif name in ("nll_loss", "cross_entropy_loss"):
        ranks = rank_of(large), rank_of(small)
        classes = name == "nll_loss" or second.dtype is DType.INT or (None not in ranks and ranks[0] != ranks[1])
        fits = without(large, 1) if classes else None
    source = _source(small, known)
    if source is None or fits is None or not fits or any(_key_of(size) == source for size in fits):
        return {}
    return {source: fits}


def _source(sizes: Sizes, known: Shapes) -> int | None:
    """The value that has exactly this shape, in symbols of its own."""
    if len(sizes) == 1 and is_pack(sizes[0]):
        key, first, last = pack_parts(str(sizes[0]))
        return None if first or last else key
    named = _key_of(sizes[0]) if sizes else None
    whole = named is not None and sizes == own_shape(named, len(sizes)) and known.get(named) == sizes
    return named if whole else None


def _key_of(size: Size) -> int | None:
    """The key of the value that a symbol or a pack is of; None for numbers and products."""
    if isinstance(size, int):
        return None
    if is_pack(size):
        return pack_parts(size)[0]
    key = size.partition("[")[0]
    return int(key) if key.isdecimal() and size.endswith("]") else None


def refined_shape(value: Value, known: Shapes) -> Value:
    """A value with what a path knows of its shape."""
    if value.shape is None:
        sizes = known.get(value.key)
        if sizes is None or value.rank is not None:
            return value
        sizes = resolved(sizes, known)
    else:
        sizes = resolved(value.shape, known)
        if sizes == value.shape:
            return value
    return value.with_(rank=rank_of(sizes), shape=sizes)


def resolved(sizes: Sizes, known: Shapes) -> Sizes:
    """The shape with symbols and packs of other values in place of those that are known to equal them."""
    for _ in range(4):  # one value's shape may be known in terms of another's that is known itself
        further = _substituted(sizes, known)
        if further == sizes:
            break
        sizes = further
    return sizes


def _substituted(sizes: Sizes, known: Shapes) -> Sizes:
    result: list[Size] = []
    for size in sizes:
        if isinstance(size, int) or not size:
            result.append(size)
        elif is_pack(size):
            opened = _opened(size, known)
            result.extend((size,) if opened is None else opened)
        else:
            result.append(_symbol(size, known))
    made = tuple(result)
    return canonical(made) if sum(is_pack(size) for size in made) < 2 else sizes


def _opened(text: str, known: Shapes) -> Sizes | None:
    """The dimensions of a pack where the shape of its value is known."""
    key, first, last = pack_parts(text)
    left: Sizes | None = known.get(key)
    for dim in (*(0 for _ in range(first)), *(-1 for _ in range(last))):
        left = None if left is None else without(left, dim)
    return left


def _symbol(size: str, known: Shapes) -> Size:
    if "·" in size or size.startswith("#"):
        number, names = factors(size)
        return product((number, *(_factor(name, known) for name in names)))
    key = _key_of(size)
    shape = None if key is None else known.get(key)
    found = None if shape is None else exposed(shape, int(size[size.index("[") + 1 : -1]))
    return size if found is None else found[0][found[1]]


def _factor(name: str, known: Shapes) -> Size:
    if not name.startswith("#"):
        return _symbol(name, known)
    opened = _opened("*" + name[1:], known)
    return name if opened is None else product(opened)
