"""terms summed with different reductions

A mean over all elements and a sum over all elements do not scale alike: the sum grows with batch and image
size, the mean does not. Added without a weight, the sum drowns the mean, and changing the batch size changes
the balance.

## Bad

```python
import torch
import torch.nn.functional as F

def vae_loss(recon, x, mu, logvar):
    kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return F.mse_loss(recon, x) + kl
```

## Good

```python
import torch
import torch.nn.functional as F

def vae_loss(recon, x, mu, logvar):
    kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return (F.mse_loss(recon, x, reduction="sum") + kl) / x.size(0)
```

With a weight on either term the balance may be meant, and the finding is info. No fix is offered: which
reduction is right is a choice of scale. A run confirms it by evaluating the terms at two batch sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Reduced, Value

RULE = Rule(code="LL303", name="mixed-reduction-terms", severity=Severity.WARNING, confirmed_by=("terms", "scale"))


@RULE.on_op("add", "sub")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a sum over all elements added to a mean over all elements."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    by_kind = {value.reduction.kind: value for value in op.operands if value.reduction.over == "all"}
    if by_kind.keys() != {Reduced.MEAN, Reduced.SUM}:
        return
    mean, total = by_kind[Reduced.MEAN], by_kind[Reduced.SUM]
    weighted = has_weight(mean) or has_weight(total)
    steps = [
        Step(value.origin.site, f"`{excerpt(value)}` is a {how} over all elements")
        for value, how in ((mean, "mean"), (total, "sum"))
        if value.origin.site is not None
    ]
    yield RULE.finding(
        op.site,
        f"`{excerpt(total)}` is a sum over all elements and `{excerpt(mean)}` a mean: their balance changes with "
        "the batch size" + (", whatever the weight" if weighted else ", and the sum drowns the mean"),
        severity=Severity.INFO if weighted else RULE.severity,
        evidence=with_calls(op, steps),
    )


_FORMULA = frozenset({0.5, 1.0, 2.0})


def has_weight(value: Value) -> bool:
    """Whether a number that is no part of a formula scales a term: a setting, or a literal other than 1/2, 1 and 2."""
    if value.origin.name not in ("mul", "div"):
        return value.origin.name == "neg" and has_weight(value.origin.operands[0])
    for operand in value.origin.operands:
        if operand.kind is Kind.NUMBER or operand.role.value in ("config", "weight"):
            literal = operand.has_constant and not operand.is_default and isinstance(operand.constant, (int, float))
            if not literal or abs(float(operand.constant)) not in _FORMULA:  # type: ignore[arg-type]
                return True
        elif has_weight(operand):
            return True
    return False
