"""a root of a difference that rounding makes negative

`E[x ** 2] - E[x] ** 2`, `|x| ** 2 + |y| ** 2 - 2 * x @ y.t()` and `1 - cosine ** 2` are never negative on paper. In
float32 the two large parts cancel, what is left is rounding, and where the truth is 0 (constant values, equal
embeddings, the diagonal of a distance matrix) it is a small negative number as often as not. Its root is NaN, and so
is every power that is no integer.

An eps below 1e-7 is smaller than the rounding and does not help. `clamp(min=0)` helps the value alone: where the
difference is exactly 0 the slope of the root is infinite and the gradient NaN, so that a distance matrix of a batch
with itself is reported too. `clamp(min=eps)` is fine, and so is a ReLU, whose own backward writes zeros.

## Bad

```python
import torch
import torch.nn.functional as F

def contrastive_loss(x, y, same):
    squared = (x**2).sum(1, keepdim=True) + (y**2).sum(1) - 2 * x @ y.t()
    distance = torch.sqrt(squared)
    return (same * distance + (1 - same) * F.relu(1 - distance)).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def contrastive_loss(x, y, same):
    distance = torch.cdist(x, y)
    return (same * distance + (1 - same) * F.relu(1 - distance)).mean()
```

## Use instead

`torch.cdist`, whose gradient at 0 is 0; `x.var(unbiased=False)` for a variance; otherwise `.clamp(min=eps)` before the
root. No fix is offered: a distance by `cdist` is another number where the cancellation was.

A run confirms it with equal or constant inputs.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.numerics.differences import Difference, cancelling

RULE = Rule(
    code="LL223",
    name="cancellation-under-root",
    severity=Severity.WARNING,
    confirmed_by=("degenerate", "forward"),
    precondition=Precondition.ZERO,
)


@RULE.on_op("sqrt", "rsqrt")
def root_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report sqrt and rsqrt of a difference that cancels."""
    yield from _findings(op, graph)


@RULE.on_op("pow")
def power_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report every power that is no integer: that of a negative number is NaN as well."""
    exponent = op.operands[1].constant if len(op.operands) == 2 else None
    if isinstance(exponent, float) and not exponent.is_integer():
        yield from _findings(op, graph)


def _findings(op: Op, graph: Graph) -> Iterator[Finding]:
    radicand, clamped = op.operands[0], False
    if radicand.origin.name in ("clamp", "clamp_min") and _is_zero_clamp(radicand):
        radicand, clamped = radicand.origin.operands[0], True
    found = cancelling(radicand)
    if found is None or op.is_guarded([op.operands[0], radicand]) or not graph.matters(op.value):
        return
    if clamped and not (found.with_itself and op.gradient_matters and graph.differentiates(op.value)):
        return
    yield RULE.finding(op.site, _message(found, clamped), evidence=with_calls(op, _steps(radicand, found)))


def _is_zero_clamp(value: Value) -> bool:
    limit = value.origin.keywords.get("min")
    return limit is not None and limit.has_constant and limit.constant == 0


def _message(found: Difference, clamped: bool) -> str:
    if clamped:
        return (
            f"{found.words} is exactly 0 on the diagonal of a batch with itself, where the slope of the root is infinite "
            "and the gradient NaN; clamp it at an eps, or use torch.cdist"
        )
    return (
        f"{found.words} is slightly negative by rounding where it should be 0, and a root of it is NaN; clamp it at an eps "
        "before the root"
    )


def _steps(radicand: Value, found: Difference) -> list[Step]:
    steps = []
    if found.subtracted.origin.site is not None:
        steps.append(Step(found.subtracted.origin.site, f"`{excerpt(found.subtracted)}` is subtracted here"))
    if radicand.origin.site is not None:
        steps.append(Step(radicand.origin.site, "and this keeps only the rounding where both parts are equal"))
    return steps
