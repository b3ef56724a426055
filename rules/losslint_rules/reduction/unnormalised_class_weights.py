"""class weights that the mean does not divide by

`F.cross_entropy(..., weight=w)` with its own mean divides by the sum of the weights of the targets, so that weights set
the balance between classes and not the scale of the loss. With `reduction="none"` and `.mean()` it divides by the number of
samples: the loss, and with it the learning rate, grows and shrinks with the classes that are in the batch.

Both are in use, so this is an info.

## Bad

```python
import torch.nn.functional as F

def weighted_loss(logits, target, class_weight):
    loss = F.cross_entropy(logits, target, weight=class_weight, reduction="none")
    return loss.mean()
```

## Good

```python
import torch.nn.functional as F

def weighted_loss(logits, target, class_weight):
    return F.cross_entropy(logits, target, weight=class_weight)
```

Where something else is done to the elements in between, divide by `class_weight[target].sum()`. No fix is offered: it
changes the scale of the loss.

A run confirms it by weights that are all 2, which double the loss.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Reduced
from losslint_rules.reduction.focal_weights import product_factors
from losslint_rules.reduction.loss_operators import reduces_all
from losslint_rules.reduction.zeroed_elements import without_views

RULE = Rule(code="LL325", name="unnormalised-class-weights", severity=Severity.INFO, preview=True)


@RULE.on_op("mean")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a mean over the elements of a class-weighted cross entropy."""
    if not reduces_all(op.value) or not graph.matters(op.value):
        return
    for factor in product_factors(op.operands[0]):
        entropy = without_views(factor)
        weight = entropy.origin.keywords.get("weight")
        weighted = entropy.origin.name in ("cross_entropy_loss", "nll_loss") and entropy.reduction.kind is Reduced.NONE
        if not weighted or weight is None or weight.kind is Kind.NONE:
            continue
        site = entropy.origin.site
        yield RULE.finding(
            op.site,
            f"the mean divides by the number of elements, not by the weights `{excerpt(weight)}` of the targets as torch's own "
            "weighted mean does: the scale of the loss depends on the classes in the batch",
            evidence=with_calls(op, [Step(site, "weighted here")] if site is not None else []),
        )
        return
