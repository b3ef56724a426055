"""a loss that returns a number on one path and one number an element on another

The caller cannot rely on either: `backward()` works on one path and fails on the other, and adding the result
to other terms broadcasts on one of them.

Reported where both are proven and no option of the loss (`reduction`, a flag such as `mean=False`) decides
between them.

Where a setting decides for a mean over some of the dimensions, somebody has chosen: that is an info.

## Bad

```python
import torch

def robust_loss(pred, target):
    error = torch.abs(pred - target)
    if pred.shape[0] > 1:
        return error.mean()
    return error
```

## Good

```python
import torch

def robust_loss(pred, target):
    return torch.abs(pred - target).mean()
```

No fix is offered. A run confirms it by outputs of different shapes.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Reduced
from losslint_rules.reduction.returns import has_elements, is_scalar, leaves_reduction_open

RULE = Rule(
    code="LL302",
    name="mixed-reducedness",
    severity=Severity.WARNING,
    doubted=True,
    confirmed_by=("forward", "degenerate"),
)


_SETTINGS = frozenset({"attribute", "setting"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the elementwise returns of a loss that returns a scalar elsewhere."""
    scalars = [op for op in graph.returns if is_scalar(op.operands[0])]
    unreduced = [op for op in graph.returns if has_elements(op.operands[0])]
    if not scalars or not unreduced or leaves_reduction_open(graph):
        return
    for op in unreduced:
        partly = op.operands[0].reduction.kind is Reduced.PARTIAL
        chosen = partly and any(condition.test.origin.name in _SETTINGS for condition in op.conditions)
        yield RULE.finding(
            op.site,
            f"`{excerpt(op.operands[0])}` is returned with one number an element, while another path returns a scalar",
            severity=Severity.INFO if chosen else RULE.severity,
            evidence=[Step(scalars[0].site, f"here a scalar is returned: `{excerpt(scalars[0].operands[0])}`")],
        )
