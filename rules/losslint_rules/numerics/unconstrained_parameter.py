"""log or root of a learned parameter that nothing keeps positive

Uncertainty weighting, `loss / (2 * sigma ** 2) + log(sigma)` with `sigma` an `nn.Parameter`: the better the fit, the
smaller the best sigma, and one step of the optimizer takes it past 0. The log of a negative number is NaN, and
with the next step every weight is. The same holds for a root of a learned variance.

A parameter that goes through `exp`, `softplus`, a square or a clamp first is silent, and so is a file that clamps
data in place.

## Bad

```python
import torch
import torch.nn as nn

class UncertaintyLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.sigma = nn.Parameter(torch.ones(2))

    def forward(self, pred, target):
        first, second = ((pred - target) ** 2).mean(dim=0)
        weighted = first / (2 * self.sigma[0] ** 2) + second / (2 * self.sigma[1] ** 2)
        return weighted + torch.log(self.sigma).sum()
```

## Good

```python
import torch
import torch.nn as nn

class UncertaintyLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(2))

    def forward(self, pred, target):
        errors = ((pred - target) ** 2).mean(dim=0)
        return (torch.exp(-self.log_variance) * errors + self.log_variance).sum() / 2
```

## Use instead

Learn the logarithm, `s = log(sigma ** 2)`, and write `exp(-s) * loss + s`: it is finite for every s. Or pass the parameter
through `F.softplus`. No fix is offered: what is learned, and what a checkpoint holds, changes.

A run confirms it only where the parameter starts at or below 0: what training makes of it, no single run shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint_rules.numerics.raw_parameters import raw_parameter

RULE = Rule(
    code="LL227", name="unconstrained-parameter", severity=Severity.WARNING, doubted=True, confirmed_by=("forward",)
)


@RULE.on_op("log", "log2", "log10", "sqrt", "rsqrt")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a log or a root right on a trained nn.Parameter."""
    yield from _findings(op, graph, op.name)


@RULE.on_op("pow", "float_power")
def power_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a power that is no integer."""
    exponent = op.operands[1].constant if len(op.operands) == 2 else None
    if isinstance(exponent, float) and not exponent.is_integer():
        yield from _findings(op, graph, f"power of {exponent:.4g}")


def _findings(op: Op, graph: Graph, taken: str) -> Iterator[Finding]:
    parameter = raw_parameter(op.operands[0])
    if parameter is None or not graph.matters(op.value) or op.is_guarded([op.operands[0], parameter]):
        return
    site = parameter.origin.site
    yield RULE.finding(
        op.site,
        f"nothing keeps the learned `{excerpt(op.operands[0])}` positive, and the {taken} is NaN once a step takes it below "
        "0; learn its logarithm, or pass it through softplus",
        evidence=with_calls(op, [Step(site, "the optimizer moves this freely")] if site is not None else []),
    )
