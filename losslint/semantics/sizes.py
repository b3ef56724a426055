"""Sizes of dimensions: numbers, symbols, and packs of dimensions that are not known one by one.

A shape holds one size a dimension: an int, a symbol, or "" where nothing is known. The symbol `57[1]` is dimension 1 of the
value with key 57, `n81` the number with key 81, and `57[0]·57[1]` a product. At most one entry is a pack: `*57:1:0` stands
for the dimensions of value 57 without its first and with its last one, however many there are. So `x.unsqueeze(1)` of an x of
unknown rank is (57[0], 1, *57:1:0).

Equal symbols are equal sizes. Different symbols may be equal too: nothing follows from that they differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

Size = int | str
Sizes = tuple[Size, ...]

_TIMES = "·"


def pack(key: int, without_first: int = 0, without_last: int = 0) -> str:
    """The dimensions of a value, but for some at the front and some at the back."""
    return f"*{key}:{without_first}:{without_last}"


def dimension(key: int, position: int) -> str:
    """One dimension of a value; the position counts from the back where it is negative."""
    return f"{key}[{position}]"


def is_pack(size: Size) -> bool:
    """Whether an entry of a shape stands for an unknown number of dimensions."""
    return isinstance(size, str) and size.startswith("*")


@lru_cache(maxsize=4096)
def pack_parts(text: str) -> tuple[int, int, int]:
    """The key of a pack's value, and how many dimensions it lacks at the front and at the back."""
    key, first, last = text[1:].split(":")
    return int(key), int(first), int(last)


def pack_position(sizes: Sizes) -> int | None:
    """Where in a shape its pack is."""
    for position, size in enumerate(sizes):
        if is_pack(size):
            return position
    return None


def rank_of(sizes: Sizes | None) -> int | None:
    """The number of dimensions, None where a pack hides it."""
    return None if sizes is None or pack_position(sizes) is not None else len(sizes)


def named(sizes: Sizes, key: int) -> Sizes:
    """The shape of the value with this key, unknown sizes given symbols of their own."""
    if "" not in sizes:
        return sizes
    hidden = pack_position(sizes)
    before = len(sizes) if hidden is None else hidden
    return tuple(
        size if size != "" else dimension(key, at if at < before else at - len(sizes)) for at, size in enumerate(sizes)
    )


def canonical(sizes: Sizes) -> Sizes:
    """The shape with dimensions beside its pack put back into it: (57[0], *57:1:0) is (*57:0:0)."""
    at = pack_position(sizes)
    if at is None:
        return sizes
    key, first, last = pack_parts(str(sizes[at]))
    start, end = at, at + 1
    while start > 0 and first > 0 and sizes[start - 1] == dimension(key, first - 1):
        start, first = start - 1, first - 1
    while end < len(sizes) and last > 0 and sizes[end] == dimension(key, -last):
        end, last = end + 1, last - 1
    return (*sizes[:start], pack(key, first, last), *sizes[end:])


def exposed(sizes: Sizes, dim: int) -> tuple[Sizes, int] | None:
    """The shape with dimension `dim` as an entry of its own, and where that is; None where that is not known.

    A pack may be empty. It gives up a dimension only where that has to be in it: counted from the front past all entries
    with nothing behind the pack, or from the back with nothing in front of it.
    """
    at = pack_position(sizes)
    if at is None:
        position = dim + len(sizes) if dim < 0 else dim
        return (sizes, position) if 0 <= position < len(sizes) else None
    behind = len(sizes) - at - 1
    key, first, last = pack_parts(str(sizes[at]))
    if dim >= 0:
        if dim < at:
            return sizes, dim
        if behind:
            return None
        taken = tuple(dimension(key, first + number) for number in range(dim - at + 1))
        return (*sizes[:at], *taken, pack(key, first + len(taken), last)), dim
    if -dim <= behind:
        return sizes, len(sizes) + dim
    if at:
        return None
    taken = tuple(dimension(key, -last - number) for number in range(-dim - behind, 0, -1))
    return (pack(key, first, last + len(taken)), *taken, *sizes[1:]), 1


def without(sizes: Sizes, dim: int) -> Sizes | None:
    """The shape without one dimension."""
    found = exposed(sizes, dim)
    return None if found is None else canonical((*found[0][: found[1]], *found[0][found[1] + 1 :]))


def replaced(sizes: Sizes, dim: int, size: Size) -> Sizes | None:
    """The shape with another size in one dimension."""
    found = exposed(sizes, dim)
    return None if found is None else canonical((*found[0][: found[1]], size, *found[0][found[1] + 1 :]))


def inserted(sizes: Sizes, dim: int, size: Size = 1) -> Sizes | None:
    """The shape with a new dimension that is `dim` in the result."""
    if dim in (0, -1):
        return (size, *sizes) if dim == 0 else (*sizes, size)
    found = exposed(sizes, dim - 1 if dim > 0 else dim + 1)
    if found is None:
        return None
    position = found[1] + 1 if dim > 0 else found[1]
    return canonical((*found[0][:position], size, *found[0][position:]))


