"""The shape of a value, and the sizes that numbers, `x.shape`, tuples of sizes and subscripts stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from losslint.semantics.sizes import (
    Size,
    Sizes,
    exposed,
    named,
    pack,
    pack_position,
    product,
    without,
)
from losslint.semantics.values import Kind, Value

_SHAPELESS = frozenset({Kind.STR, Kind.NONE, Kind.MAPPING, Kind.FUNCTION, Kind.CLASS, Kind.MODULE, Kind.SHAPE})


def sizes_of(value: Value) -> Sizes | None:
    """The shape of a tensor, or of what may be one, in symbols of its own where nothing is known; () for numbers."""
    if value.shape is not None:
        return named(value.shape, value.key)
    if value.kind in (Kind.NUMBER, Kind.BOOL):
        return ()
    if value.kind in _SHAPELESS or value.kind is Kind.SEQUENCE:
        return None
    if value.rank is not None:
        return named(("",) * value.rank, value.key)
    return (pack(value.key),)


def size_of(number: Value) -> Size:
    """The size that a Python number stands for: `x.size(1)`, `N * H`, a literal, or a symbol of its own."""
    origin = number.origin
    if number.has_constant:
        known = isinstance(number.constant, int) and not number.is_default
        return int(str(number.constant)) if known and not isinstance(number.constant, bool) else f"n{number.key}"
    if origin.name == "mul" and number.kind is Kind.NUMBER:
        return product(size_of(operand) for operand in origin.operands)
    if origin.name in ("size", "len", "numel") and len(origin.operands) == 1:
        sizes = sizes_of(origin.operands[0])
        found = None
        if sizes is not None:
            found = product(sizes) if origin.name == "numel" else _one(sizes, origin.label or "0")
        if found is not None:
            return found
    return f"n{number.key}"


def _one(sizes: Sizes, label: str) -> Size | None:
    try:
        found = exposed(sizes, int(label))
    except ValueError:
        return None
    return None if found is None else found[0][found[1]]


def listed_sizes(values: Iterable[Value]) -> Sizes | None:
    """The sizes of `view(N, -1)`, `zeros((2, 3))`, `expand(x.shape)`, `view(*x.shape[:2], -1)`; None where unknown."""
    given = list(values)
    sizes: list[Size] = []
    for value in given:
        if value.kind is Kind.NUMBER or (value.kind is Kind.UNKNOWN and len(given) > 1):
            sizes.append(size_of(value))
            continue
        several = listed_sizes(value.elements) if isinstance(value.elements, tuple) else sizes_of_shape(value)
        if several is None:
            return None
        sizes.extend(several)
    return tuple(sizes) if sum(pack_position((size,)) is not None for size in sizes) < 2 else None


def sizes_of_shape(value: Value) -> Sizes | None:
    """The sizes in `x.shape` or `x.size()`, or in a slice of them with literal bounds."""
    if value.kind is not Kind.SHAPE or not value.origin.operands:
        return None
    sizes = sizes_of(value.origin.operands[0])
    if value.origin.name == "shape" or sizes is None:
        return sizes
    bounds = slice_bounds(value.origin.label)
    return None if bounds is None else _sliced(sizes, *bounds)


def slice_label(lower: int | None, upper: int | None) -> str:
    """How a slice of a shape is labelled in the graph."""
    return f"{'' if lower is None else lower}:{'' if upper is None else upper}"


def slice_bounds(label: str) -> tuple[int | None, int | None] | None:
    """The bounds behind such a label, None where they are not literal."""
    lower, colon, upper = label.partition(":")
    if not colon or label.startswith("slice"):
        return None
    return (int(lower) if lower else None, int(upper) if upper else None)


def _sliced(sizes: Sizes, lower: int | None, upper: int | None) -> Sizes | None:
    if pack_position(sizes) is None:
        return sizes[lower:upper]
    start = lower or 0
    if start >= 0 and upper is not None and upper > start:
        opened = exposed(sizes, upper - 1)
        return None if opened is None else opened[0][start:upper]
    if start < 0 and upper is None:
        opened = exposed(sizes, start)
        return None if opened is None else opened[0][start:]
    if start >= 0 and upper is None:
        left: Sizes | None = sizes
        for _ in range(start):
            left = None if left is None else without(left, 0)
        return left
    return None


def data_sizes(data: Value) -> Sizes | None:
    """The shape of `torch.tensor(data)`: of a number, of a tensor, or of a literal list."""
    if not isinstance(data.elements, tuple):
        return sizes_of(data) if data.kind in (Kind.NUMBER, Kind.BOOL, Kind.TENSOR) else None
    inner = [data_sizes(element) for element in data.elements]
    if not inner or inner[0] is None or any(sizes != inner[0] for sizes in inner):
        return None
    return (len(inner), *inner[0]) if pack_position(inner[0]) is None else None


def asked_for_rank(number: Value) -> Value | None:
    """The tensor whose rank `x.dim()`, `x.ndim` or `len(x.shape)` is."""
    asked = number.origin.operands[0] if number.origin.operands else None
    if asked is not None and number.origin.name == "len":
        whole = asked.kind is Kind.SHAPE and asked.origin.name == "shape" and asked.origin.operands
        return asked.origin.operands[0] if whole else None
    return asked if number.origin.name in ("dim", "ndim", "ndimension") else None


def literal_int(value: Value | None) -> int | None:
    """The int a value is known to be."""
    if value is None or not value.has_constant or isinstance(value.constant, bool):
        return None
    return value.constant if isinstance(value.constant, int) else None


def literal_ints(value: Value | None) -> tuple[int, ...] | None:
    """The ints in a literal tuple, or one int as a tuple of one."""
    if value is not None and isinstance(value.elements, tuple):
        found = [literal_int(element) for element in value.elements]
        known = [each for each in found if each is not None]
        return tuple(known) if len(known) == len(found) else None
    single = literal_int(value)
    return None if single is None else (single,)


def all_sizes(values: Sequence[Value]) -> list[Sizes | None]:
    """The shapes of several values."""
    return [sizes_of(value) for value in values]
