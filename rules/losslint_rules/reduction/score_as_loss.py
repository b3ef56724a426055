"""an overlap returned as a loss without `1 -`

The Dice coefficient and the IoU are 1 for a perfect prediction and 0 for none: scores to be maximised. Returned as a loss
as they are, without `1 -` or a minus, they are minimised: the network learns to miss the target.

Reported where a function or class that says loss returns a ratio of the intersection to the two sides, or one that is 1
where both sides are the same and 0 where one is empty. Silent for names
that say score, coefficient or index, and where code in the same file turns the sign.

## Bad

```python
def dice_loss(pred, target, smooth=1.0):
    intersection = (pred * target).sum()
    return (2 * intersection + smooth) / (pred.sum() + target.sum() + smooth)
```

## Good

```python
def dice_loss(pred, target, smooth=1.0):
    intersection = (pred * target).sum()
    return 1 - (2 * intersection + smooth) / (pred.sum() + target.sum() + smooth)
```

The fix puts `1 - ` in front. It is unsafe: it turns the loss round.

A run confirms it by a loss that is larger for a perfect prediction than for a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Kind, Site, Value
from losslint_rules.formulas.overlap_ratios import is_overlap
from losslint_rules.reduction.negations import is_named_as_loss, is_negated_in_file
from losslint_rules.reduction.overlaps import overlap_of

RULE = Rule(code="LL320", name="score-as-loss", severity=Severity.WARNING, doubted=True)

_AVERAGES = frozenset("mean sum squeeze view reshape flatten".split())


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report returned overlaps, averaged or not."""
    if not is_named_as_loss(graph):
        return
    for op in graph.returns:
        values = returned_values(op)
        found = _score(values[0]) if len(values) == 1 else None
        if found is None or is_negated_in_file(graph):
            continue
        site = found.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(values[0])}` is an overlap, 1 for a perfect prediction: minimised, it unlearns the target; return "
            "1 minus it",
            evidence=[Step(site, "intersection over the two sides")] if site is not None else [],
            rewrite=_rewrite(op),
        )


def _score(value: Value) -> Value | None:
    """The ratio of a returned overlap, through averages."""
    current = value
    while current.origin.operands:
        if overlap_of(current) is not None or is_overlap(current):
            return current
        operands = current.origin.operands
        divided = current.origin.name == "div" and operands[1].kind is Kind.NUMBER
        if not divided and current.origin.name not in _AVERAGES:
            return None
        current = operands[0]
    return None


def _rewrite(op: Op) -> Rewrite | None:
    node = op.site.node
    if not isinstance(node, cst.Return) or node.value is None or isinstance(node.value, cst.Tuple | cst.Dict):
        return None
    text = op.site.unit.code(node.value)
    content = f"1 - {text}" if _binds_tighter(node.value) else f"1 - ({text})"
    return Rewrite(
        Applicability.UNSAFE, "return 1 minus the overlap", (Replacement(Site(op.site.unit, node.value), content),)
    )


def _binds_tighter(node: cst.BaseExpression) -> bool:
    """Whether an expression can follow `1 - ` as it is."""
    if isinstance(node, cst.BinaryOperation):
        return bool(node.lpar) or isinstance(node.operator, cst.Multiply | cst.Divide)
    return isinstance(node, cst.Name | cst.Call | cst.Attribute | cst.Subscript)
