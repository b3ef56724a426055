"""class weights counted in each batch

`pos_weight` or class weights that are computed from the targets of the batch at hand change from batch to batch: a rare class
that is absent gets weight 0 or infinity, the loss of the same sample depends on its neighbours, and the results depend on the
batch size. Counted once over the data set, the weights mean something.

Where the counts are meant to be the batch's own, as in edge detection with one image a batch, this is a choice: info, and
preview. Reported where the weight that a loss is given is proven to be computed from a count of that loss's own target.

## Bad

```python
import torch.nn.functional as F

def balanced_loss(logits, target):
    positive = target.sum()
    weight = (target.numel() - positive) / positive.clamp(min=1)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
```

## Good

```python
import torch
import torch.nn as nn
import torch.nn.functional as F

class BalancedLoss(nn.Module):
    def __init__(self, negatives: int, positives: int):
        super().__init__()
        self.register_buffer("weight", torch.tensor(negatives / positives))

    def forward(self, logits, target):
        return F.binary_cross_entropy_with_logits(logits, target, pos_weight=self.weight)
```

No fix is offered: the counts of the data set are not in the code.

A run confirms it by two batches that share a sample and give it different losses.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.carriers import made_of
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Role, Value
from losslint_rules.reduction.loss_operators import reduces_all

RULE = Rule(code="LL342", name="weights-of-the-batch", severity=Severity.INFO, preview=True)

_WEIGHTED = (
    "cross_entropy_loss",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "multi_margin_loss",
)


@RULE.on_op(*_WEIGHTED)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a weight that is a count of the target it weighs."""
    target = op.keywords.get("target")
    if target is None or not graph.matters(op.value):
        return
    labels = {
        each.key for each in made_of([target]) if each.origin.name == "parameter" and each.role is not Role.PREDICTION
    }
    for name in ("pos_weight", "weight"):
        weight = op.keywords.get(name)
        count = None if weight is None or weight.kind is Kind.NONE else _count_of(weight, labels)
        if weight is None or count is None:
            continue
        site = count.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(weight)}` is counted in the batch itself: the loss of a sample depends on the others in its batch, and a "
            "class that is absent gets an extreme weight; count over the data set once",
            evidence=with_calls(op, [Step(site, "counted here")] if site is not None else []),
        )
        return


def _count_of(weight: Value, labels: set[int]) -> Value | None:
    """The count of labels over the batch that a weight is computed from."""
    for each in made_of([weight]):
        if each.gradient is Gradient.CARRIES:
            continue
        counts = each.origin.name in ("bincount", "histc", "count_nonzero") or (
            each.origin.name in ("sum", "mean") and (reduces_all(each) or _over_batch(each))
        )
        if counts and any(value.key in labels for value in made_of(each.origin.operands[:1])):
            return each
    return None


def _over_batch(value: Value) -> bool:
    dim = value.origin.keywords.get("dim")
    return dim is not None and dim.has_constant and dim.constant == 0
