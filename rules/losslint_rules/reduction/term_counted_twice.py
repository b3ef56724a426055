"""a term that is added to the loss twice

The same value stands twice in one sum: `sum(losses.values())` after the total was put into the same dictionary, or a line
copied without changing the term. The term then has twice its weight, and its twin that was meant is missing.

Reported where both are the same value, computed by the same expression from the same inputs, and nothing in between
scales one of them.

## Bad

```python
import torch.nn.functional as F

def detection_loss(boxes, scores, target_boxes, target_scores):
    losses = {"box": F.l1_loss(boxes, target_boxes), "score": F.mse_loss(scores, target_scores)}
    losses["total"] = sum(losses.values())
    return sum(losses.values())
```

## Good

```python
import torch.nn.functional as F

def detection_loss(boxes, scores, target_boxes, target_scores):
    losses = {"box": F.l1_loss(boxes, target_boxes), "score": F.mse_loss(scores, target_scores)}
    losses["total"] = sum(losses.values())
    return losses["total"]
```

If twice the weight is meant, write `2 * term`. No fix is offered: which of the two is wrong is not to be seen.

A run confirms it by two terms with the same value and the same gradient.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Gradient, Reduced, Value
from losslint_rules.reduction.loss_operators import is_loss_operator

RULE = Rule(code="LL317", name="term-counted-twice", severity=Severity.WARNING, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the sums of a returned loss that hold a term more than once."""
    for op in graph.returns:
        for value in returned_values(op):
            for total in sums(value):
                yield from _repeated(total)


def sums(value: Value) -> Iterator[Value]:
    """The outermost sums a value is made of, through scaling and joined paths."""
    pending, seen = [value], set[int]()
    while pending:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        if current.origin.name == "add":
            yield current
        elif current.origin.name in ("mul", "div", "phi", "neg"):
            pending.extend(current.origin.operands)


def summands(total: Value, limit: int = 60) -> list[Value]:
    """What is added up, with repetitions: additions alone are opened."""
    found: list[Value] = []
    pending = [total]
    while pending and len(found) < limit:
        current = pending.pop()
        if current.origin.name == "add":
            pending.extend(current.origin.operands)
        else:
            found.append(current)
    return found


def _repeated(total: Value) -> Iterator[Finding]:
    found: dict[int, list[Value]] = {}
    for term in summands(total):
        found.setdefault(term.key, []).append(term)
    for same in found.values():
        term = same[0]
        if len(same) < 2 or not _is_term(term) or not _is_one_value(same) or total.origin.site is None:
            continue
        steps = [Step(term.origin.site, "computed here")] if term.origin.site is not None else []
        yield RULE.finding(
            total.origin.site,
            f"`{excerpt(term)}` is added {'twice' if len(same) == 2 else 'several times'} in this sum: leave one out, "
            "or write its weight",
            evidence=steps,
        )
        return


def _is_one_value(same: list[Value]) -> bool:
    """Whether equal expressions give equal values: written once, or without calls of networks, which may be random."""
    sites = {id(each.origin.site.node) for each in same if each.origin.site is not None}
    return len(sites) == 1 or not any(
        each.origin.name == "method" or each.origin.label.endswith("()") for each in ancestors(same)
    )


def _is_term(value: Value) -> bool:
    """A proven loss: what torch's losses give, or a mean or a sum with a gradient."""
    if not value.is_tensor or value.gradient is not Gradient.CARRIES:
        return False
    return is_loss_operator(value) or (value.rank == 0 and value.reduction.kind in (Reduced.MEAN, Reduced.SUM))
