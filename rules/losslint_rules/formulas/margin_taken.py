"""a hinge that takes the margin away instead of asking for it

`relu(d_positive - d_negative + margin)` asks negatives to be farther than positives by a margin. With `- margin` nothing is asked
until a positive is farther than its negative by the margin: at equal distances the loss is 0, and an embedding that maps everything
to one point is perfect.

Reported where two distances, or two similarities, that are computed in the loss are compared in a hinge at 0, and a margin that is
positive by default is taken from their difference. Hinges of one distance, which tolerate what is below the margin, are silent.

## Bad

```python
import torch.nn.functional as F

def triplet_loss(anchor, positive, negative, margin=0.3):
    near = F.pairwise_distance(anchor, positive)
    far = F.pairwise_distance(anchor, negative)
    return F.relu(near - far - margin).mean()
```

## Good

```python
import torch.nn.functional as F

def triplet_loss(anchor, positive, negative, margin=0.3):
    near = F.pairwise_distance(anchor, positive)
    far = F.pairwise_distance(anchor, negative)
    return F.relu(near - far + margin).mean()
```

No fix is offered: the difference may be the wrong way round as well.

A run confirms it: for equal embeddings the loss is 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.formulas.signed_elements import signed_elements
from losslint_rules.usage.pair_measures import is_distance, is_similarity

RULE = Rule(code="LL769", name="margin-taken", severity=Severity.WARNING, doubted=True)


@RULE.on_op("relu", "clamp", "clamp_min", "maximum")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report hinges of the difference of two measures from which a margin is taken."""
    if not op.operands or not graph.matters(op.value) or not _cuts_below_zero(op):
        return
    whole = [
        each.value.key for each in graph.named("sum", "mean") if is_distance(each.value) or is_similarity(each.value)
    ]
    found = list(signed_elements(op.operands[0], whole))
    measures = [(term, sign) for term, sign in found if term.kind is not Kind.NUMBER]
    margins = [(term, sign) for term, sign in found if term.kind is Kind.NUMBER]
    if len(measures) != 2 or len(margins) != 1 or {sign for _, sign in measures} != {1, -1}:
        return
    margin, sign = margins[0]
    if sign > 0 or not _is_margin(margin):
        return
    terms = [term for term, _ in measures]
    if not (all(map(is_distance, terms)) or all(map(is_similarity, terms))):
        return
    site = terms[0].origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(margin)}` is taken from the difference of `{excerpt(terms[0], 30)}` and `{excerpt(terms[1], 30)}`, so that "
        "equal ones cost nothing: a margin is added to what is cut at 0",
        evidence=with_calls(op, [Step(site, "one of the two that are compared")] if site is not None else []),
    )


def _cuts_below_zero(op: Op) -> bool:
    if op.name == "relu":
        return True
    if op.name == "maximum":
        return any(each.has_constant and each.constant == 0 for each in op.operands)
    low, high = op.keywords.get("min"), op.keywords.get("max")
    return low is not None and low.has_constant and low.constant == 0 and (high is None or high.kind is Kind.NONE)


def _is_margin(value: Value) -> bool:
    """A positive number, or a setting that is called a margin and is positive by default."""
    if value.has_constant and isinstance(value.constant, (int, float)):
        return value.constant > 0 and (not value.is_default or "margin" in words(value.origin.label))
    return value.kind is Kind.NUMBER and "margin" in words(value.origin.label)
