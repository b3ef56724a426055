"""two log-probabilities multiplied

A cross entropy weighs log-probabilities with probabilities: `-(p * log_q).sum(dim=1)`. With the logarithm on both sides,
`log_p * log_q`, the least probable classes weigh most, and the sum has its minimum nowhere near the distribution of the
teacher.

Reported where the log_softmax of one value is multiplied with that of another and the product is part of the loss.

## Bad

```python
import torch.nn.functional as F

def distillation_loss(student, teacher):
    expected = F.log_softmax(teacher.detach(), dim=-1)
    return -(expected * F.log_softmax(student, dim=-1)).sum(dim=-1).mean()
```

## Good

```python
import torch.nn.functional as F

def distillation_loss(student, teacher):
    expected = F.softmax(teacher.detach(), dim=-1)
    return -(expected * F.log_softmax(student, dim=-1)).sum(dim=-1).mean()
```

No fix is offered: which of the two should be probabilities is for the author to say.

A run confirms it by a student that equals its teacher, for which the gradient is not 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value

RULE = Rule(code="LL363", name="product-of-logarithms", severity=Severity.WARNING, doubted=True)

_PLACED = frozenset("neg float double to detach contiguous clone view reshape".split())


@RULE.on_op("mul")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report products of the log_softmax of two values."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    first, second = (_logged(each) for each in op.operands)
    if first is None or second is None or first.key == second.key:
        return
    steps = [Step(each.origin.site, "log-probabilities") for each in (first, second) if each.origin.site is not None]
    yield RULE.finding(
        op.site,
        f"`{excerpt(first)}` and `{excerpt(second)}` are both log-probabilities: their product weighs the least probable classes "
        "most; a cross entropy multiplies probabilities with log-probabilities",
        evidence=with_calls(op, steps),
    )


def _logged(value: Value) -> Value | None:
    current = value.beneath(_PLACED)
    return current if current.origin.name == "log_softmax" else None
