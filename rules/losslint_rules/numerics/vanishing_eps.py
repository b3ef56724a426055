"""an epsilon that vanishes in float32

Between 0.5 and 1, float32 numbers are 6e-8 apart, so `1 - 1e-8` is exactly 1: `p.clamp(1e-8, 1 - 1e-8)` does
not keep p below 1, and the `log(1 - p)` it was written for is -inf all the same. The lower bound is fine:
near 0 float32 reaches 1e-38.

## Bad

```python
import torch

def bce_loss(prob, target):
    prob = prob.clamp(1e-8, 1 - 1e-8)
    return -(target * torch.log(prob) + (1 - target) * torch.log1p(-prob)).mean()
```

## Good

```python
import torch

def bce_loss(prob, target):
    eps = torch.finfo(prob.dtype).eps
    prob = prob.clamp(eps, 1 - eps)
    return -(target * torch.log(prob) + (1 - target) * torch.log1p(-prob)).mean()
```

Use `torch.finfo(p.dtype).eps`, or 1e-6; in float16 `1 - 1e-4` is 1 too. Tensors that are visibly float64 are
not reported.

No fix is offered: a larger epsilon changes values. A run confirms it in float32 with saturated probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.intervals import float32
from losslint.semantics.values import DType, Value

RULE = Rule(
    code="LL207",
    name="vanishing-eps",
    severity=Severity.WARNING,
    confirmed_by=("saturation", "half"),
    precondition=Precondition.MAGNITUDE,
)


@RULE.on_op("clamp", "clamp_max", "minimum")
def bound_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an upper bound of `1 - eps` that is 1 in float32."""
    limits = [value for value in op.operands[1:] if vanished(value) is not None]
    yield from _findings(op, graph, limits, "this upper bound is exactly 1 and bounds nothing")


@RULE.on_op("sub", "rsub")
def difference_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `1 + eps - p`, which is `1 - p` in float32."""
    left = op.operands[0]
    if len(op.operands) == 2 and vanished(left) is not None and op.operands[1].interval.high == 1.0:
        yield from _findings(op, graph, [left], "the difference is exactly 0 where the subtracted value is 1")


def vanished(value: Value) -> Value | None:
    """The epsilon in `1 - eps` or `1 + eps` that float32 rounds away."""
    if value.origin.name not in ("add", "sub") or not value.has_constant:
        return None
    left, right = value.origin.operands
    for whole, small in ((left, right), (right, left)):
        if whole.constant in (1, 1.0) and _rounds_away(small.constant, value.constant):
            return small
    return None


def _rounds_away(small: object, result: object) -> bool:
    if not isinstance(small, float) or not isinstance(result, float):
        return False
    return 0 < abs(small) < 0.5 and float32(result) == 1.0


def _findings(op: Op, graph: Graph, values: list[Value], consequence: str) -> Iterator[Finding]:
    if op.operands[0].dtype is DType.DOUBLE or not graph.matters(op.value):
        return
    for value in values:
        small = vanished(value)
        site = value.origin.site
        if small is None or site is None:
            continue
        given = "its default " if small.is_default else ""
        steps = [Step(small.origin.site, f"the epsilon is {given}{small.constant!r}")] if small.origin.site else []
        yield RULE.finding(
            site,
            f"{_shown(value)} is exactly 1.0 in float32: {consequence}",
            evidence=with_calls(op, steps),
        )


def _shown(value: Value) -> str:
    left, right = value.origin.operands
    sign = "-" if value.origin.name == "sub" else "+"
    return f"{left.constant} {sign} {right.constant}"
