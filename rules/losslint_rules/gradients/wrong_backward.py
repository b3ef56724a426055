"""the gradient is not the derivative of the value

A custom `torch.autograd.Function` (or a hook) computes a gradient that does not belong to the value. Training goes on
and ends somewhere else. Only a run can tell: the analytic gradient is compared with finite differences in float64,
along several directions, at several points and with several steps.

## Bad

```python
import torch

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * x

def square_loss(pred, target):
    return Square.apply(pred - target).mean()
```

## Good

```python
import torch

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 2 * x

def square_loss(pred, target):
    return Square.apply(pred - target).mean()
```

What `detach()` and `no_grad()` cut on purpose is held fixed in the finite differences, so a stop-gradient is no
finding; kinks, random losses and losses that compute in float32 are told apart and left alone. No fix is offered.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements, UserLine
from losslint.rule import Rule, RunFinding, Symptom

RULE = Rule(
    code="LL105", name="wrong-backward", severity=Severity.ERROR, doubted=True, confirmed_by=("gradient_check",)
)


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report a failed gradient check; with guessed constructor arguments it is a warning."""
    check = m.gradient_check
    if check is None or check.status != "failed" or m.construction is None:
        return
    if m.dead_gradient is not None and m.dead_gradient.dead:
        return  # no gradient at all is told by no-gradient-path and nondifferentiable-op
    # Operators of torch itself differentiate rightly: without a function, hook or number of the user's to blame, the point
    # is ill-conditioned (a saturated BCE, a pole nearby).
    severity = Severity.ERROR if m.construction.confidence >= 0.75 else Severity.WARNING
    severity = severity if check.filename is not None else Severity.INFO
    worst = check.worst
    numbers = (
        f" (d/d{worst.leaf}: {worst.analytic:.6g} by backward, {worst.numeric:.6g} by finite differences)"
        if worst
        else ""
    )
    yield RULE.run_finding(
        f"{check.reason or 'the gradient is not the derivative of the value'}{numbers}",
        Symptom.WRONG_GRADIENT,
        m.construction.confidence,
        severity=severity,
        line=UserLine(check.filename, check.line) if check.filename else None,
        names=(worst.leaf,) if worst else (),
    )
