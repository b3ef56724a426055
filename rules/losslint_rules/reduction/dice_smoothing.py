"""an overlap smoothed on one side only

A constant is added above and below the line of a Dice or IoU loss so that an empty mask, predicted empty, counts as a
perfect overlap: `smooth / smooth` is 1. Added above the line alone, the ratio grows without bound as the prediction gets
empty, and the loss falls to large negative numbers (warning). Added below alone, an empty mask predicted empty gives 0
over the constant: the largest loss for a perfect prediction (info).

## Bad

```python
def dice_loss(pred, target):
    intersection = (pred * target).sum()
    return 1 - (2 * intersection + 1.0) / (pred.sum() + target.sum() + 1e-7)
```

## Good

```python
def dice_loss(pred, target):
    intersection = (pred * target).sum()
    return 1 - (2 * intersection + 1.0) / (pred.sum() + target.sum() + 1.0)
```

No fix is offered: whether empty masks are to count as perfect is the author's to say.

A run confirms it by an empty target and a prediction near 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Kind, Value
from losslint_rules.reduction.overlaps import Overlap, overlaps_in

RULE = Rule(code="LL319", name="dice-smoothing", severity=Severity.WARNING, preview=True)

_MUCH_LARGER = 100.0


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report overlaps in a returned loss whose constants do not cancel for empty masks."""
    for op in graph.returns:
        for found in overlaps_in(list(returned_values(op))):
            site = found.ratio.origin.site
            if site is None or graph.op_of(found.ratio) is None:
                continue
            above, below = _size(found.above), _size(found.below)
            if above is None or below is None or above == below:
                continue
            steps = _steps(found)
            if above > _MUCH_LARGER * below:
                yield RULE.finding(
                    site,
                    f"only `{excerpt(found.above)}` above the line is smoothed: for an empty target the ratio grows without "
                    "bound as the prediction empties; add the same constant below"
                    if found.above is not None
                    else "",
                    evidence=steps,
                )
            elif below > _MUCH_LARGER * above:
                yield RULE.finding(
                    site,
                    "smoothed below the line only: an empty target predicted empty has overlap 0, the largest loss; add the "
                    "same constant above if it is to count as perfect",
                    severity=Severity.INFO,
                    evidence=steps,
                )


def _size(constant: Value | None) -> float | None:
    """The number that is added: 0 where none is, None where it is an option or not known."""
    if constant is None:
        return 0.0
    literal = constant.kind is Kind.NUMBER and constant.has_constant and not constant.is_default
    if literal and isinstance(constant.constant, (int, float)):
        return float(constant.constant)
    return None


def _steps(found: Overlap) -> list[Step]:
    site = found.intersection.origin.site
    return [Step(site, "the intersection, 0 for an empty target")] if site is not None else []
