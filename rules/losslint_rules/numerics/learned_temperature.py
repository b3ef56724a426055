"""division by a learned temperature that nothing bounds

`logits / self.temperature` with `temperature` an `nn.Parameter`: as the loss falls with sharper logits, training drives
the temperature towards 0. The logits overflow on the way, and past 0 their order is turned around. A learned
`exp(scale)` cannot change its sign but grows without a bound; CLIP cuts it at 100. That is info, as the cut often
stands in the training loop.

Parameters that are clamped, or go through `softplus` or a sigmoid, are silent.

## Bad

```python
import torch
import torch.nn as nn
import torch.nn.functional as F

class ContrastiveLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(0.07))

    def forward(self, query, key):
        similarity = F.normalize(query, dim=1) @ F.normalize(key, dim=1).t()
        labels = torch.arange(query.size(0), device=query.device)
        return F.cross_entropy(similarity / self.temperature, labels)
```

## Good

```python
import torch
import torch.nn as nn
import torch.nn.functional as F

class ContrastiveLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def forward(self, query, key):
        similarity = F.normalize(query, dim=1) @ F.normalize(key, dim=1).t()
        labels = torch.arange(query.size(0), device=query.device)
        return F.cross_entropy(similarity * self.log_scale.clamp(max=4.6).exp(), labels)
```

## Use instead

Learn the logarithm of the scale, clamp it, and multiply: `logits * log_scale.clamp(max=4.6).exp()`. No fix is offered: what
is learned, and what a checkpoint holds, changes.

A run confirms it only where the temperature starts at 0: what training makes of it, no single run shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value
from losslint_rules.numerics.raw_parameters import raw_parameter

RULE = Rule(
    code="LL226", name="learned-temperature", severity=Severity.WARNING, preview=True, confirmed_by=("forward",)
)

_SHARPENED = (
    "softmax",
    "log_softmax",
    "logsumexp",
    "cross_entropy_loss",
    "binary_cross_entropy_with_logits",
)


@RULE.on_op("div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report logits divided by a trained nn.Parameter as it is."""
    parameter = raw_parameter(op.operands[1]) if len(op.operands) > 1 else None
    if parameter is None or not _is_sharpened(op, graph) or op.is_guarded([op.operands[1], parameter]):
        return
    yield RULE.finding(
        op.site,
        f"training drives the learned `{excerpt(op.operands[1])}` towards 0, where these logits overflow, and past it; "
        "learn the logarithm of the scale, and clamp it",
        evidence=with_calls(op, _made(parameter)),
    )


@RULE.on_op("mul")
def scale_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Mention a learned exp(scale) without a bound."""
    for factor in op.operands:
        scale = factor.origin.operands[0] if factor.origin.name == "exp" else None
        parameter = raw_parameter(scale) if scale is not None else None
        if parameter is not None and _is_sharpened(op, graph):
            yield RULE.finding(
                op.site,
                f"nothing bounds the learned scale `{excerpt(factor)}` here; clamp it, at 100 say, unless the training loop does",
                severity=Severity.INFO,
                evidence=with_calls(op, _made(parameter)),
            )


def _is_sharpened(op: Op, graph: Graph) -> bool:
    """Whether what is scaled are logits: a softmax or an entropy takes them."""
    if op.operands[0].gradient is not Gradient.CARRIES or not graph.matters(op.value):
        return False
    takers = [each for each in graph.named(*_SHARPENED) if graph.matters(each.value)]
    return any(value.key == op.value.key for taker in takers for value in ancestors(taker.operands[:1]))


def _made(parameter: Value) -> list[Step]:
    site = parameter.origin.site
    return [Step(site, "the optimizer moves this freely")] if site is not None else []
