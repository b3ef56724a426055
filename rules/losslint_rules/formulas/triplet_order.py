"""a triplet loss that pulls the negative and pushes the positive

A triplet loss is `relu(d(anchor, positive) - d(anchor, negative) + margin)`: it is 0 once the negative is farther than the positive
by the margin. With the two distances exchanged, or with similarities in the places of distances, it is 0 where the positive
is far and the negative near, and training gets there.

Reported are hinges of a difference of two distances, or two similarities, of which one is computed from something called
positive and the other from something called negative, in the wrong order.

## Bad

```python
import torch.nn.functional as F

def triplet_loss(anchor, positive, negative, margin=0.2):
    near = F.cosine_similarity(anchor, positive)
    far = F.cosine_similarity(anchor, negative)
    return F.relu(near - far + margin).mean()
```

## Good

```python
import torch.nn.functional as F

def triplet_loss(anchor, positive, negative, margin=0.2):
    near = F.cosine_similarity(anchor, positive)
    far = F.cosine_similarity(anchor, negative)
    return F.relu(far - near + margin).mean()
```

No fix is offered: the order, the names or the measure is wrong.

A run confirms it: the gradient moves the positive away.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.critic_signs import signed_terms
from losslint_rules.formulas.polynomials import bare
from losslint_rules.formulas.sides import parameters_in

RULE = Rule(code="LL740", name="triplet-order", severity=Severity.WARNING)

_POSITIVE = frozenset({"pos", "positive", "positives"})
_NEGATIVE = frozenset({"neg", "negative", "negatives"})
_DISTANCES = frozenset("pairwise_distance norm linalg_vector_norm linalg_norm cdist dist mse_loss l1_loss".split())
_SIMILARITIES = frozenset({"cosine_similarity"})


@RULE.on_op("relu", "clamp", "clamp_min", "softplus")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report hinges of two measures in the order of the other kind of measure."""
    if not graph.matters(op.value):
        return
    terms = [(sign, kind, each) for sign, each in signed_terms(op.operands[0]) if (kind := _kind(each)) is not None]
    if len(terms) != 2 or terms[0][0] * terms[1][0] > 0 or {terms[0][1], terms[1][1]} != {True, False}:
        return
    measures = {_rises_with_distance(each) for _, _, each in terms}
    if len(measures) != 1 or None in measures:
        return
    is_distance = measures.pop()
    for sign, is_positive, each in terms:
        if is_positive and (sign > 0) is not is_distance:
            site = each.origin.site
            what = "distance" if is_distance else "similarity"
            yield RULE.finding(
                op.site,
                f"this hinge falls with the distance to the positive: the {what} to it, `{excerpt(each)}`, has the sign of the "
                "other one; it is relu(d(anchor, positive) - d(anchor, negative) + margin)",
                evidence=with_calls(op, [Step(site, f"the {what} to the positive")] if site is not None else []),
            )


def _kind(value: Value) -> bool | None:
    """True for what is computed from something called positive, False for negative, None for neither or both."""
    said = {word for each in parameters_in(value) for word in words(each.origin.label)}
    return None if bool(said & _POSITIVE) is bool(said & _NEGATIVE) else bool(said & _POSITIVE)


def _rises_with_distance(value: Value) -> bool | None:
    """True for distances, their squares and sums of squares, False for similarities, None for what is neither for certain."""
    current = bare(value)
    for _ in range(8):
        name, operands = current.origin.name, current.origin.operands
        if name in _DISTANCES:
            return True
        if name in _SIMILARITIES:
            return False
        if name in ("pow", "square", "abs") and bare(operands[0]).origin.name == "sub":
            return True
        if name not in ("pow", "square", "sqrt", "sum", "mean") or not operands:
            return None
        current = bare(operands[0])
    return None
