"""Elements that are set to zero because they do not count, before a mean is taken over all elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.measures import literal_int, literal_ints, sizes_of
from losslint.semantics.sizes import pack_position
from losslint.semantics.values import Gradient, Kind, Reduced, Value
from losslint_rules.excluding_masks import bare_mask, comparison_of, excludes
from losslint_rules.reduction.focal_weights import product_factors
from losslint_rules.reduction.loss_operators import is_given, reduces_all

WEIGHED = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "l1_loss", "smooth_l1_loss")
_IGNORING = ("cross_entropy_loss", "nll_loss")
_VIEWS = frozenset("view reshape flatten squeeze contiguous float to".split())


@dataclass(frozen=True, slots=True, eq=False)
class Zeroed:
    """Elements set to zero before a mean: by what, why that says what counts, and which values are the same mask."""

    by: Value
    why: str
    is_same: Callable[[Value], bool]


def zeroed_elements(op: Op) -> Iterator[Zeroed]:
    """What sets elements to zero in what is averaged."""
    for mask, keeps in _masks(op):
        why = excludes(mask, op, keeps)
        if why is not None:
            yield Zeroed(mask, why, partial(_has_root, _root(mask)))
    for factor in product_factors(op.operands[0]) if op.name == "mean" else ():
        entropy = without_views(factor)
        if ignored_by(entropy) is not None and entropy.reduction.kind is Reduced.NONE:
            target = bare_mask(entropy.origin.operands[1])
            yield Zeroed(entropy, "this is 0 for targets that are ignored", partial(_compares, target))


def ignored_by(loss: Value) -> Value | None:
    """The index that a cross entropy is told to ignore; None for -100, which torch ignores by itself."""
    if loss.origin.name not in _IGNORING:
        return None
    index = loss.origin.keywords.get("ignore_index")
    return index if index is not None and is_given(index) and (index.is_default or index.constant != -100) else None


def _masks(op: Op) -> Iterator[tuple[Value, bool]]:
    """The masks that set elements of what is averaged to zero, and whether they are true for what is kept."""
    if op.name in WEIGHED:
        if "weight" in op.keywords:
            yield op.keywords["weight"], True
        yield from _shared(op.operands[:2])
        return
    value = without_views(op.operands[0])
    operands = value.origin.operands
    if value.rank == 0 or not (reduces_all(op.value) or averages_samples(op.value)):
        return
    if value.origin.name == "masked_fill" and len(operands) == 3 and _is_zero(operands[2]):
        yield operands[1], False
    elif value.origin.name == "where" and len(operands) == 3 and any(_is_zero(each) for each in operands[1:]):
        yield operands[0], _is_zero(operands[2])
    elif value.origin.name == "index_put" and len(operands) == 3 and _is_zero(operands[1]):
        yield operands[2], False
    else:
        if value.origin.name in ("pow", "square", "abs") and operands[0].origin.name == "sub":
            yield from _shared(operands[0].origin.operands)
        factors = tuple(product_factors(value))
        for mask in factors:
            carried = any(each.gradient is Gradient.CARRIES and each.rank != 0 for each in factors if each is not mask)
            if carried and not _is_flat(mask, literal_ints(op.keywords.get("dim")) or ()):
                yield _asked(mask)


def _shared(sides: tuple[Value, ...]) -> Iterator[tuple[Value, bool]]:
    """The masks that both sides of a difference are multiplied by: where they are 0 the difference is."""
    if len(sides) == 2:
        roots = {_root(each) for each in product_factors(without_views(sides[1]))}
        for factor in product_factors(without_views(sides[0])):
            if _root(factor) in roots and factor.gradient is not Gradient.CARRIES:
                yield _asked(factor)


def averages_samples(value: Value) -> bool:
    """Whether a mean goes over literal dimensions other than the first: one mean a sample."""
    dims = literal_ints(value.origin.keywords.get("dim"))
    return value.origin.name == "mean" and bool(dims) and dims is not None and any(dims) and 0 not in dims


def _is_flat(mask: Value, dims: tuple[int, ...]) -> bool:
    """Whether a mask is the same all along these dimensions: the mean over them leaves as much as it finds."""
    sizes = sizes_of(mask)
    if sizes is not None and dims and pack_position(sizes) is None:
        return all(-len(sizes) <= dim < len(sizes) and sizes[dim] == 1 for dim in dims)
    added = {literal_int(each.origin.keywords.get("dim")) for each in _casts(mask) if each.origin.name == "unsqueeze"}
    hidden = sizes is not None and sizes[-1:] == (1,) and dims == (-1,)
    return bool(dims) and (hidden or set(dims) <= added)


def _casts(mask: Value) -> Iterator[Value]:
    """A mask and what it is a cast or a view of."""
    current = mask
    while current.origin.operands and current.key != bare_mask(mask).key:
        yield current
        current = current.origin.operands[0]


def _asked(mask: Value) -> tuple[Value, bool]:
    """The mask behind ones of which it sets some to zero, and whether it is true for what is kept."""
    made = bare_mask(mask)
    operands = made.origin.operands
    if made.origin.name == "masked_fill" and len(operands) == 3 and _is_one(operands[0]) and _is_zero(operands[2]):
        return operands[1], False
    if made.origin.name == "index_put" and len(operands) == 3 and _is_one(operands[0]) and _is_zero(operands[1]):
        return operands[2], False
    if made.origin.name == "where" and len(operands) == 3:
        if _is_one(operands[1]) and _is_zero(operands[2]):
            return operands[0], True
        if _is_zero(operands[1]) and _is_one(operands[2]):
            return operands[0], False
    return mask, True


def _is_one(value: Value) -> bool:
    return (value.has_constant and value.constant == 1) or value.interval.low == value.interval.high == 1


def without_views(value: Value) -> Value:
    """A value without casts and views."""
    return value.beneath(_VIEWS)


def _is_zero(value: Value) -> bool:
    if value.has_constant and value.constant == 0:
        return True
    return value.kind is Kind.TENSOR and value.interval.low == value.interval.high == 0


def _compares(target: Value, value: Value) -> bool:
    """Whether a value is a comparison of a target, as `target != ignore_index` is."""
    mask = bare_mask(value)
    return bool(comparison_of(mask)) and any(bare_mask(each).key == target.key for each in mask.origin.operands)


def is_accounted_for(graph: Graph, op: Op, zeroed: Zeroed) -> bool:
    """Whether the mask does more: its count divides somewhere, or what it leaves out is chosen elsewhere."""
    for other in graph.named("div"):
        if len(other.operands) == 2 and _is_count(other.operands[1], zeroed):
            return True
    for other in graph.named("mul"):
        scaled = [each for each in other.operands if any(value.key == op.value.key for value in ancestors([each]))]
        rest = [each for each in other.operands if each not in scaled]
        if scaled and any(map(zeroed.is_same, ancestors(rest))):
            return True
        if any(_is_complement(each, zeroed) for each in other.operands):
            return True
    return False


def _root(mask: Value) -> int:
    """The key of a mask without casts and negations."""
    current = bare_mask(mask)
    while current.origin.name in ("bitwise_not", "logical_not"):
        current = bare_mask(current.origin.operands[0])
    return current.key


def _has_root(root: int, mask: Value) -> bool:
    return _root(mask) == root


def _is_count(value: Value, zeroed: Zeroed) -> bool:
    """Whether a divisor is a number of elements that a mask leaves, guarded or scaled."""
    pending, seen = [value], set[int]()
    while pending:
        current = pending.pop()
        if zeroed.is_same(current):
            return True
        if current.key not in seen and current.origin.name in _COUNTING:
            seen.add(current.key)
            pending.extend(current.origin.operands)
    return False


_COUNTING = frozenset(
    "sum mean count_nonzero item clamp clamp_min maximum max add sub mul div float int to expand_as phi all_reduce".split()
)


def _is_complement(factor: Value, zeroed: Zeroed) -> bool:
    """`1 - mask` as a factor: what the mask leaves out makes another term."""
    found = bare_mask(factor)
    return found.origin.name in ("sub", "rsub") and any(map(zeroed.is_same, found.origin.operands))
