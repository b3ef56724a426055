"""a draw that no gradient flows through

`Normal(mu, sigma).sample()` runs without a graph, and `torch.normal(mu, sigma)` has a gradient of zero. Where the loss
is computed from the draw, nothing it says reaches mu and sigma: the encoder of a variational autoencoder is trained by
its KL term alone. `rsample()` draws through the parameters.

A draw whose `log_prob` is taken is not reported (REINFORCE needs no gradient through it), nor draws from fixed
distributions or under no_grad.

## Bad

```python
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Normal

class AutoencoderLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.decoder = nn.Linear(8, 64)

    def forward(self, mu, log_var, images):
        z = Normal(mu, (0.5 * log_var).exp()).sample()
        return F.mse_loss(self.decoder(z), images)
```

## Good

```python
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Normal

class AutoencoderLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.decoder = nn.Linear(8, 64)

    def forward(self, mu, log_var, images):
        z = Normal(mu, (0.5 * log_var).exp()).rsample()
        return F.mse_loss(self.decoder(z), images)
```

The fix writes rsample. It is unsafe: it changes what is trained.

A run confirms it by a gradient of mu that does not change with the term.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.carriers import members
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.guards import COMPARISONS
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Role, Site, Value
from losslint_rules.usage.arguments import made_here, unsafe

RULE = Rule(code="LL716", name="sample-without-gradient", severity=Severity.WARNING, preview=True)

_REPARAMETERISED = frozenset(
    (
        "Normal LogNormal MultivariateNormal LowRankMultivariateNormal Laplace Gumbel Cauchy HalfNormal HalfCauchy Beta "
        "Gamma Dirichlet Exponential Uniform StudentT Kumaraswamy Weibull Pareto Chi2 VonMises Wishart LogisticNormal "
        "RelaxedBernoulli RelaxedOneHotCategorical ContinuousBernoulli"
    ).split()
) - {"VonMises"}
_CUTS = COMPARISONS | {"detach", "data", "item", "compared", "argmax", "argmin", "argsort"}
_AROUND = frozenset({"Independent", "TransformedDistribution"})


@RULE.on_op("sample")
def of_distribution(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a sample() of a distribution with learned parameters that the loss is computed from."""
    distribution = op.operands[0]
    if not _can_be_reparameterised(distribution):
        return
    learned = next((value for value in _parameters(distribution) if is_learned(value)), None)
    if learned is None or not _is_minimised(op, graph) or _scores(op.value, graph):
        return
    yield RULE.finding(
        op.site,
        f"sample() draws without a graph: nothing the loss says of the draw reaches `{excerpt(learned)}`; use rsample()",
        evidence=with_calls(op, made_here(learned, "carries a gradient up to here")),
        rewrite=_rewrite(op),
    )


@RULE.on_op("normal")
def of_normal(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report torch.normal with a learned mean or deviation."""
    learned = next((value for value in op.operands if is_learned(value)), None)
    if learned is None or not _is_minimised(op, graph) or _scores(op.value, graph):
        return
    yield RULE.finding(
        op.site,
        f"the gradient of torch.normal is zero: nothing the loss says of the draw reaches `{excerpt(learned)}`; "
        "draw noise with torch.randn_like and scale it",
        evidence=with_calls(op, made_here(learned, "carries a gradient up to here")),
    )


def _can_be_reparameterised(distribution: Value) -> bool:
    name = distribution.origin.label.rpartition(".")[2]
    if name in _AROUND:
        inner = distribution.origin.operands[0] if distribution.origin.operands else None
        return inner is not None and inner.origin.name == "distribution" and _can_be_reparameterised(inner)
    return name in _REPARAMETERISED


def _parameters(distribution: Value) -> Iterator[Value]:
    for value in distribution.origin.operands:
        if value.origin.name == "distribution":
            yield from _parameters(value)
        else:
            yield value


def is_learned(value: Value) -> bool:
    """Whether a gradient of a parameter of the loss, an nn.Parameter or a network's output ends in a value."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current.key in seen or current.gradient is not Gradient.CARRIES:
            continue
        seen.add(current.key)
        name = current.origin.name
        if name == "parameter_tensor":
            return True
        if name == "parameter" and (current.is_tensor or current.role is Role.PREDICTION):
            return True
        if (
            name == "unknown"
            and current.origin.label.startswith(("torch.nn.", "self."))
            and current.origin.operands[1:]
        ):
            return True
        if name not in ("attribute", "setting", "arguments"):
            pending.extend(current.origin.operands)
    return False


def _is_minimised(op: Op, graph: Graph) -> bool:
    """Whether a result is computed from a draw, and not only through a detach or a comparison."""
    if not op.gradient_matters:
        return False
    seen: set[int] = set()
    pending = list(graph.results)
    while pending:
        value = pending.pop()
        if value.key == op.value.key:
            return True
        if value.key not in seen and value.origin.name not in _CUTS:
            seen.add(value.key)
            pending.extend(members(value))
    return False


def _scores(drawn: Value, graph: Graph) -> bool:
    """Whether the log-probability of a draw, or of what is made of it, is taken: the gradient comes from there."""
    for value in ancestors(graph.results):
        is_score = value.origin.name == "method" and value.origin.label in ("log_prob", "cdf")
        if is_score and any(each.key == drawn.key for each in ancestors(value.origin.operands[1:])):
            return True
    return False


def _rewrite(op: Op) -> Rewrite | None:
    call = op.site.node
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute) or call.func.attr.value != "sample":
        return None
    return unsafe("use rsample()", Replacement(Site(op.site.unit, call.func.attr), "rsample"))
