"""a weight that cancels in the ratio it was meant for

`(loss * w).sum() / w.sum()` is a weighted mean where `loss` has elements. Where `loss` is one number already, because
torch's losses reduce by default, or `w` is one number, the weight stands above and below the line and cancels: the
result is the unweighted loss, whatever the weights are.

Reported where both are proven to be the same value. Weighted means of elements are silent.

## Bad

```python
import torch.nn.functional as F

def weighted_loss(pred, target, weights):
    loss = F.mse_loss(pred, target)
    return (loss * weights).sum() / weights.sum()
```

## Good

```python
import torch.nn.functional as F

def weighted_loss(pred, target, weights):
    loss = F.mse_loss(pred, target, reduction="none")
    return (loss * weights).sum() / weights.sum()
```

No fix is offered: `reduction="none"`, or a denominator without the weight, may be meant.

A run confirms it by weights that change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.spelling import excerpt
from losslint_rules.reduction.loss_operators import reduced_source
from losslint_rules.reduction.ratios import cancelled_weights

RULE = Rule(code="LL318", name="cancelling-weight", severity=Severity.WARNING, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the divisions of a loss by a weight that its dividend has as a factor."""
    for found in cancelled_weights(graph):
        op, weight = found.division, excerpt(found.factor)
        what = f"the {found.reduction} of `{weight}`" if found.reduction else f"`{weight}`"
        steps = [
            Step(
                source.origin.site,
                f"`{excerpt(source)}` is one number, so the {found.reduction} goes over `{weight}` alone",
            )
            for source in ancestors([op.operands[0]])
            if found.reduction and reduced_source(source) is source and source.origin.site is not None
        ]
        yield RULE.finding(
            op.site,
            f"{what} is a factor of `{excerpt(op.operands[0])}` and of `{excerpt(op.operands[1])}`, so it cancels and weighs "
            "nothing: weigh each element before reducing",
            evidence=with_calls(op, steps[:1]),
        )
