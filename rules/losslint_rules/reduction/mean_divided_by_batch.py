"""a mean over the batch, divided by the size of the batch again

`F.mse_loss(pred, target)` is a mean over all elements, samples included. Divided by `pred.size(0)` once more, the loss and
its gradients shrink with the batch: doubling the batch halves the learning rate, and beside other terms the weight of this
one depends on it. It is what is left of `reduction="sum"` divided by the number of samples.

Reported where the value is proven to be a mean over all elements of what has the divisor as its first dimension. Silent in
loops over samples, where the number is that of the turns, and where the result is multiplied by a size.

## Bad

```python
import torch.nn.functional as F

def reconstruction_loss(recon, x):
    return F.mse_loss(recon, x) / x.size(0)
```

## Good

```python
import torch.nn.functional as F

def reconstruction_loss(recon, x):
    return F.mse_loss(recon, x, reduction="sum") / x.size(0)
```

No fix is offered: either the reduction or the division is what was not meant.

A run confirms it by a loss of a batch repeated twice that is half as large.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Reduced, Value
from losslint_rules.reduction.class_counts import is_scaled_back
from losslint_rules.reduction.focal_weights import product_factors
from losslint_rules.reduction.loss_operators import is_loss_operator, reduced_source
from losslint_rules.shapes.batches import batch_source

RULE = Rule(
    code="LL353", name="mean-divided-by-batch", severity=Severity.WARNING, doubted=True, confirmed_by=("scale",)
)


@RULE.on_op("div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report means over all elements that are divided by the number of samples."""
    if len(op.operands) != 2 or op.in_loop or not graph.matters(op.value) or is_scaled_back(graph, op.value):
        return
    mean, size = op.operands
    if mean.reduction.kind is not Reduced.MEAN or mean.reduction.over not in ("all", "batch") or mean.rank != 0:
        return
    source = reduced_source(mean)
    if source is None or source.reduction.kind is not Reduced.MEAN:
        return
    if any(not each.has_constant and each.rank == 0 and each.key != source.key for each in product_factors(mean)):
        return  # multiplied by a number that may be the same
    counted = _counted(size)
    elements = source.origin.operands[:2] if is_loss_operator(source) else source.origin.operands[:1]
    if counted is None or counted not in {each.key for value in elements if (each := batch_source(value)) is not None}:
        return
    site = source.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(mean)}` is a mean over the batch already, and `{excerpt(size)}` divides it by the number of samples again: the "
        "loss shrinks with the batch; sum before, or do not divide",
        evidence=with_calls(op, [Step(site, "a mean over all elements")] if site is not None else []),
    )


def _counted(size: Value) -> int | None:
    """The key of the input whose samples a number is: `x.size(0)`, `x.shape[0]`, `len(x)`."""
    origin = size.origin
    if origin.name not in ("size", "len") or len(origin.operands) != 1 or origin.label not in ("0", ""):
        return None
    source = batch_source(origin.operands[0])
    return None if source is None else source.key
