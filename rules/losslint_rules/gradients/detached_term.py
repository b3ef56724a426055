"""a term of the loss that no gradient reaches

A summand computed of `pred.detach()`, or under `no_grad`, changes the value of the loss and trains nothing: what its weight
is set to makes no difference, and the curve of the loss shows a term that nobody minimises.

Reported where other terms carry a gradient, and everything in this one that ever carried one was detached, or the term was
detached as a whole. Where nothing carries one, no-gradient-path (LL102) reports the loss as a whole; where an operator without
a gradient is the reason, nondifferentiable-op (LL101) does. Silent are weights and normalisers, baselines that are subtracted,
straight-through estimators, and terms of a learned codebook against detached features.

## Bad

```python
import torch.nn.functional as F

def total_loss(pred, target, edges, edge_target):
    return F.l1_loss(pred, target) + 0.1 * F.l1_loss(edges.detach(), edge_target)
```

## Good

```python
import torch.nn.functional as F

def total_loss(pred, target, edges, edge_target):
    return F.l1_loss(pred, target) + 0.1 * F.l1_loss(edges, edge_target)
```

No fix is offered: a value that is only watched belongs beside the loss, not into it.

A run confirms it by the share of the gradient that the term has, which is 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import DeadTerm, dead_terms, nearest_culprits, returned_values
from losslint.semantics.values import Gradient, Kind, Value
from losslint_rules.gradients.detached_summands import CUTS, carriers, detached_summands, is_of_a_prediction
from losslint_rules.reduction.signed_terms import signed_terms

RULE = Rule(code="LL120", name="detached-term", severity=Severity.WARNING, doubted=True, confirmed_by=("terms",))


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a summand of the returned loss whose gradient ends at a detach."""
    told: set[int] = set()
    for whole in detached_summands(graph):
        told.add(whole.term.key)
        yield _finding(whole.term, whole.term, whole.returned)
    for dead in dead_terms(graph):
        if dead.whole or dead.term.gradient is not Gradient.CUT or dead.term.kind is not Kind.TENSOR:
            continue
        cuts = [each for each in dead.culprits if each.gradient is Gradient.CUT]
        if not cuts or any(each.origin.name not in CUTS for each in cuts) or dead.term.key in told:
            continue
        if not all(is_of_a_prediction(each) for each in cuts) or _is_balanced(dead, cuts):
            continue
        told.add(dead.term.key)
        yield _finding(dead.term, cuts[0], dead.returned)
    yield from _dead_in_functions(graph, told)


def _dead_in_functions(graph: Graph, told: set[int]) -> Iterator[Finding]:
    """Terms that are a function of what is detached: `F.relu(1 - real.detach()).mean()`."""
    for op in graph.returns:
        for value in returned_values(op) if op.gradient_matters and not graph.calls_backward else ():
            found = [each.value for each in signed_terms(value, lambda _: False)]
            alive = [each for each in found if each.gradient is Gradient.CARRIES]
            for term in found if alive else ():
                cuts = nearest_culprits(term) if term.gradient is Gradient.CUT and term.key not in told else ()
                if not cuts or term.origin.name in CUTS or term.rank != 0 or term.interval.low < 0:
                    continue
                if any(each.origin.name not in CUTS or not is_of_a_prediction(each) for each in cuts):
                    continue
                sources = {operand.key for cut in cuts for operand in cut.origin.operands}
                if not told & {each.key for each in cuts} and not any(each.key in sources for each in carriers(alive)):
                    told.add(term.key)
                    yield _finding(term, cuts[0], op)


def _is_balanced(dead: DeadTerm, cuts: list[Value]) -> bool:
    """Whether the term is a detach alone, or a sibling has a gradient for what it detaches: `x + (y - x).detach()`."""
    if dead.term.origin.name in CUTS:
        return True
    sources = {operand.key for cut in cuts for operand in cut.origin.operands}
    return any(value.key in sources for value in carriers(list(dead.siblings)))


def _finding(term: Value, cut: Value, returned: Op) -> Finding:
    assert cut.origin.site is not None
    site = term.origin.site or cut.origin.site
    how = "is detached" if cut is term else f"is computed of `{excerpt(cut)}`"
    return RULE.finding(
        site,
        f"the term `{excerpt(term)}` {how} and trains nothing; watch it beside the loss, or do not detach",
        evidence=[
            Step(cut.origin.site, "the gradient ends here"),
            Step(returned.site, "returned with terms that carry one"),
        ],
    )
