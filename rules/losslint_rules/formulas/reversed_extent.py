"""an extent taken the wrong way round

The width and height of a box, or of where two boxes meet, are the upper corner less the lower one. The other way round they
are negative for every box, and a clamp at 0 makes them 0: the overlap or the area is 0 whatever the boxes are, and so is
its gradient.

Reported where the first two columns of boxes, or a minimum or maximum of those of two boxes, have the last two subtracted from
them, and the difference is clamped at 0.

## Bad

```python
import torch

def overlap_loss(pred, target):
    top_left = torch.max(pred[:, :2], target[:, :2])
    bottom_right = torch.min(pred[:, 2:], target[:, 2:])
    return 1 - (top_left - bottom_right).clamp(min=0).prod(dim=1).mean()
```

## Good

```python
import torch

def overlap_loss(pred, target):
    top_left = torch.max(pred[:, :2], target[:, :2])
    bottom_right = torch.min(pred[:, 2:], target[:, 2:])
    return 1 - (bottom_right - top_left).clamp(min=0).prod(dim=1).mean()
```

No fix is offered: the columns may be in another order than the usual one.

A run confirms it by an overlap of 0 for two equal boxes.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value

RULE = Rule(code="LL742", name="reversed-extent", severity=Severity.WARNING, doubted=True)

_PAIRWISE = frozenset({"minimum", "maximum", "min", "max", "fmin", "fmax"})


@RULE.on_op("clamp", "clamp_min", "relu")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report lower corners that have upper ones taken off, clamped at 0."""
    difference = op.operands[0]
    operands = difference.origin.operands
    if difference.origin.name != "sub" or len(operands) != 2 or not graph.matters(op.value) or not _cuts_at_zero(op):
        return
    if (_corner(operands[0]), _corner(operands[1])) != ("lower", "upper"):
        return
    steps = [
        Step(each.origin.site, f"the {which} corner")
        for each, which in zip(operands, ("lower", "upper"), strict=True)
        if each.origin.site is not None
    ]
    yield RULE.finding(
        op.site,
        f"`{excerpt(difference)}` is a lower corner less an upper one and never above 0, so the clamp makes it 0 for all boxes: "
        "take the lower corner off the upper one",
        evidence=with_calls(op, steps),
    )


def _cuts_at_zero(op: Op) -> bool:
    if op.name == "relu":
        return True
    bound = op.keywords.get("min") or (op.operands[1] if len(op.operands) > 1 else None)
    return bound is not None and bound.has_constant and isinstance(bound.constant, (int, float)) and bound.constant >= 0


def _corner(value: Value) -> str:
    """Which corner the columns of a value are: those of both sides, where it is the smaller or larger of two."""
    if value.origin.name in _PAIRWISE and len(value.origin.operands) == 2:
        sides = {_corner(each) for each in value.origin.operands}
        return sides.pop() if len(sides) == 1 else ""
    node = value.origin.site.node if value.origin.site is not None and value.origin.name == "getitem" else None
    if not isinstance(node, cst.Subscript):
        return ""
    match node.slice[-1].slice:
        case cst.Slice(lower=None, upper=cst.Integer(value="2"), step=None):
            return "lower"
        case cst.Slice(lower=cst.Integer(value="2"), upper=None | cst.Integer(value="4"), step=None):
            return "upper"
    return ""
