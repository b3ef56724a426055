"""a ratio of counts that is rounded down

`//` of two counts gives a whole number: 30 negatives to 20 positives are a weight of 1, 10 to 20 a weight of 0, and a share such as
`mask.sum() // mask.numel()` is 0 until the mask is full. As a weight of a loss that is a term that comes and goes with the batch.

Reported where a number of elements that a test holds for, or what a target sums to as integers, is divided by `//` (or with
`rounding_mode`) by another number, and the result weighs a loss: as a factor, a divisor, `weight` or `pos_weight`. Whole
numbers that are wanted, for top-k, sizes and indices, are silent.

## Bad

```python
import torch.nn.functional as F

def balanced_loss(logits, target):
    positives = (target == 1).sum()
    negatives = (target == 0).sum()
    return F.binary_cross_entropy_with_logits(logits, target.float(), pos_weight=negatives // positives)
```

## Good

```python
import torch.nn.functional as F

def balanced_loss(logits, target):
    positives = (target == 1).sum()
    negatives = (target == 0).sum()
    return F.binary_cross_entropy_with_logits(logits, target.float(), pos_weight=negatives / positives.clamp(min=1))
```

The fix writes `/`. It is unsafe, because it changes the value.

A run confirms it: the weight jumps where one label is turned.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import DType, Kind, Value

RULE = Rule(code="LL508", name="floored-ratio", severity=Severity.WARNING, doubted=True)

_COUNTS = frozenset("sum count_nonzero bincount".split())
_VIEWS = frozenset("float to double half clamp clamp_min item view reshape unsqueeze type_as detach".split())


@RULE.on_op("floor_divide", "div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report rounded ratios of a count that weigh a loss."""
    mode = op.keywords.get("rounding_mode")
    if len(op.operands) < 2 or (op.name == "div" and (mode is None or mode.constant not in ("floor", "trunc"))):
        return
    count = _bare(op.operands[0])
    if count.origin.name not in _COUNTS or count.dtype is not DType.INT or op.operands[1].has_constant:
        return
    use = _weighing(op, graph)
    if use is None or not graph.matters(op.value):
        return
    site = count.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(op.value)}` rounds the ratio of two counts down to a whole number, 0 where the first is smaller, and weighs "
        "the loss with it; divide with /",
        evidence=with_calls(
            op, [*([Step(site, "a count")] if site is not None else []), Step(use.site, "weighs the loss here")]
        ),
        rewrite=_rewrite(op),
    )


def _bare(value: Value) -> Value:
    return value.beneath(_VIEWS)


def _weighing(op: Op, graph: Graph) -> Op | None:
    """Where the ratio is a factor, a divisor or a weight."""
    pending, seen = [op.value], set[int]()
    while pending and len(seen) < 12:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        for use in graph.uses(current):
            keys = {name: each.key for name, each in use.keywords.items()}
            if current.key in (keys.get("pos_weight"), keys.get("weight")):
                return use
            others = [each for each in use.operands if each.key != current.key]
            if use.name in ("mul", "div") and any(each.is_tensor and each.dtype is not DType.INT for each in others):
                return use
            if use.name in _VIEWS or (use.name in ("add", "mul") and all(each.kind is Kind.NUMBER for each in others)):
                pending.append(use.value)
    return None


def _rewrite(op: Op) -> Rewrite | None:
    node = op.site.node
    if not isinstance(node, cst.BinaryOperation) or not isinstance(node.operator, cst.FloorDivide):
        return None
    code = op.site.unit.code
    content = f"{code(node.left)} / {code(node.right)}"
    return Rewrite(Applicability.UNSAFE, f"use `{content}`", (Replacement(op.site, content),))
