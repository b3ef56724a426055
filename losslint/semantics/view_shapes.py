"""The shapes that views and copies give: view, permute, unsqueeze, expand, flatten and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from losslint.semantics.measures import listed_sizes, literal_int, literal_ints, size_of, sizes_of
from losslint.semantics.sizes import (
    Size,
    Sizes,
    canonical,
    exposed,
    inserted,
    pack_position,
    product,
    quotient,
    replaced,
    with_rank,
    without,
)
from losslint.semantics.values import Kind, Value


@dataclass(frozen=True, slots=True)
class View:
    """A call of a view: the shape of what is viewed, the arguments by name, and those after it as written."""

    sizes: Sizes
    arguments: Mapping[str, Value]
    rest: Sequence[Value]

    def number(self, name: str) -> int | None:
        """The literal int of an argument."""
        return literal_int(self.arguments.get(name))


def viewed(name: str, arguments: Mapping[str, Value], positional: Sequence[Value], first: Value) -> Sizes | None:
    """The shape that a view or a copy has; for split, chunk and unbind the shape of one part."""
    sizes = sizes_of(first)
    rule = _RULES.get(name)
    if rule is None or sizes is None:
        return None
    return rule(View(sizes, arguments, positional[1:]))


def _same(view: View) -> Sizes | None:
    return view.sizes


def _asked(view: View) -> Sizes | None:
    """The sizes in the call: `view(2, 3)`, `view((2, 3))`, `view(size=...)`."""
    named = next((view.arguments[name] for name in ("shape", "size") if name in view.arguments), None)
    return listed_sizes(view.rest or (() if named is None else (named,)))


def _reshaped(view: View) -> Sizes | None:
    sizes = _asked(view)
    if not sizes:
        return None
    if sizes.count(-1) != 1:
        return sizes
    left = quotient(product(view.sizes), product(size for size in sizes if size != -1))
    return tuple(left if size == -1 else size for size in sizes)


def _flattened(view: View) -> Sizes | None:
    start, end = view.number("start_dim"), view.number("end_dim")
    if not view.rest and not {"start_dim", "end_dim"} & view.arguments.keys():
        return (product(view.sizes),)
    start = 0 if "start_dim" not in view.arguments else start
    end = -1 if "end_dim" not in view.arguments else end
    if start is None or end is None:
        return None
    rank = len(view.sizes)
    if pack_position(view.sizes) is not None:
        opened = exposed(view.sizes, start - 1) if start > 0 else (view.sizes, 0)
        return (*opened[0][:start], product(opened[0][start:])) if opened is not None and end == -1 else None
    if rank == 0:
        return (1,)
    start, end = start % rank, end % rank
    return (*view.sizes[:start], product(view.sizes[start : end + 1]), *view.sizes[end + 1 :])


def _permuted(view: View) -> Sizes | None:
    given = view.rest if len(view.rest) > 1 else (view.rest or (view.arguments.get("dims"),))
    orders = [literal_ints(value) for value in given]
    known = [order for order in orders if order is not None]
    if len(known) != len(orders):
        return None
    dims = [dim for order in known for dim in order]
    sizes = with_rank(view.sizes, len(dims))
    if len(sizes) != len(dims) or any(not -len(dims) <= dim < len(dims) for dim in dims):
        return ("",) * len(dims)
    return tuple(sizes[dim] for dim in dims)


def _swapped(view: View) -> Sizes | None:
    return swapped(view.sizes, view.number("dim0"), view.number("dim1"))


def swapped(sizes: Sizes, one: int | None, other: int | None) -> Sizes | None:
    """The shape with two dimensions exchanged."""
    if one is None or other is None:
        return None
    for dim in (one, other, one):  # the second may open the pack further
        found = exposed(sizes, dim)
        if found is None:
            return None
        sizes = found[0]
    first, second = exposed(sizes, one), exposed(sizes, other)
    assert first is not None and second is not None
    at, to = first[1], second[1]
    result = list(sizes)
    result[at], result[to] = result[to], result[at]
    return canonical(tuple(result))


def turned(sizes: Sizes | None, last_two: bool = False) -> Sizes | None:
    """The shape of `x.t()` and `x.T`, or of `x.mT`."""
    if last_two and sizes is not None:
        return swapped(sizes, -1, -2)
    return None if sizes is None or pack_position(sizes) is not None else sizes[::-1]


def _moved(view: View) -> Sizes | None:
    source, destination = view.number("source"), view.number("destination")
    if pack_position(view.sizes) is not None:
        return None
    rank = len(view.sizes)
    if source is None or destination is None or not (-rank <= source < rank and -rank <= destination < rank):
        return ("",) * rank
    order = [dim for dim in range(rank) if dim != source % rank]
    order.insert(destination % rank, source % rank)
    return tuple(view.sizes[dim] for dim in order)


def _squeezed(view: View) -> Sizes | None:
    """Only what is known to be 1, or known not to be, is known to go, or to stay."""
    if "dim" not in view.arguments:
        known = all(isinstance(size, int) for size in view.sizes)
        return tuple(size for size in view.sizes if size != 1) if known else None
    dims = literal_ints(view.arguments["dim"])
    sizes: Sizes | None = view.sizes
    for dim in sorted(dims or (), reverse=True):
        found = exposed(sizes, dim) if sizes is not None and len(dims or ()) == 1 else None
        if found is None or not isinstance(found[0][found[1]], int):
            return None
        sizes = without(found[0], dim) if found[0][found[1]] == 1 else found[0]
    return sizes if dims else None


def _unsqueezed(view: View) -> Sizes | None:
    dim = view.number("dim")
    return None if dim is None else inserted(view.sizes, dim)


def _expanded(view: View) -> Sizes | None:
    sizes = _asked(view)
    if sizes is None or -1 not in sizes:
        return sizes
    if pack_position(sizes) is not None:
        return None
    new = len(sizes) - len(view.sizes)
    if new < 0 or pack_position(view.sizes) is not None:
        return tuple("" if size == -1 else size for size in sizes)
    return tuple(view.sizes[at - new] if size == -1 and at >= new else size for at, size in enumerate(sizes))


def _repeated(view: View) -> Sizes | None:
    times = listed_sizes(view.rest or ((view.arguments["repeats"],) if "repeats" in view.arguments else ()))
    if times is None or pack_position(times) is not None:
        return None
    if pack_position(view.sizes) is not None:
        return ("",) * len(times)
    padded = (*(1 for _ in range(len(times) - len(view.sizes))), *view.sizes)
    return tuple(product(pair) for pair in zip(padded, times, strict=True)) if len(padded) == len(times) else None


def _interleaved(view: View) -> Sizes | None:
    if "dim" not in view.arguments or view.arguments["dim"].kind is Kind.NONE:
        return ("",)
    repeats, dim = view.arguments.get("repeats"), view.number("dim")
    found = None if dim is None else exposed(view.sizes, dim)
    if found is None or dim is None:
        return None
    counted = repeats is not None and repeats.kind is Kind.NUMBER
    size: Size = product((found[0][found[1]], size_of(repeats))) if counted and repeats is not None else ""
    return replaced(view.sizes, dim, size)


def _as_other(view: View) -> Sizes | None:
    other = view.rest[0] if view.rest else view.arguments.get("other")
    return None if other is None else sizes_of(other)


def _narrowed(view: View) -> Sizes | None:
    dim, length = view.number("dim"), view.arguments.get("length")
    return None if dim is None or length is None else replaced(view.sizes, dim, size_of(length))


def _selected(view: View) -> Sizes | None:
    dim = view.number("dim")
    return None if dim is None else without(view.sizes, dim)


def _part(view: View) -> Sizes | None:
    """One of the parts of a split or chunk."""
    dim = view.number("dim") if "dim" in view.arguments else 0
    if dim is None:
        return None
    pieces = view.arguments.get("split_size_or_sections")
    return replaced(view.sizes, dim, 1 if literal_int(pieces) == 1 else "")


def _unbound(view: View) -> Sizes | None:
    dim = view.number("dim") if "dim" in view.arguments else 0
    return None if dim is None else without(view.sizes, dim)


def _unfolded(view: View) -> Sizes | None:
    dim = view.number("dimension")
    sizes = None if dim is None else replaced(view.sizes, dim, "")
    step = view.arguments.get("size")
    return None if sizes is None or step is None else (*sizes, size_of(step))


def _diagonal(view: View) -> Sizes | None:
    plain = not {"dim1", "dim2"} & view.arguments.keys()
    return ("",) if plain and pack_position(view.sizes) is None and len(view.sizes) == 2 else None


_RULES: dict[str, Callable[[View], Sizes | None]] = {
    **dict.fromkeys(("contiguous", "detach", "clone", "flip", "roll", "tril", "triu"), _same),
    **dict.fromkeys(("view", "reshape"), _reshaped),
    **dict.fromkeys(("view_as", "expand_as"), _as_other),
    **dict.fromkeys(("expand", "broadcast_to"), _expanded),
    **dict.fromkeys(("repeat", "tile"), _repeated),
    **dict.fromkeys(("split", "chunk"), _part),
    "ravel": _flattened,
    "flatten": _flattened,
    "permute": _permuted,
    "transpose": _swapped,
    "t": lambda view: turned(view.sizes),
    "movedim": _moved,
    "squeeze": _squeezed,
    "unsqueeze": _unsqueezed,
    "repeat_interleave": _interleaved,
    "narrow": _narrowed,
    "select": _selected,
    "unbind": _unbound,
    "unfold": _unfolded,
    "diagonal": _diagonal,
}
