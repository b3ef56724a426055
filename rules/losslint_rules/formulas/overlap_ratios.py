"""Ratios with an intersection in them: which two sides they compare, found by working them out."""

from __future__ import annotations

from collections.abc import Iterator

from losslint.semantics.graph import ancestors
from losslint.semantics.values import Gradient, Kind, Value
from losslint_rules.formulas.evaluation import MANY, number_at
from losslint_rules.formulas.polynomials import bare

_CLOSE = 1e-3
_REDUCES = frozenset({"sum", "mean"})


def products_of_two(value: Value) -> Iterator[tuple[Value, Value, Value]]:
    """The reduced products of two tensors that a value is made of, and their two sides; one of them carries a gradient."""
    for each in ancestors([value]):
        if each.origin.name not in _REDUCES or not each.origin.operands:
            continue
        product = bare(each.origin.operands[0])
        if product.origin.name != "mul" or len(product.origin.operands) != 2:
            continue
        left, right = (bare(side) for side in product.origin.operands)
        is_tensor = all(side.kind is not Kind.NUMBER and not side.has_constant for side in (left, right))
        if is_tensor and left.key != right.key and Gradient.CARRIES in (left.gradient, right.gradient):
            yield product, left, right


def is_overlap(ratio: Value) -> bool:
    """Whether a division is 1 where two masks of ones are the same, 0 where either is empty, and in between for one that is half.

    Dice, IoU, Tversky and F-beta scores are, however their denominators are written; recalls, weighted means and means of what
    is not 0 are not.
    """
    if ratio.origin.name != "div":
        return False
    for _, left, right in products_of_two(ratio):
        found = [number_at(ratio, {left.key: one, right.key: other}, MANY) for one, other in _SIDES]
        same, nothing, missed, half, other_half, halves = (-1.0 if each is None else each for each in found)
        is_score = abs(same - 1) < _CLOSE and abs(nothing) < _CLOSE and abs(missed) < _CLOSE
        if is_score and halves > _MORE_THAN_PRODUCT and all(_CLOSE < each < 1 - _CLOSE for each in (half, other_half)):
            return True
    return False


_SIDES = ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (1.0, 0.5), (0.5, 1.0), (0.5, 0.5))
_MORE_THAN_PRODUCT = 0.3  # a mean over what is not 0 is 1/4 for two halves, an overlap 1/3 or more
