"""a tensor stays on the CPU while the inputs are on the GPU

A tensor made in the loss without `device=`, or kept as a plain attribute instead of a buffer, is on the CPU. On a
machine without a GPU every test passes; in training the first step fails with "Expected all tensors to be on the same
device". A run finds it without a GPU: the loss runs on a pretend device that enforces CUDA's rules.

## Bad

```python
import torch

def off_diagonal_loss(features, target):
    similarity = features @ features.t()
    return ((similarity - torch.eye(len(features))) ** 2).mean() + (features - target).abs().mean()
```

## Good

```python
import torch

def off_diagonal_loss(features, target):
    similarity = features @ features.t()
    identity = torch.eye(len(features), device=features.device)
    return ((similarity - identity) ** 2).mean() + (features - target).abs().mean()
```

Zero-dimensional CPU tensors mix with anything and are no finding. In a module, `register_buffer` makes a constant
move with it. No fix is offered. `--device cuda` runs the same on a real GPU.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements, UserLine
from losslint.rule import Rule, RunFinding, Symptom

RULE = Rule(code="LL501", name="device-mismatch", severity=Severity.ERROR, confirmed_by=("device",))


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report a mismatch; without a line in the user's code it is a warning."""
    device = m.device
    if device is None or device.status != "mismatch" or m.construction is None:
        return
    placed = device.filename is not None and m.construction.confidence >= 0.75
    yield RULE.run_finding(
        device.reason,
        Symptom.DEVICE,
        m.construction.confidence,
        severity=Severity.ERROR if placed else Severity.WARNING,
        line=UserLine(device.filename, device.line) if device.filename else None,
    )
