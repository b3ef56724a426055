"""a mean of means over different numbers of elements

`(loss * mask).sum(1) / mask.sum(1)` and then `.mean()` gives every sample the same weight, however many elements of it count:
a token of a short sequence moves the network more than one of a long sequence. One quotient over the whole batch weighs all
elements alike. Both are in use, and batches cut up for gradient accumulation have the same choice to make; this is an info
that says which one it is.

Reported where the divisor is proven to be a count along some dimensions of a mask that leaves out padding or what is ignored,
and a mean over all samples follows. Means over the positives of each anchor, or over the classes that are present, are a
definition, and silent.

## Bad

```python
import torch.nn.functional as F

def sequence_loss(logits, target, pad_index: int):
    mask = (target != pad_index).float()
    loss = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    each = (loss * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return each.mean()
```

## Good

```python
import torch.nn.functional as F

def sequence_loss(logits, target, pad_index: int):
    mask = (target != pad_index).float()
    loss = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    return (loss * mask).sum() / mask.sum().clamp(min=1)
```

No fix is offered: it is a choice of weights.

A run confirms it by a loss that changes when one sample is padded by copies of its own elements that count.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Value
from losslint_rules.excluding_masks import excludes
from losslint_rules.reduction.loss_operators import reduces_all

RULE = Rule(code="LL340", name="mean-of-means", severity=Severity.INFO, preview=True)

_KEEPS = frozenset("squeeze view reshape flatten float mul neg clamp clamp_min".split())
_FLOORS = frozenset("clamp clamp_min maximum add float to type_as squeeze unsqueeze where masked_fill".split())


@RULE.on_op("mean")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a mean over samples of quotients whose divisors count a mask."""
    if not reduces_all(op.value) or not graph.matters(op.value) or op.value.gradient is not Gradient.CARRIES:
        return
    quotient = _quotient(op.operands[0])
    if quotient is None:
        return
    above, below = quotient.origin.operands
    count = _count(below, op)
    if count is None or not _sums_some(above):
        return
    site = quotient.origin.site
    yield RULE.finding(
        op.site,
        f"each sample is divided by its own count `{excerpt(count)}` and the mean gives all samples one weight, however many of "
        "their elements count; one quotient of both sums weighs elements alike",
        evidence=with_calls(op, [Step(site, "a mean of each sample")] if site is not None else []),
    )


def _quotient(value: Value) -> Value | None:
    current = value
    for _ in range(8):
        if current.origin.name == "div" and len(current.origin.operands) == 2:
            return current
        carrying = [each for each in current.origin.operands if each.gradient is Gradient.CARRIES]
        if current.origin.name not in _KEEPS or len(carrying) != 1:
            return None
        current = carrying[0]
    return None


def _sums_some(value: Value) -> bool:
    """Whether a value is a sum along some dimensions."""
    current = value
    while current.origin.name in ("neg", "mul", "squeeze") and current.origin.operands:
        current = next(
            (each for each in current.origin.operands if each.gradient is Gradient.CARRIES), current.origin.operands[0]
        )
    return current.origin.name == "sum" and not reduces_all(current)


def _count(value: Value, op: Op) -> Value | None:
    """The sum of a mask along some dimensions that a divisor is, through what keeps it from 0."""
    current = value.beneath(_FLOORS)
    if current.origin.name != "sum" or reduces_all(current) or current.kind is not Kind.TENSOR:
        return None
    return current if excludes(current.origin.operands[0], op) is not None else None
