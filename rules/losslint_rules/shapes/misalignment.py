"""Two operands of which one has a dimension more than the other, in a place where broadcasting does not expect it."""

from __future__ import annotations

from dataclasses import dataclass

from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import sizes_of
from losslint.semantics.sizes import Size, Sizes, canonical, is_pack, pack_position, with_same_pack
from losslint.semantics.values import Kind, Value


@dataclass(frozen=True, slots=True)
class Extra:
    """A dimension that the longer of two shapes has and the shorter lacks; `batched` if one in front of it is certain."""

    longer: Sizes
    shorter: Sizes
    position: int

    @property
    def size(self) -> Size:
        """How large it is."""
        return self.longer[self.position]

    @property
    def batched(self) -> bool:
        """Whether a dimension in front of it certainly exists."""
        return any(not is_pack(size) for size in self.longer[: self.position])

    @property
    def dim(self) -> int:
        """Its number as an operator wants it: from the back where what is in front is not known one by one."""
        hidden = pack_position(self.longer[: self.position])
        return self.position if hidden is None else self.position - len(self.longer)


def extra_dimension(longer: Sizes, shorter: Sizes) -> Extra | None:
    """The dimension that `longer` has more than `shorter`, if they are the same otherwise and do not line up.

    (N, 1) and (N,), or (N, C) and (N,): broadcasting lines the last dimensions up, and so N with something else.
    """
    if longer == shorter:
        return None
    same = with_same_pack(longer, shorter)
    if same is not None:
        longer, shorter = same
    elif pack_position(longer) is not None or pack_position(shorter) is not None:
        return None
    if len(longer) != len(shorter) + 1 or lines_up(longer, shorter):
        return None
    for position in range(len(longer) - 1, 0, -1):
        if longer[:position] + longer[position + 1 :] == shorter and not is_pack(longer[position]):
            return Extra(longer, shorter, position)
    return None


def lines_up(longer: Sizes, shorter: Sizes) -> bool:
    """Whether every dimension of the shorter shape is the one it is lined up with, or 1."""
    if pack_position(shorter) is not None and len(longer) - (pack_position(longer) or 0) != len(shorter) - (
        pack_position(shorter) or 0
    ):
        return False
    return all(
        one in (other, 1) for one, other in zip(reversed(shorter), reversed(longer[-len(shorter) :]), strict=False)
    )


def introducer(value: Value) -> Value:
    """The operator that gave a value its shape: through casts and what works element by element."""
    sizes = sizes_of(value)
    for _ in range(40):
        name = value.origin.name
        if name in _STOPS or (name == "getitem" and len(value.origin.operands) > 1):
            return value
        before = next((each for each in value.origin.operands if _has(each, sizes)), None)
        if before is None:
            return value
        value = before
    return value


_STOPS = frozenset({"gather", "take_along_dim", "unsqueeze", "view", "reshape", "expand", "unknown"})


def _has(value: Value, sizes: Sizes | None) -> bool:
    mine = sizes_of(value) if value.kind in (Kind.TENSOR, Kind.UNKNOWN) else None
    return mine is not None and sizes is not None and canonical(mine) == canonical(sizes)


def consumers(graph: Graph, value: Value) -> list[Op]:
    """The operators that take a value, or something that may be it."""
    return list(graph.holders(value))
