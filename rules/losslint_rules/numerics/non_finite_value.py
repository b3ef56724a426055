"""a value or gradient that is not finite for ordinary inputs

A run fed the loss inputs that occur in training (logits up to 30, probabilities of exactly 0 and 1, a batch of one, a
mask that selects nothing) and an operator gave inf or NaN, in the value or in the gradient. One such batch makes every
weight NaN. Logs, roots and divisions have rules of their own; this one reports every other operator, at the line where
the numbers stop being finite.

## Bad

```python
import torch

def exponential_loss(pred, target):
    return torch.exp((pred - target) ** 2).mean()
```

## Good

```python
import torch

def exponential_loss(pred, target):
    return torch.logsumexp((pred - target).flatten() ** 2, 0)
```

No fix is offered: what the loss should do there only you know. Inputs that losslint had to guess give an info at most.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements
from losslint.rule import Rule, RunFinding
from losslint_rules.runs import described, non_finite

RULE = Rule(
    code="LL208",
    name="non-finite-value",
    severity=Severity.ERROR,
    confirmed_by=("forward", "saturation", "degenerate", "half"),
)
_REPORTED_ELSEWHERE = frozenset(
    {"log", "log2", "log10", "log1p", "sqrt", "rsqrt", "div", "reciprocal", "true_divide", "mean"}
)


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report the operators that no rule of their own answers for."""
    for each in non_finite(m):
        if each.operator not in _REPORTED_ELSEWHERE:
            yield RULE.run_finding(
                f"{described(each)}: it starts at `{each.operator}`",
                each.symptom,
                each.confidence,
                severity=each.severity,
                line=each.outcome.origin,
                outcome=each.outcome,
            )
