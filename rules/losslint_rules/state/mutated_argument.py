"""the loss changes a tensor that it was given

An in-place operator on an argument, or on a view of it, changes the caller's tensor: the next loss, the metric or the
log sees other numbers, and where the tensor was needed for the backward pass, autograd raises or computes with the
changed values.

## Bad

```python
import torch.nn.functional as F

def clipped_loss(pred, target):
    target.clamp_(0, 1)
    return F.mse_loss(pred, target)
```

## Good

```python
import torch.nn.functional as F

def clipped_loss(pred, target):
    return F.mse_loss(pred, target.clamp(0, 1))
```

A run compares every argument before and after the call. No fix is offered.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements, UserLine
from losslint.rule import Rule, RunFinding, Symptom

RULE = Rule(code="LL601", name="mutated-argument", severity=Severity.WARNING, confirmed_by=("mutation",))


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report the arguments that differ after the call."""
    found = m.mutation
    if found is None or found.status != "mutated":
        return
    yield RULE.run_finding(
        f"the call changes its argument{'s' * (len(found.arguments) > 1)} {', '.join(found.arguments)} in place",
        Symptom.MUTATION,
        1.0,
        line=UserLine(found.filename, found.line) if found.filename else None,
        names=found.arguments,
    )
