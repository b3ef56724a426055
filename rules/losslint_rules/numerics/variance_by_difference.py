"""a variance as the difference of two means

`(x**2).mean() - x.mean()**2` subtracts two numbers that agree in most of their digits where the mean is large against the
deviation. In float32 with a mean of 1000 and a deviation of 0.1 nothing of the variance is left, and rounding can make it
negative. `var` subtracts the mean first.

Under a root or a log a negative result is NaN, which cancellation-under-root (LL223) reports. Silent where `x` is bounded, as
probabilities and normalised vectors are.

## Bad

```python
def spread_loss(x):
    return -((x**2).mean(dim=0) - x.mean(dim=0) ** 2).sum()
```

## Good

```python
def spread_loss(x):
    return -x.var(dim=0, unbiased=False).sum()
```

`x.var(dim, unbiased=False)`, or `((x - x.mean(dim, keepdim=True)) ** 2).mean(dim)`. No fix is offered: the author may weigh
the mean.

A run confirms it by inputs with a mean of 1000.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value

RULE = Rule(code="LL241", name="variance-by-difference", severity=Severity.INFO, preview=True)


@RULE.on_op("sub")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report E[x**2] - E[x]**2."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    left, right = op.operands
    inside, mean = _mean_of(left), _squared(right)
    inner = _squared(inside) if inside is not None else None
    averaged = _mean_of(mean) if mean is not None else None
    if inner is None or averaged is None or inner.key != averaged.key or _is_bounded(inner):
        return
    yield RULE.finding(
        op.site,
        f"this difference is the variance of `{excerpt(inner)}` and loses its digits where the mean is large against it; use var",
        evidence=with_calls(op, ()),
    )


def _mean_of(value: Value) -> Value | None:
    return value.origin.operands[0] if value.origin.name == "mean" and value.origin.operands else None


def _squared(value: Value) -> Value | None:
    """x of `x ** 2`, `x.square()` and `x * x`."""
    name, operands = value.origin.name, value.origin.operands
    if name == "square" or (name == "pow" and len(operands) == 2 and operands[1].constant in (2, 2.0)):
        return operands[0]
    if name == "mul" and len(operands) == 2 and operands[0].key == operands[1].key:
        return operands[0]
    return None


def _is_bounded(value: Value) -> bool:
    return (value.interval.low >= -1 and value.interval.high <= 1) or value.origin.name == "normalize"
