"""dropout in a loss that stays on in evaluation

`F.dropout(x, p)` has `training=True` by default and knows nothing of `model.eval()`. A loss that calls it is random in
validation too: the same batch gives another value at every call, checkpoints are chosen by chance, and tests that compare
losses fail now and then. `nn.Dropout` as a member, or `training=self.training`, follows the mode of the module.

## Bad

```python
import torch.nn.functional as F

def consistency_loss(features, other):
    return F.mse_loss(F.dropout(features, 0.1), other)
```

## Good

```python
import torch.nn.functional as F

def consistency_loss(features, other, training: bool):
    return F.mse_loss(F.dropout(features, 0.1, training=training), other)
```

Where the noise is the method (SimCSE, R-Drop), write `training=True`: it is then meant, and silent here. No fix is offered.

A run confirms it by two calls with the same inputs that differ.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt

RULE = Rule(code="LL772", name="active-dropout", severity=Severity.INFO, preview=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report calls of F.dropout that do not say whether they train, once a call that leads to them."""
    told: set[int] = set()
    for op in graph.named("dropout"):
        place = id((op.calls[0].site if op.calls else op.site).node)
        found = None if place in told else _finding(op, graph)
        if found is not None:
            told.add(place)
            yield found


def _finding(op: Op, graph: Graph) -> Finding | None:
    node = op.site.node
    if op.origin.module is not None or not isinstance(node, cst.Call) or not graph.matters(op.value):
        return None
    probability = op.operands[1] if len(op.operands) > 1 else None
    if (
        "training" in op.keywords
        or sum(each.keyword is None for each in node.args) > 2
        or any(each.star for each in node.args)
    ):
        return None
    if probability is not None and probability.has_constant and not probability.constant:
        return None  # p = 0 drops nothing
    return RULE.finding(
        op.site,
        f"`{excerpt(op.value)}` drops elements in evaluation too: F.dropout does not know of eval(); pass training=self.training, "
        "or training=True where that is meant",
        evidence=with_calls(op, ()),
    )
