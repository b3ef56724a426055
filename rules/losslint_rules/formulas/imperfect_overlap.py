"""an overlap loss that is not 0 for a perfect prediction

Dice is twice the intersection over the sum of both sides, IoU the intersection over the sum less the intersection. Without the
two, or without the subtraction, a perfect prediction has an overlap of 1/2 and the loss never gets below 0.5; with both it
falls to -1. The smoothing constant is then weighed wrongly against small objects too, and a term mixed with others has an
offset.

Reported are `1 - ratio`, worked out on large masks of ones: where the prediction equals the target and the result is not 0,
although it is larger for a prediction of nothing. Constants for smoothing do not count, and what holds weights that no
reader knows is silent.

## Bad

```python
import torch

def dice_loss(pred, target, smooth=1.0):
    intersection = (pred * target).sum()
    return 1 - (intersection + smooth) / (pred.sum() + target.sum() + smooth)
```

## Good

```python
import torch

def dice_loss(pred, target, smooth=1.0):
    intersection = (pred * target).sum()
    return 1 - (2 * intersection + smooth) / (pred.sum() + target.sum() + smooth)
```

No fix is offered: Dice and IoU are both near.

A run confirms it by a prediction that equals the target.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.evaluation import MANY, number_at
from losslint_rules.formulas.overlap_ratios import products_of_two
from losslint_rules.formulas.polynomials import bare, number_of

RULE = Rule(code="LL733", name="imperfect-overlap", severity=Severity.WARNING, doubted=True)

_CLOSE = 0.02


@RULE.on_op("sub", "rsub")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report 1 minus a ratio that is not 1 where both sides are the same."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    one, ratio = op.operands if op.name == "sub" else op.operands[::-1]
    if one.constant != 1 or one.is_default or _goes_on(op, graph):
        return
    division = _division(ratio)
    for product, left, right in products_of_two(division.origin.operands[0]) if division is not None else ():
        if division is not None and _multiplies_sides(division.origin.operands[1], left, right):
            yield RULE.finding(
                op.site,
                f"`{excerpt(division.origin.operands[1])}` multiplies the sums of both sides, so that the ratio falls with the "
                "size of what overlaps: the intersection is divided by the sum of the two",
                evidence=with_calls(op, [Step(product.origin.site, "the intersection")] if product.origin.site else []),
            )
            return
        if _depend(left, right):
            return  # weights of the classes by their size: both sides change them
        both, none = ({left.key: p, right.key: 1.0} for p in (1.0, 0.0))
        perfect, empty = number_at(op.value, both, MANY), number_at(op.value, none, MANY)
        if perfect is None or empty is None:
            continue
        is_off = any(abs(perfect - wrong) < _CLOSE for wrong in (0.5, -1.0))
        if is_off and abs(empty - 1) < _CLOSE:
            site = product.origin.site
            yield RULE.finding(
                op.site,
                f"this is {perfect:.2g}, not 0, where `{excerpt(left)}` equals `{excerpt(right)}`: Dice is twice the "
                "intersection over the sum of both sides, IoU the intersection over that sum less the intersection",
                evidence=with_calls(op, [Step(site, "the intersection")] if site is not None else []),
            )
        return


def _multiplies_sides(value: Value, left: Value, right: Value) -> bool:
    """Whether a denominator is the product of the sums of both sides, with or without a number added."""
    value = bare(value)
    while value.origin.name in ("add", "clamp", "clamp_min") and number_of(value.origin.operands[-1]) is not None:
        value = bare(value.origin.operands[0])
    if value.origin.name != "mul" or len(value.origin.operands) != 2:
        return False
    sums = [bare(each) for each in value.origin.operands]
    return all(each.origin.name == "sum" for each in sums) and {bare(each.origin.operands[0]).key for each in sums} == {
        left.key,
        right.key,
    }


def _depend(left: Value, right: Value) -> bool:
    """Whether one side of an intersection is computed of the other."""
    return any(
        each.key == other.key
        for one, other in ((left, right), (right, left))
        for each in ancestors(one.origin.operands)
    )


def _division(value: Value) -> Value | None:
    """The ratio that a value is, averaged or a number of times."""
    current = value
    for _ in range(8):
        current = bare(current)
        operands = current.origin.operands
        if current.origin.name == "div" and number_of(operands[1]) is None:
            return current
        if current.origin.name == "mul" and len(operands) == 2:
            scaled = [each for each, other in (operands, operands[::-1]) if number_of(other) is not None]
            if not scaled:
                return None
            current = scaled[0]
        elif current.origin.name in ("mean", "div") and operands:
            current = operands[0]
        else:
            return None
    return None


def _goes_on(op: Op, graph: Graph) -> bool:
    """Whether another overlap is subtracted next: that of the background has the other half."""
    return any(
        use.name == "sub" and use.operands[0].key == op.value.key and any(products_of_two(use.operands[1]))
        for use in graph.uses(op.value)
    )
