"""one number for the batch, added to one number an element, and returned so

`self.alpha * F.cross_entropy(logits, labels) + self.beta * rce`, where `rce` has one number a sample, broadcasts: what is
returned has one number a sample, each with the mean of all samples in it. `backward()` fails, and a sum over the samples
counts the first term as often as there are samples. Most often `.mean()` was left out of one of the terms.

Reported where the one term is proven to be reduced over all elements and the other proven to be elementwise, both carry a
gradient, and their sum is what the loss returns. Silent where an option, the name or the documentation leaves the reduction
to the caller, and for helpers that the file calls itself.

## Bad

```python
import torch.nn.functional as F

def robust_loss(logits, labels, pred, target):
    return F.cross_entropy(logits, labels) + (pred - target).abs()
```

## Good

```python
import torch.nn.functional as F

def robust_loss(logits, labels, pred, target):
    return F.cross_entropy(logits, labels) + (pred - target).abs().mean()
```

No fix is offered: a sum may be meant.

A run confirms it by an output with more than one element.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Reduced, Value
from losslint_rules.reduction.returns import has_elements, is_called_in_file, leaves_reduction_open

RULE = Rule(
    code="LL352", name="number-plus-elements", severity=Severity.WARNING, doubted=True, confirmed_by=("unreduced",)
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report returned sums of a reduced term and an elementwise one."""
    if leaves_reduction_open(graph) or is_called_in_file(graph) or graph.function is None:
        return
    if graph.function.name.value.startswith("_"):
        return
    told: set[int] = set()
    for op in graph.returns:
        found = _mixed(op.operands[0])
        if found is None or id(op.site.node) in told:
            continue
        told.add(id(op.site.node))
        number, elements = found
        steps = [
            Step(value.origin.site, f"`{excerpt(value)}` {what}")
            for value, what in ((number, "is one number"), (elements, "has one number an element"))
            if value.origin.site is not None
        ]
        yield RULE.finding(
            op.site,
            f"`{excerpt(number)}` is one number for all elements and `{excerpt(elements)}` one an element: their sum is returned "
            "with its elements; reduce both",
            evidence=steps,
        )


def _mixed(value: Value) -> tuple[Value, Value] | None:
    """The reduced and the elementwise term of a sum."""
    pending, numbers, elements = [value], list[Value](), list[Value]()
    while pending:
        current = pending.pop()
        if current.origin.name in ("add", "sub") and len(current.origin.operands) == 2 and current.rank != 0:
            pending.extend(reversed(current.origin.operands))
        elif current.gradient is not Gradient.CARRIES:
            continue
        elif current.is_tensor and current.rank == 0 and current.reduction.kind in (Reduced.MEAN, Reduced.SUM):
            numbers.append(current)
        elif has_elements(current):
            elements.append(current)
        else:
            return None
    return (numbers[0], elements[0]) if numbers and elements else None
