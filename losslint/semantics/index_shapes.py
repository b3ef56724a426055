"""The shape of `x[...]`: slices keep a dimension, numbers take one away, None adds one, tensors put theirs in its place."""

from __future__ import annotations

from collections.abc import Sequence

from losslint.semantics.measures import sizes_of
from losslint.semantics.sizes import Size, Sizes, broadcast_all, canonical, exposed, is_pack, pack_position
from losslint.semantics.values import DType, Kind, Value

Slice = tuple[int | None, int | None]
Part = Value | Slice | None


def indexed(sizes: Sizes | None, parts: Sequence[Part]) -> Sizes | None:
    """The shape of a tensor indexed with these parts: values, the bounds of slices, None for a slice nothing is known of."""
    if sizes is None:
        return None
    if len(parts) == 1 and isinstance(parts[0], Value) and _is_mask(parts[0]) and sizes_of(parts[0]) == sizes:
        return ("",)
    split = [at for at, part in enumerate(parts) if _is_ellipsis(part)]
    if len(split) > 1 or any(isinstance(part, Value) and _is_unclear(part) for part in parts):
        return None
    tensors = [at for at, part in enumerate(parts) if isinstance(part, Value) and _takes_tensor(part)]
    numbers = [at for at, part in enumerate(parts) if isinstance(part, Value) and part.kind is Kind.NUMBER]
    if tensors and (len(tensors) > 1 or numbers):
        advanced = sorted((*tensors, *numbers))
        if split or advanced[-1] - advanced[0] + 1 != len(advanced):
            return None  # what is separated goes to the front
    if len(tensors) > 1:
        return None if numbers else _by_several(sizes, parts, tensors)
    front, back = (parts[: split[0]], parts[split[0] + 1 :]) if split else (parts, ())
    behind = _walked(sizes, back, from_back=True) if back else ((), sizes)
    if behind is None:
        return None
    ahead = _walked(behind[1], front, from_back=False)
    return None if ahead is None else _whole((*ahead[0], *ahead[1], *behind[0]))


def _whole(sizes: Sizes) -> Sizes | None:
    return None if sum(is_pack(size) for size in sizes) > 1 else canonical(sizes)


def _walked(sizes: Sizes, parts: Sequence[Part], from_back: bool) -> tuple[Sizes, Sizes] | None:
    """What the parts make of the first (or last) dimensions, and the dimensions they leave alone."""
    taken = sum(_consumes(part) for part in parts)
    if pack_position(sizes) is None and taken > len(sizes):
        return None
    if taken:
        found = exposed(sizes, -taken if from_back else taken - 1)
        if found is None:
            return None
        sizes = found[0]
    cut = len(sizes) - taken if from_back else taken
    mine, rest = (sizes[cut:], sizes[:cut]) if from_back else (sizes[:cut], sizes[cut:])
    made: list[Size] = []
    at = 0
    for part in parts:
        count = _consumes(part)
        several = _made_of(mine[at : at + count], part)
        if several is None:
            return None
        made += several
        at += count
    return tuple(made), rest


def _made_of(taken: Sizes, part: Part) -> Sizes | None:
    if not isinstance(part, Value):
        return (_sliced(taken[0], part),)
    if part.kind is Kind.NONE:
        return (1,)
    if part.kind is Kind.NUMBER:
        return ()
    if part.kind is Kind.SEQUENCE:
        return (len(part.elements) if isinstance(part.elements, tuple) else "",)
    return ("",) if _is_mask(part) else sizes_of(part)


def _sliced(size: Size, bounds: Slice | None) -> Size:
    """`:` keeps a size, `0:1` and `-1:` leave 1."""
    if bounds == (None, None) or bounds == (0, None):
        return size
    if bounds is None:
        return ""
    lower, upper = bounds
    if isinstance(size, int):
        return len(range(size)[lower:upper])
    if upper is None:
        return 1 if lower == -1 else ""
    return 1 if (lower or 0) >= 0 and upper - (lower or 0) == 1 else ""


def _is_ellipsis(part: Part) -> bool:
    return isinstance(part, Value) and part.has_constant and part.constant is ...


def _takes_tensor(part: Value) -> bool:
    return part.kind in (Kind.TENSOR, Kind.SEQUENCE) or _is_mask(part)


def _is_mask(part: Value) -> bool:
    return part.kind in (Kind.TENSOR, Kind.UNKNOWN) and part.dtype is DType.BOOL


def _is_unclear(part: Value) -> bool:
    """An index that may be a number or a tensor, or a mask of unknown rank."""
    if part.kind in (Kind.NONE, Kind.NUMBER) or _is_ellipsis(part):
        return False
    if _is_mask(part):
        return part.rank is None
    if part.kind is Kind.TENSOR:
        return part.dtype is not DType.INT
    if part.kind is Kind.SEQUENCE and isinstance(part.elements, tuple):
        return any(element.kind is not Kind.NUMBER for element in part.elements)
    return True


def _consumes(part: Part) -> int:
    """How many dimensions of the tensor a part stands for."""
    if not isinstance(part, Value):
        return 1
    if part.kind is Kind.NONE:
        return 0
    if _is_mask(part):
        return part.rank or 0
    return 1


def _by_several(sizes: Sizes, parts: Sequence[Part], tensors: Sequence[int]) -> Sizes | None:
    """`x[arange(N), y]`: the tensors broadcast, in the place of the first one where they stand side by side."""
    indices = [part for part in parts if isinstance(part, Value) and _takes_tensor(part)]
    if any(_is_mask(part) or part.kind is Kind.SEQUENCE for part in indices):
        return None
    before = _walked(sizes, parts[: tensors[0]], from_back=False)
    if before is None:
        return None
    gone = _walked(before[1], [(0, None)] * len(indices), from_back=False)
    together = broadcast_all([sizes_of(part) for part in indices])
    after = None if gone is None else _walked(gone[1], parts[tensors[-1] + 1 :], from_back=False)
    if after is None or together is None:
        return None
    return _whole((*before[0], *together, *after[0], *after[1]))
