"""a mean over elements that a mask has set to zero

`(loss * mask).mean()` divides by the number of all elements, those too that the mask leaves out. The loss, and with it the
learning rate, shrinks with the amount of padding in the batch, and a batch of short sequences counts less than one of
long ones; `(loss * mask).mean(dim=1)` does so sequence by sequence. Divide by the number of elements that count.

Reported where the mask is proven to be boolean and to say what counts at all: it compares with an ignore index or a
length, looks for NaN, or is named as valid, padded or ignored; and for a cross entropy with an `ignore_index` that is
averaged by hand, because it is 0 for ignored targets. Masks that choose a class, the active side of a hinge or a
region, and weights, are silent: dividing by all elements is a choice there.

## Bad

```python
import torch.nn.functional as F

def sequence_loss(logits, target, pad_index=-100):
    loss = F.cross_entropy(logits, target.clamp(min=0), reduction="none")
    valid = target != pad_index
    return (loss * valid).mean()
```

## Good

```python
import torch.nn.functional as F

def sequence_loss(logits, target, pad_index=-100):
    loss = F.cross_entropy(logits, target.clamp(min=0), reduction="none")
    valid = target != pad_index
    return (loss * valid).sum() / valid.sum().clamp(min=1)
```

No fix is offered: where the mask is broadcast, it has to be expanded before it is counted.

A run confirms it by more padding that makes the loss smaller.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Reduced
from losslint_rules.excluding_masks import bare_mask
from losslint_rules.reduction.zeroed_elements import (
    WEIGHED,
    Zeroed,
    averages_samples,
    is_accounted_for,
    zeroed_elements,
)

RULE = Rule(code="LL313", name="masked-mean", severity=Severity.WARNING)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report means over all elements of what a mask that says what counts has set to zero."""
    told: set[tuple[int, int]] = set()
    for op in graph.named("mean", *WEIGHED):
        is_whole = op.value.reduction.kind is Reduced.MEAN and op.value.rank == 0
        if not (is_whole or averages_samples(op.value)) or not graph.matters(op.value):
            continue
        place = op.calls[0].site if op.site.unit is not graph.unit else op.site
        for zeroed in zeroed_elements(op):
            told_of = (bare_mask(zeroed.by).key, id(place.node))
            if told_of not in told and not is_accounted_for(graph, op, zeroed):
                told.add(told_of)
                yield _finding(op, zeroed)
                break


def _finding(op: Op, zeroed: Zeroed) -> Finding:
    site = bare_mask(zeroed.by).origin.site
    return RULE.finding(
        op.site,
        f"the mean divides by all elements, those too that `{excerpt(zeroed.by)}` sets to zero: divide the sum by the number "
        "of elements that count",
        evidence=with_calls(op, [Step(site, zeroed.why)] if site is not None else []),
    )
