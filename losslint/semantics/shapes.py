"""Shapes and reductions: the sizes a result has, and whether it was brought together over all elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from losslint.semantics.operators import Operator, Shape
from losslint.semantics.result_shapes import result_sizes
from losslint.semantics.sizes import Sizes, rank_of
from losslint.semantics.values import Kind, Reduced, Reduction, Role, Value

UNKNOWN = Reduction()
ELEMENTWISE = Reduction(Reduced.NONE)
MEAN = Reduction(Reduced.MEAN, "all")
SUM = Reduction(Reduced.SUM, "all")


class ShapeFacts(Struct, frozen=True):
    """The shape (None unknown) and the reduction of a result."""

    sizes: Sizes | None = None
    reduction: Reduction = UNKNOWN

    @property
    def rank(self) -> int | None:
        """The number of dimensions, None where it is not known."""
        return rank_of(self.sizes)


def shape_facts(operator: Operator, arguments: Mapping[str, Value], positional: Sequence[Value]) -> ShapeFacts:
    """What is known of the result's shape. `arguments` are bound by name, `positional` as they were written."""
    sizes = result_sizes(operator, arguments, positional)
    return ShapeFacts(sizes, _reduction(operator, arguments, rank_of(sizes)))


def _reduction(operator: Operator, arguments: Mapping[str, Value], rank: int | None) -> Reduction:
    operands = list(arguments.values())
    first = operands[0] if operands else None
    match operator.shape:
        case Shape.POINTWISE if operator.name == "div" and _is_size(operands[-1]):
            return UNKNOWN  # a sum over a batch size is neither sum nor mean
        case Shape.POINTWISE if operator.name == "div" and all(_is_reduced(each) for each in operands[:2]):
            return UNKNOWN  # nor is a ratio of two sums
        case Shape.POINTWISE:
            return _broadcast(pointwise_operands(operator, arguments), rank)
        case Shape.SOFTMAX_LIKE | Shape.CAST | Shape.VIEW | Shape.RESHAPE_COPY | Shape.SELECT:
            unlike = operator.shape is Shape.SELECT and operator.name in ("nonzero", "argwhere")
            return UNKNOWN if first is None or unlike else first.reduction
        case Shape.REDUCTION:
            return UNKNOWN if first is None else _reduced(operator.name, arguments, first, rank)
        case Shape.LOSS:
            return _loss(arguments)
        case Shape.DISTANCE:
            return _partial(first)
    return UNKNOWN


def _is_size(divisor: Value) -> bool:
    return divisor.kind is Kind.NUMBER and not divisor.has_constant


def _is_reduced(value: Value) -> bool:
    return value.is_tensor and value.rank == 0 and value.reduction.kind in (Reduced.MEAN, Reduced.SUM)


def pointwise_operands(operator: Operator, arguments: Mapping[str, Value]) -> list[Value]:
    """The operands whose elements take part: numbers and flags among the arguments do not."""
    tensors = [value for value in arguments.values() if value.kind in (Kind.TENSOR, Kind.UNKNOWN)]
    return tensors or list(arguments.values())[:2]


def _broadcast(operands: Sequence[Value], rank: int | None) -> Reduction:
    """Element by element: elementwise if any operand is."""
    kinds = [value.reduction.kind for value in operands if value.kind is not Kind.NUMBER]
    if Reduced.NONE in kinds and rank != 0:
        return ELEMENTWISE
    present = [value.reduction for value in operands if value.kind is not Kind.NUMBER and value.rank != 0]
    if any(each.kind is Reduced.PARTIAL for each in present):
        return next(each for each in present if each.kind is Reduced.PARTIAL)
    scalars = [value.reduction for value in operands if value.kind is not Kind.NUMBER and value.role is not Role.CONFIG]
    return scalars[0] if scalars and all(each == scalars[0] for each in scalars) else UNKNOWN


def _partial(first: Value | None) -> Reduction:
    elementwise = first is not None and first.reduction.kind is Reduced.NONE
    return Reduction(Reduced.PARTIAL, "features") if elementwise else UNKNOWN


def _reduced(name: str, arguments: Mapping[str, Value], first: Value, rank: int | None) -> Reduction:
    dim = arguments.get("dim")
    if dim is None or dim.kind is Kind.NONE or rank == 0:
        return _over_all(name, first)
    unknown = dim.kind is Kind.UNKNOWN or (dim.kind is Kind.SEQUENCE and dim.elements is None)
    if first.reduction.kind is not Reduced.NONE or unknown:
        return UNKNOWN
    return Reduction(Reduced.PARTIAL, name if name in ("mean", "sum") else "dims")


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


def _loss(arguments: Mapping[str, Value]) -> Reduction:
    reduction = arguments.get("reduction")
    how = "mean" if reduction is None else reduction.constant
    legacy = [arguments[name] for name in ("reduce", "size_average") if name in arguments]
    if any(value.kind is not Kind.NONE for value in legacy) or "**" in arguments:
        return UNKNOWN
    known = {"mean": MEAN, "sum": SUM, "batchmean": Reduction(Reduced.SUM, "batch"), "none": ELEMENTWISE}
    return known.get(how, UNKNOWN) if isinstance(how, str) else UNKNOWN
