"""zip over lists of different lengths leaves some out

`zip` stops with the shortest. Three weights for four scales: the fourth scale never enters the loss, and nothing says so.
`strict=True` (Python 3.10) makes it an error.

Reported where the lengths of both lists are written in the code and what is left out carries a gradient; weights too many are
silent. Preview: rare, and sometimes meant.

## Bad

```python
import torch.nn.functional as F

def pyramid_loss(p1, p2, p3, target):
    total = 0.0
    for weight, level in zip([1.0, 0.5], [p1, p2, p3]):
        total = total + weight * F.mse_loss(level, target)
    return total
```

## Good

```python
import torch.nn.functional as F

def pyramid_loss(p1, p2, p3, target):
    total = 0.0
    for weight, level in zip([1.0, 0.5, 0.25], [p1, p2, p3], strict=True):
        total = total + weight * F.mse_loss(level, target)
    return total
```

No fix is offered.

A run confirms it by an input that the loss does not depend on.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind

RULE = Rule(code="LL407", name="zip-truncation", severity=Severity.WARNING, preview=True)


@RULE.on_op("zip")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report zip over literal lists whose lengths differ."""
    lists = [
        (value, len(value.elements))
        for value in op.operands
        if value.kind is Kind.SEQUENCE
        and isinstance(value.elements, tuple)
        and value.origin.name in ("sequence", "unknown")
    ]
    if len(lists) < 2 or len({length for _, length in lists}) == 1:
        return
    (short, few), (long, many) = min(lists, key=lambda each: each[1]), max(lists, key=lambda each: each[1])
    left_out = long.elements[few:] if isinstance(long.elements, tuple) else ()
    if op.conditions or not any(each.gradient is Gradient.CARRIES for each in left_out):
        return  # a list that settings make longer or shorter, or weights that are not needed
    yield RULE.finding(
        op.site,
        f"zip stops after {few}, the length of `{excerpt(short)}`, and leaves the last {many - few} of `{excerpt(long)}` out of "
        "the loss; give both the same length",
        evidence=with_calls(op, ()),
    )
