"""log(1 + exp(x)), instead of softplus

`exp(x)` overflows to inf above 88.7 in float32 (11.1 in float16), so `log(1 + exp(x))` is inf with a NaN
gradient there, where the right value is x. Below about -16 `1 + exp(x)` rounds to 1 and the log, with its
gradient, is 0. `log1p(exp(x))` mends only the second.

## Bad

```python
import torch

def logistic_loss(score, sign):
    return torch.log(1 + torch.exp(-sign * score)).mean()
```

## Good

```python
import torch.nn.functional as F

def logistic_loss(score, sign):
    return F.softplus(-sign * score, threshold=40).mean()
```

The fix is safe. It writes `threshold=40`, because at the default of 20 softplus returns x itself above 20,
which is 2e-9 off: nothing in float32, but more than the original's error in float64.

A run confirms it with inputs of +-200.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, respell
from losslint.semantics.values import Value
from losslint_rules.numerics.log_space import exp_plus_one
from losslint_rules.numerics.squares import is_learned

RULE = Rule(
    code="LL204",
    name="log-of-one-plus-exp",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("saturation",),
    precondition=Precondition.MAGNITUDE,
)


@RULE.on_op("log")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report log(1 + exp(x))."""
    exponent = exp_plus_one(op.operands[0])
    if exponent is not None:
        yield from _findings(op, graph, exponent)


@RULE.on_op("log1p")
def log1p_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report log1p(exp(x))."""
    if op.operands[0].origin.name == "exp":
        yield from _findings(op, graph, op.operands[0].origin.operands[0])


def _findings(op: Op, graph: Graph, exponent: Value) -> Iterator[Finding]:
    if exponent.interval.high <= 80 or not graph.matters(op.value) or not op.value.is_tensor:
        return
    site = exponent.origin.site
    steps = [Step(site, "nothing keeps this exponent below 88.7, where exp overflows to inf")] if site else []
    function = op.site.unit.spell("torch.nn.functional.softplus")
    argument = respell(graph, op, exponent)
    rewrite = None
    if function is not None and argument is not None:
        content = f"{function}({argument}, threshold=40)"
        rewrite = Rewrite(Applicability.SAFE, f"use `{content}`", (Replacement(op.site, content),))
    yield RULE.finding(
        op.site,
        f"log(1 + exp(x)) overflows to inf, with a NaN gradient, where `{excerpt(exponent)}` is above 88.7; "
        "softplus does not",
        severity=Severity.INFO if is_learned(exponent) else Severity.ERROR,
        evidence=with_calls(op, steps),
        rewrite=rewrite,
    )
