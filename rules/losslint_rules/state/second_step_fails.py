"""the second training step fails or is not finite

The first step is fine and the second is not: something with a graph is kept from one step to the next (a running mean
that was not detached), or a state is left that the next call cannot cope with. Tests that call a loss once never see it.

## Bad

```python
import torch

class CentredLoss(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = 0.0

    def forward(self, pred, target):
        error = pred - target
        self.mean = 0.9 * self.mean + 0.1 * error.mean()
        return ((error - self.mean) ** 2).mean()
```

## Good

```python
import torch

class CentredLoss(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = 0.0

    def forward(self, pred, target):
        error = pred - target
        self.mean = 0.9 * self.mean + 0.1 * error.mean().detach()
        return ((error - self.mean) ** 2).mean()
```

A run takes two steps on one instance. No fix is offered.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements, UserLine
from losslint.rule import Rule, RunFinding, Symptom

RULE = Rule(code="LL602", name="second-step-fails", severity=Severity.ERROR, confirmed_by=("second_step",))


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report a second step that fails where the first did not."""
    found = m.second_step
    if found is None or found.status != "failed" or m.construction is None:
        return
    yield RULE.run_finding(
        f"the second step fails: {found.reason}",
        Symptom.SECOND_STEP,
        m.construction.confidence,
        severity=Severity.ERROR if m.construction.confidence >= 0.75 else Severity.WARNING,
        line=UserLine(found.filename, found.line) if found.filename else None,
    )
