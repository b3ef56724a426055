"""a focal weight computed from the mean of the cross entropy

The focal loss weighs each sample by `(1 - pt) ** gamma`, with `pt = exp(-ce)` the probability of the sample's own
class. Computed from a cross entropy that is reduced already, `pt` is one number for the whole batch: every sample gets
the same weight, and easy and hard ones are told apart no more. torch's losses reduce by default, so a forgotten
`reduction="none"` is all it takes.

Where the reduction is an option of the loss and its default is `"mean"` or `"sum"`, the finding is a warning.

## Bad

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, gamma=2.0):
    ce = F.cross_entropy(logits, target)
    pt = torch.exp(-ce)
    return ((1 - pt) ** gamma * ce).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, gamma=2.0):
    ce = F.cross_entropy(logits, target, reduction="none")
    pt = torch.exp(-ce)
    return ((1 - pt) ** gamma * ce).mean()
```

The fix inserts `reduction="none"`, where the loss reduces afterwards. It is unsafe: it changes the value, as it should.

A run confirms it by a batch whose loss is not the mean of its samples' losses.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.reduction.focal_weights import FocalWeight, focal_weights
from losslint_rules.reduction.loss_operators import (
    default_reduction,
    how_reduced,
    is_loss_operator,
    is_reduced_later,
    reduced_source,
    with_reduction,
)

RULE = Rule(code="LL310", name="focal-of-mean", severity=Severity.ERROR, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a focal weight of which the probability is one number for the whole batch."""
    for weight in focal_weights(graph):
        source = reduced_source(weight.cross_entropy)
        default = default_reduction(weight.cross_entropy)
        if source is not None:
            yield from _finding(graph, weight, source, how_reduced(source), is_default=False)
        elif is_loss_operator(weight.cross_entropy) and default in ("mean", "sum"):
            yield from _finding(graph, weight, weight.cross_entropy, default, is_default=True)


def _finding(graph: Graph, weight: FocalWeight, source: Value, how: str, is_default: bool) -> Iterator[Finding]:
    maker = graph.op_of(source)
    site = source.origin.site
    if maker is None or site is None or maker.in_loop:
        return  # in a loop over the samples the mean is that of one
    steps = [Step(site, f"`{excerpt(source)}` is the {how} over the batch" + (" by default" if is_default else ""))]
    if weight.probability.origin.site is not None:
        steps.append(Step(weight.probability.origin.site, "so this probability is one number for the whole batch"))
    steps.append(Step(weight.product.site, "and weighs every sample alike"))
    yield RULE.finding(
        site,
        f"`{excerpt(source)}` is {'by default ' if is_default else ''}a {how} over the batch, so the focal weight "
        f'`{excerpt(weight.factor)}` is one number for all samples instead of one a sample: use reduction="none", '
        "weigh, then reduce",
        severity=Severity.WARNING if is_default else RULE.severity,
        evidence=with_calls(maker, steps),
        rewrite=None if is_default else _rewrite(graph, source),
    )


def _rewrite(graph: Graph, source: Value) -> Rewrite | None:
    if not is_loss_operator(source) or not is_reduced_later(graph, source):
        return None
    replacement: Replacement | None = with_reduction(graph, source, "none")
    if replacement is None:
        return None
    return Rewrite(Applicability.UNSAFE, "keep one loss a sample until it is weighed", (replacement,))
