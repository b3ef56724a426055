"""Along which dimension a value was normalised, and whether two dimensions of one value are known to differ."""

from __future__ import annotations

from dataclasses import dataclass

from losslint.semantics.graph import Graph
from losslint.semantics.measures import literal_int, sizes_of
from losslint.semantics.sizes import rank_of
from losslint.semantics.values import Value

DEFAULT_DIMS = {"normalize": 1}
_SAME_PLACES = frozenset(
    "neg float half double detach clone contiguous clamp clamp_min clamp_max to type_as nan_to_num data".split()
)
_SCALED = frozenset({"mul", "div", "add", "sub"})
_SWAPS = frozenset({"t", "transpose"})
_FOLLOWED = frozenset(
    "neg abs mul div add sub clamp clamp_min clamp_max exp log relu sqrt masked_fill where acos arccos softplus".split()
)


@dataclass(frozen=True, slots=True, eq=False)
class Normalised:
    """A value that an operator (`by`) has normalised along `dim`: to unit length, or to a distribution."""

    by: Value
    dim: int

    @property
    def name(self) -> str:
        """The operator: normalize, softmax or log_softmax."""
        return self.by.origin.name


def normalised(value: Value, *names: str) -> Normalised | None:
    """The operator with one of these names that normalised a value, through what leaves every element in its place."""
    for _ in range(20):
        name, operands = value.origin.name, value.origin.operands
        if name in names:
            dim = value.origin.keywords.get("dim")
            along = DEFAULT_DIMS.get(name) if dim is None else literal_int(dim)
            return None if along is None else Normalised(value, along)
        if name in _SAME_PLACES and operands:
            value = operands[0]
        elif name in _SCALED and len(operands) == 2 and any(map(is_number, operands)):
            value = operands[1] if is_number(operands[0]) else operands[0]
        else:
            return None
    return None


def is_number(value: Value) -> bool:
    """Whether a value has no dimensions, or is a setting."""
    return value.is_scalar or value.role.value == "config"


def differ(value: Value, one: int, other: int) -> bool:
    """Whether two dimensions of a value are different ones; nobody calls the only dimension of a vector 0 and -1 by turns."""
    rank = rank_of(sizes_of(value))
    if rank is None:
        return (one != other and (one >= 0) is (other >= 0)) or {one, other} == {0, -1}
    return -rank <= min(one, other) and max(one, other) < rank and one % rank != other % rank


def without_transposition(value: Value) -> tuple[Value, bool]:
    """x of `x.t()`, `x.T`, `x.transpose(0, 1)` and `x.transpose(-1, -2)`, and whether there was one."""
    turned = False
    while value.origin.name in _SWAPS and value.origin.operands:
        dims = [literal_int(each) for each in value.origin.operands[1:]]
        if dims and set(dims) not in ({0, 1}, {-1, -2}):
            break
        value, turned = value.origin.operands[0], not turned
    return value, turned


def is_averaged(graph: Graph, value: Value, over: frozenset[str] = frozenset({"mean"})) -> bool:
    """Whether a value, through what works element by element, is brought together over all its elements."""
    pending, seen = [value], {value.key}
    while pending and len(seen) < 40:
        current = pending.pop()
        for op in graph.uses(current):
            dim = op.keywords.get("dim")
            if op.name in over and (dim is None or dim.kind.value == "none"):
                return True
            if op.name in _FOLLOWED and op.value.rank != 0 and op.value.key not in seen:
                seen.add(op.value.key)
                pending.append(op.value)
    return False
