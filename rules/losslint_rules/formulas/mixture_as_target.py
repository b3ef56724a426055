"""a Jensen-Shannon divergence taken the other way round

The Jensen-Shannon divergence is the mean of `KL(p || m)` and `KL(q || m)` for the mixture m of p and q. `F.kl_div(log p, m)` is
`KL(m || p)`, because torch takes the logarithm of the second distribution first: what results has no upper bound, is infinite
where one of the two is 0, and is not the divergence that was meant.

Reported where the target of a `kl_div` is half of the sum of two distributions, and its input the logarithm of one of the two.

## Bad

```python
import torch.nn.functional as F

def js_loss(first, second):
    p, q = F.softmax(first, dim=1), F.softmax(second, dim=1)
    m = 0.5 * (p + q)
    return 0.5 * (
        F.kl_div(F.log_softmax(first, dim=1), m, reduction="batchmean")
        + F.kl_div(F.log_softmax(second, dim=1), m, reduction="batchmean")
    )
```

## Good

```python
import torch.nn.functional as F

def js_loss(first, second):
    p, q = F.softmax(first, dim=1), F.softmax(second, dim=1)
    log_m = (0.5 * (p + q)).clamp(min=1e-7).log()
    return 0.5 * (F.kl_div(log_m, p, reduction="batchmean") + F.kl_div(log_m, q, reduction="batchmean"))
```

No fix is offered: the logarithm of the mixture has to be made first.

A run confirms it: for distributions that do not overlap the value is above the logarithm of 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import bare

RULE = Rule(code="LL768", name="mixture-as-target", severity=Severity.WARNING)

_CLAMPS = frozenset("clamp clamp_min clamp_max detach add".split())


@RULE.on_op("kl_div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report divergences of a part from the mixture with the two in each other's place."""
    if len(op.operands) < 2 or not graph.matters(op.value):
        return
    logs, target = op.operands[:2]
    parts = _mixed(target)
    if parts is None or not any(_is_log_of(logs, each) for each in parts):
        return
    site = _bare(target).origin.site
    yield RULE.finding(
        op.site,
        f"`kl_div(log p, m)` is the divergence of the mixture `{excerpt(target)}` from the part: for a Jensen-Shannon divergence "
        "pass the logarithm of the mixture first and the part as the target",
        evidence=with_calls(op, [Step(site, "the mixture")] if site is not None else []),
    )


def _bare(value: Value) -> Value:
    value = bare(value)
    while value.origin.name in _CLAMPS and value.origin.operands:
        if value.origin.name == "add" and not value.origin.operands[1].has_constant:
            break
        value = bare(value.origin.operands[0])
    return value


def _mixed(value: Value) -> tuple[Value, ...] | None:
    """p and q of `0.5 * (p + q)` and `(p + q) / 2`."""
    value = _bare(value)
    if value.origin.name not in ("mul", "div") or len(value.origin.operands) != 2:
        return None
    factor = 0.5 if value.origin.name == "mul" else 2
    for number, other in (value.origin.operands[::-1], value.origin.operands):
        total = _bare(other)
        if number.has_constant and number.constant == factor and total.origin.name == "add":
            return tuple(_bare(each) for each in total.origin.operands)
    return None


def _is_log_of(logs: Value, part: Value) -> bool:
    logs = _bare(logs)
    if not logs.origin.operands:
        return False
    inner = _bare(logs.origin.operands[0])
    if logs.origin.name == "log":
        return inner.key == part.key
    same = part.origin.name == "softmax" and _bare(part.origin.operands[0]).key == inner.key
    return logs.origin.name == "log_softmax" and same
