"""Ranks and reductions: how many dimensions a result has, and whether it was brought together over all elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from losslint.semantics.operators import Operator, Shape
from losslint.semantics.values import Kind, Reduced, Reduction, Role, Value

UNKNOWN = Reduction()
ELEMENTWISE = Reduction(Reduced.NONE)
MEAN = Reduction(Reduced.MEAN, "all")
SUM = Reduction(Reduced.SUM, "all")


@dataclass(frozen=True, slots=True)
class ShapeFacts:
    """The rank (None unknown) and the reduction of a result."""

    rank: int | None = None
    reduction: Reduction = UNKNOWN


def shape_facts(operator: Operator, arguments: Mapping[str, Value], positional: Sequence[Value]) -> ShapeFacts:
    """What is known of the result's shape. `arguments` are bound by name, `positional` as they were written."""
    operands = list(arguments.values())
    first = operands[0] if operands else None
    match operator.shape:
        case Shape.POINTWISE if operator.name == "div" and _is_size(operands[-1]):
            return ShapeFacts(broadcast(operands).rank)  # a sum over a batch size is neither sum nor mean
        case Shape.POINTWISE if operator.name == "div" and all(_is_reduced(each) for each in operands[:2]):
            return ShapeFacts(broadcast(operands).rank)  # nor is a ratio of two sums
        case Shape.POINTWISE:
            return broadcast(pointwise_operands(operator, arguments))
        case Shape.SOFTMAX_LIKE | Shape.CAST:
            return _same(first)
        case Shape.REDUCTION:
            return _reduced(operator.name, arguments, first)
        case Shape.VIEW | Shape.RESHAPE_COPY:
            return _viewed(operator.name, arguments, positional, first)
        case Shape.PREDICATE:
            return ShapeFacts(0)
        case Shape.LOSS:
            return _loss(arguments, first)
        case Shape.DISTANCE:
            return ShapeFacts(None if first is None or first.rank is None else max(first.rank - 1, 0), _partial(first))
        case Shape.SELECT:
            return _selected(operator.name, first)
        case Shape.FACTORY if operator.name.endswith("_like"):
            return ShapeFacts(first.rank if first else None)
        case Shape.FACTORY:
            return ShapeFacts(_factory_rank(operator.name, positional))
        case Shape.MATMUL:
            return ShapeFacts(_matmul_rank(operands))
    return ShapeFacts()


def _is_size(divisor: Value) -> bool:
    return divisor.kind is Kind.NUMBER and not divisor.has_constant


def _is_reduced(value: Value) -> bool:
    return value.is_tensor and value.rank == 0 and value.reduction.kind in (Reduced.MEAN, Reduced.SUM)


def pointwise_operands(operator: Operator, arguments: Mapping[str, Value]) -> list[Value]:
    """The operands whose elements take part: numbers and flags among the arguments do not."""
    tensors = [value for value in arguments.values() if value.kind in (Kind.TENSOR, Kind.UNKNOWN)]
    return tensors or list(arguments.values())[:2]


def broadcast(operands: Sequence[Value]) -> ShapeFacts:
    """Element by element: the largest rank, and elementwise if any operand is."""
    ranks = [0 if value.kind in (Kind.NUMBER, Kind.BOOL) else value.rank for value in operands]
    known = [rank for rank in ranks if rank is not None]
    rank = max(known, default=None) if len(known) == len(ranks) else None
    kinds = [value.reduction.kind for value in operands if value.kind is not Kind.NUMBER]
    if Reduced.NONE in kinds and rank != 0:
        return ShapeFacts(rank, ELEMENTWISE)
    present = [value.reduction for value in operands if value.kind is not Kind.NUMBER and value.rank != 0]
    if any(each.kind is Reduced.PARTIAL for each in present):
        return ShapeFacts(rank, next(each for each in present if each.kind is Reduced.PARTIAL))
    scalars = [value.reduction for value in operands if value.kind is not Kind.NUMBER and value.role is not Role.CONFIG]
    agreed = scalars[0] if scalars and all(each == scalars[0] for each in scalars) else UNKNOWN
    return ShapeFacts(rank, agreed)


def _same(first: Value | None) -> ShapeFacts:
    return ShapeFacts() if first is None else ShapeFacts(first.rank, first.reduction)


def _partial(first: Value | None) -> Reduction:
    elementwise = first is not None and first.reduction.kind is Reduced.NONE
    return Reduction(Reduced.PARTIAL, "features") if elementwise else UNKNOWN


