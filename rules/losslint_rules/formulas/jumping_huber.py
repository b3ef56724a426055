"""two pieces of a Huber loss that do not meet

Huber and smooth L1 losses are quadratic up to a threshold and linear beyond it, and a constant makes the pieces meet
there. A constant that was left out or scaled, a threshold that is not the one the constant belongs to, a comparison of the
signed error where its size is meant: the loss jumps at the threshold, gets smaller for a larger error, or costs nothing at
all on one side.

Reported are functions of one error whose pieces, worked out on numbers, are a parabola through 0 on one side of the threshold and a
straight line with a constant on the other, and that jump or differ between an error and its negative. What is weighed by
intervals without such a constant, cut off or asymmetric by a setting is silent.

## Bad

```python
import torch

def huber_loss(pred, target, delta=1.0):
    error = pred - target
    linear = delta * (error.abs() - 0.5 * delta)
    return torch.where(error < delta, 0.5 * error**2, linear).mean()
```

## Good

```python
import torch

def huber_loss(pred, target, delta=1.0):
    error = pred - target
    linear = delta * (error.abs() - 0.5 * delta)
    return torch.where(error.abs() < delta, 0.5 * error**2, linear).mean()
```

`F.huber_loss` and `F.smooth_l1_loss` have no such mistakes in them. No fix is offered, because their scales differ.

A run confirms it by errors just inside and just outside the threshold, of both signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.evaluation import number_at
from losslint_rules.formulas.polynomials import bare
from losslint_rules.formulas.residuals import Curve, compared_in, curves, inside

RULE = Rule(code="LL731", name="jumping-huber", severity=Severity.WARNING, doubted=True)

_JUMP = 1e-3
_STEP = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """What is wrong with a Huber loss, in words, and the comparison it follows from."""

    reason: str
    comparison: Value


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report choices and sums of pieces that are such a loss and do not meet."""
    found = {}
    for op in graph.named("where", "add", "index_put"):
        broken = _broken(op.value) if graph.matters(op.value) else None
        if broken is not None:
            found[op.value.key] = (op, broken)
    parts = {each.key for op, _ in found.values() for each in ancestors([op.value]) if each.key != op.value.key}
    for key, (op, broken) in found.items():
        site = broken.comparison.origin.site
        steps = [Step(site, "the pieces are chosen here")] if site is not None else []
        if key not in parts:
            yield RULE.finding(op.site, broken.reason, evidence=with_calls(op, steps))


def _broken(value: Value) -> Broken | None:
    for comparison, left, right in compared_in(value):
        for side, limit in ((left, right), (right, left)):
            residual = inside(side)
            if residual.has_constant or inside(limit).key == residual.key:
                continue
            for shape in curves(value, residual):
                threshold = number_at(limit, shape.settings)
                reason = _reason(shape, threshold, excerpt(residual), side) if threshold and threshold > 0 else None
                if reason is not None:
                    return Broken(reason, comparison)
    return None


def _reason(shape: Curve, threshold: float, name: str, side: Value) -> str | None:
    """What is wrong, where one side of 0 is a parabola first and a line with a constant then."""
    signs = (1.0, -1.0) if _is_sized(shape) else (1.0,)
    if not any(_is_huber(shape, threshold * sign) for sign in signs):
        return None
    for sign in signs:
        edge = threshold * sign
        before, after = shape.at(edge * (1 - _STEP)), shape.at(edge * (1 + _STEP))
        if before is not None and after is not None and abs(before - after) > _JUMP * max(abs(before), abs(after)):
            return (
                f"this loss jumps at `{name}` = {edge:.3g}, from {before:.3g} just inside to {after:.3g} just outside: its two "
                "pieces do not meet"
                + ("" if shape.has_defaults else ", with other settings than the defaults")
                + (", because the comparison looks at the signed error and not at its size" if _is_signed(side) else "")
            )
    here, there = shape.at(4 * threshold), shape.at(-4 * threshold)
    if len(signs) == 2 and here is not None and there is not None and abs(here - there) > _JUMP * max(here, there):
        return (
            f"this loss is linear beyond the threshold on one side alone: it is {here:.3g} for `{name}` = {4 * threshold:.3g} "
            f"and {there:.3g} for {-4 * threshold:.3g}; compare the size of the error, not the signed error"
        )
    return None


def _is_huber(shape: Curve, edge: float) -> bool:
    """Whether a curve is a parabola through 0 inside and a line with a constant outside, both rising."""
    numbers = [shape.at(edge * times) for times in (0.0, 0.25, 0.5, 2.0, 4.0, 8.0)]
    if any(each is None for each in numbers):
        return False
    zero, quarter, half, double, four, eight = (each or 0.0 for each in numbers)
    scale = abs(eight) + abs(half)
    is_parabola = abs(zero) < _JUMP * scale and quarter > 0 and abs(half - 4 * quarter) < _JUMP * half
    slope = (eight - four) / 4
    is_line = slope > 0 and abs((four - double) / 2 - slope) < _JUMP * slope
    return is_parabola and is_line and abs(four - 4 * slope) > _JUMP * four


def _is_sized(shape: Curve) -> bool:
    """Whether the formula takes the size of its residual: else that is never negative, as far as its author knows."""
    return shape.residual.interval.low < 0 and any(
        each.origin.name == "abs" and bare(each.origin.operands[0]).key == shape.residual.key
        for each in ancestors([shape.value])
    )


def _is_signed(side: Value) -> bool:
    return inside(side).key == side.key and side.interval.low < 0
