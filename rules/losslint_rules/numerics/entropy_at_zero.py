"""xlogy or entr of a probability that can be zero

`p * p.log()` is NaN at p = 0. `torch.xlogy(p, p)` and `torch.special.entr(p)` mend the value, which is 0 there, but not the
gradient: the slope of the log is still infinite, and NaN once the backward of the softmax multiplies it by the p that is 0. A
softmax output is exactly 0 as soon as one logit leads by about 104 in float32.

Reported is a second argument of xlogy, or the argument of entr, that carries a gradient and can be exactly 0.

## Bad

```python
import torch
import torch.nn.functional as F

def entropy_loss(logits):
    return torch.special.entr(F.softmax(logits, dim=1)).sum(dim=1).mean()
```

## Good

```python
import torch.nn.functional as F

def entropy_loss(logits):
    log_p = F.log_softmax(logits, dim=1)
    return -(log_p.exp() * log_p).sum(dim=1).mean()
```

Probabilities that are no softmax need a clamp before the xlogy. No fix is offered, because where the logits are is not always
to be seen at this place.

A run confirms it with logits of +-200 and finds a NaN gradient at this line.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, with_calls, zero_path
from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import chain
from losslint.semantics.intervals import contains_zero
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Certainty, Gradient
from losslint_rules.numerics.choices import is_left_out
from losslint_rules.numerics.domains import Edge
from losslint_rules.numerics.vanished_gradients import ends_in_relu

RULE = Rule(
    code="LL214",
    name="entropy-at-zero",
    severity=Severity.WARNING,
    doubted=True,
    confirmed_by=("saturation", "degenerate"),
    precondition=Precondition.ZERO,
)


@RULE.on_op("xlogy", "special_entr")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a logarithm inside xlogy or entr whose argument carries a gradient and has a zero witness."""
    argument = op.operands[-1]
    zero = argument.zero
    if zero is None or zero.certainty < Certainty.LIKELY or argument.gradient is not Gradient.CARRIES:
        return
    if not op.gradient_matters or not graph.differentiates(op.value) or not contains_zero(argument.interval):
        return
    if op.is_guarded(chain(argument)) or ends_in_relu(argument) or is_left_out(graph, op, Edge(argument, 0.0)):
        return
    yield RULE.finding(
        op.site,
        f"the value is 0 where `{excerpt(argument)}` is 0, but the gradient is infinite or NaN: {zero.reason}; write the "
        "entropy with log_softmax, or clamp first",
        evidence=with_calls(op, zero_path(argument)),
    )