def _reduced(name: str, arguments: Mapping[str, Value], first: Value | None) -> ShapeFacts:
    if first is None:
        return ShapeFacts()
    dim = arguments.get("dim")
    if dim is None or dim.kind is Kind.NONE:
        return ShapeFacts(0, _over_all(name, first))
    keeps = arguments.get("keepdim")
    kept = keeps is not None and keeps.constant is True
    count = len(dim.elements) if isinstance(dim.elements, tuple) else 1
    if first.rank is not None and not kept and first.rank - count <= 0:
        return ShapeFacts(0, _over_all(name, first))
    rank = first.rank if kept or first.rank is None else first.rank - count
    over = name if name in ("mean", "sum") else "dims"
    kind = Reduced.PARTIAL if first.reduction.kind is Reduced.NONE else Reduced.UNKNOWN
    if dim.kind is Kind.UNKNOWN or (dim.kind is Kind.SEQUENCE and dim.elements is None):
        kind = Reduced.UNKNOWN
    return ShapeFacts(rank, Reduction(kind, over) if kind is Reduced.PARTIAL else UNKNOWN)


def _over_all(name: str, first: Value) -> Reduction:
    if first.rank == 0:
        return first.reduction
    if name not in ("mean", "sum", "nansum", "nanmean"):
        return UNKNOWN
    mine = MEAN if name in ("mean", "nanmean") else SUM
    before = first.reduction
    if before.kind is Reduced.PARTIAL:
        return mine if before.over == name else Reduction(mine.kind, "batch")
    return mine if before.kind is Reduced.NONE else Reduction(mine.kind, "")


def _viewed(name: str, arguments: Mapping[str, Value], positional: Sequence[Value], first: Value | None) -> ShapeFacts:
    if first is None:
        return ShapeFacts()
    rank: int | None = None
    sizes = list(positional[1:])
    if len(sizes) == 1 and isinstance(sizes[0].elements, tuple):
        sizes = list(sizes[0].elements)
    if name in ("view", "reshape", "expand", "broadcast_to"):
        known = all(size.kind in (Kind.NUMBER, Kind.UNKNOWN) for size in sizes)
        rank = len(sizes) if known and sizes and (len(sizes) > 1 or sizes[0].kind is Kind.NUMBER) else None
    elif name in ("flatten", "ravel") and len(positional) == 1 and "start_dim" not in arguments:
        rank = 1
    elif name in ("unsqueeze", "squeeze"):
        rank = _squeezed(name, arguments, first)
    elif name in ("view_as", "expand_as", "reshape_as") and len(positional) > 1:
        rank = positional[1].rank
    elif name in _SAME_RANK:
        rank = first.rank
    return ShapeFacts(rank, first.reduction)


_SAME_RANK = frozenset(
    [
        "permute",
        "transpose",
        "t",
        "movedim",
        "contiguous",
        "clone",
        "flip",
        "roll",
        "detach",
        "swapaxes",
        "mt",
        "adjoint",
        "narrow",
        "alias",
    ]
)


def _squeezed(name: str, arguments: Mapping[str, Value], first: Value) -> int | None:
    if first.rank is None:
        return None
    return first.rank + 1 if name == "unsqueeze" else None


def _loss(arguments: Mapping[str, Value], first: Value | None) -> ShapeFacts:
    reduction = arguments.get("reduction")
    how = "mean" if reduction is None else reduction.constant
    legacy = [arguments[name] for name in ("reduce", "size_average") if name in arguments]
    if any(value.kind is not Kind.NONE for value in legacy) or "**" in arguments:
        return ShapeFacts()
    if how == "mean":
        return ShapeFacts(0, MEAN)
    if how == "sum":
        return ShapeFacts(0, SUM)
    if how == "batchmean":
        return ShapeFacts(0, Reduction(Reduced.SUM, "batch"))
    if how == "none":
        return ShapeFacts(None, ELEMENTWISE)
    return ShapeFacts()


def _selected(name: str, first: Value | None) -> ShapeFacts:
    if first is None:
        return ShapeFacts()
    if name == "masked_select":
        return ShapeFacts(1, first.reduction)
    if name in ("nonzero", "argwhere"):
        return ShapeFacts(2)
    same = name in (
        "gather",
        "take_along_dim",
        "index_select",
        "topk",
        "sort",
        "narrow",
        "scatter",
        "index_put",
    )
    return ShapeFacts(first.rank if same else None, first.reduction)


def _factory_rank(name: str, positional: Sequence[Value]) -> int | None:
    if name in ("tensor", "as_tensor", "scalar_tensor"):
        value = positional[0] if positional else None
        return 0 if value is not None and value.kind in (Kind.NUMBER, Kind.BOOL) else None
    if name in ("zeros", "ones", "rand", "randn", "empty") and positional:
        numbers = [value for value in positional if value.kind is Kind.NUMBER]
        return len(numbers) if len(numbers) == len(positional) else None
    if name in ("arange", "linspace", "randperm"):
        return 1
    return 2 if name == "eye" else None


def _matmul_rank(operands: Sequence[Value]) -> int | None:
    ranks = [operand.rank for operand in operands[:2]]
    return 2 if ranks == [2, 2] else None