def with_rank(sizes: Sizes, rank: int) -> Sizes:
    """The shape where its rank is known: the dimensions of its pack one by one."""
    at = pack_position(sizes)
    if at is None:
        return sizes
    count = rank - len(sizes) + 1
    if count < 0:
        return ("",) * rank
    key, first, _ = pack_parts(str(sizes[at]))
    return (*sizes[:at], *(dimension(key, first + number) for number in range(count)), *sizes[at + 1 :])


def rank_of_source(sizes: Sizes, rank: int) -> tuple[int, int] | None:
    """What a shape's rank says of the value its pack is of: that value's key and rank."""
    at = pack_position(sizes)
    if at is None or rank - len(sizes) + 1 < 0:
        return None
    key, first, last = pack_parts(str(sizes[at]))
    return key, first + last + rank - len(sizes) + 1


def factors(size: Size) -> tuple[int, list[str]]:
    """A size as a number and symbols to multiply."""
    if isinstance(size, int):
        return size, []
    number, symbols = 1, []
    for part in size.replace("*", "#").split(_TIMES):  # as a factor a pack is the product of its dimensions
        if part.isdecimal():
            number *= int(part)
        else:
            symbols.append(part)
    return number, symbols


def _joined(number: int, symbols: Iterable[str]) -> Size:
    parts = sorted(symbols)
    if not parts or number == 0:
        return number
    return _TIMES.join([str(number), *parts] if number != 1 else parts)


def product(sizes: Iterable[Size]) -> Size:
    """The number of elements of these dimensions."""
    total, symbols = 1, []
    for size in sizes:
        if size == "":
            return ""
        number, names = factors(size)
        total *= number
        symbols += names
    return _joined(total, symbols)


def quotient(total: Size, part: Size) -> Size:
    """How often `part` goes into `total`, "" where that is not known."""
    if "" in (total, part):
        return ""
    (number, symbols), (divisor, names) = factors(total), factors(part)
    left = Counter(symbols)
    left.subtract(names)
    if divisor == 0 or number % divisor or any(count < 0 for count in left.values()):
        return ""
    return _joined(number // divisor, left.elements())


def _pair(left: Size, right: Size) -> Size:
    if left == right or right == 1:
        return left
    if left == 1:
        return right
    return next((size for size in (left, right) if isinstance(size, int)), "")


def _paired(left: Sizes, right: Sizes) -> Sizes:
    """Two shapes without packs against each other, the last dimensions first."""
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    alone = len(longer) - len(shorter)
    return (*longer[:alone], *(_pair(one, other) for one, other in zip(longer[alone:], shorter, strict=True)))


def with_same_pack(left: Sizes, right: Sizes) -> tuple[Sizes, Sizes] | None:
    """Both shapes with the same pack, if their packs are of the same value: the larger one gives up dimensions."""
    at, other = pack_position(left), pack_position(right)
    if at is None or other is None:
        return None
    key, first, last = pack_parts(str(left[at]))
    other_key, other_first, other_last = pack_parts(str(right[other]))
    if key != other_key:
        return None
    first, last = max(first, other_first), max(last, other_last)
    return _opened(left, at, first, last), _opened(right, other, first, last)


def _opened(sizes: Sizes, at: int, first: int, last: int) -> Sizes:
    key, old_first, old_last = pack_parts(str(sizes[at]))
    front = (dimension(key, number) for number in range(old_first, first))
    back = (dimension(key, -number) for number in range(last, old_last, -1))
    return (*sizes[:at], *front, pack(key, first, last), *back, *sizes[at + 1 :])


def broadcast(left: Sizes, right: Sizes) -> Sizes | None:
    """The shape of an operator on two tensors element by element, where they are broadcastable; None where unknown."""
    if left == right or not right:
        return left
    if not left:
        return right
    at, other = pack_position(left), pack_position(right)
    if at is None and other is None:
        return _paired(left, right)
    if at is None:
        return broadcast(right, left)
    if other is None:
        behind = left[at + 1 :]
        return canonical((*left[: at + 1], *_paired(behind, right))) if len(right) <= len(behind) else None
    same = with_same_pack(left, right)
    if same is None:
        return None
    left, right = same
    at, other = pack_position(left), pack_position(right)
    assert at is not None and other is not None
    if len(left) - at != len(right) - other:
        return None
    front, back = _paired(left[:at], right[:other]), _paired(left[at + 1 :], right[other + 1 :])
    return canonical((*front, left[at], *back))


def broadcast_all(shapes: Sequence[Sizes | None]) -> Sizes | None:
    """The shape of an operator on several tensors element by element."""
    result: Sizes | None = ()
    for sizes in shapes:
        if sizes is None or result is None:
            return None
        result = broadcast(result, sizes)
    return result
