"""an error that is subtracted from the loss

A term that measures how far a prediction is from its target is subtracted, beside others that are added: the optimiser
makes it as large as it can, and nothing bounds it. So `loss - weight * mse` trains the prediction away from the target,
and so does a divergence from the prior that is subtracted from a reconstruction error.

Reported where the term is proven to be such an error: one of torch's losses, or something that is never below 0 and grows
without bound, of a prediction and its target; or the divergence of a Gaussian from the unit one. And where another error
is added in the same sum. Differences of one error for a positive and a negative, for what is to be kept and what is to be
forgotten, adversaries, entropies, rewards, and baselines that carry no gradient are silent.

## Bad

```python
import torch.nn.functional as F

def depth_loss(pred, target, weight=0.5):
    edges = F.l1_loss(pred.diff(dim=-1), target.diff(dim=-1))
    return F.l1_loss(pred, target) - weight * edges
```

## Good

```python
import torch.nn.functional as F

def depth_loss(pred, target, weight=0.5):
    edges = F.l1_loss(pred.diff(dim=-1), target.diff(dim=-1))
    return F.l1_loss(pred, target) + weight * edges
```

No fix is offered: the term may be named by what it is not.

A run confirms it by a loss that falls as the prediction gets worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Gradient, Role, Value
from losslint_rules.formulas.gaussian_kl import divergence_of
from losslint_rules.formulas.polynomials import polynomial_in
from losslint_rules.formulas.sides import parameters_in
from losslint_rules.reduction.error_forms import has_residual, is_squared_mean
from losslint_rules.reduction.loss_operators import is_loss_operator
from losslint_rules.reduction.signed_terms import SignedTerm, signed_terms

RULE = Rule(code="LL360", name="subtracted-error", severity=Severity.WARNING, doubted=True)

# Words of what is driven apart, unlearned, played against, or compared with a baseline.
_OPPOSED = frozenset(
    "neg negs negative negatives adv adversarial adversary disc discriminator critic gan generator fake real domain forget "
    "unlearn retain baseline random rand noise diff gap difference discrepancy rejected reject chosen confusion confuse "
    "reward advantage other others distractor mutual info information decorrelation repel repulsion diversity push far".split()
)
_RANKINGS = frozenset({"cosine_embedding_loss", "margin_ranking_loss", "triplet_margin_loss"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the errors that are subtracted in a returned sum with errors that are added."""
    if graph.calls_backward or _is_opposed(graph):
        return
    told: set[int] = set()
    for op in graph.returns:
        if not op.gradient_matters:
            continue
        for value in returned_values(op):
            found = list(signed_terms(value, lambda each: _divergence_sign(graph, each) is not None))
            added = [each for each in found if _error(graph, each) is True or _is_added_loss(each)]
            parts = [each for each in found if _stands_in_a_sum(each)]
            taken = [each for each in parts if _error(graph, each) is False or _is_twin(each, added)]
            for term in taken if added else ():
                if term.value.key not in told and not _contrasts(term, added):
                    told.add(term.value.key)
                    yield _finding(term, added[0], op)


def _stands_in_a_sum(term: SignedTerm) -> bool:
    """Whether it is subtracted somewhere: of what two paths return, one may be turned and the other not."""
    return term.within is not None and term.within.origin.site is not None


def _error(graph: Graph, term: SignedTerm) -> bool | None:
    """Whether a term adds an error to the loss (True), takes one off (False), or is not proven to be one (None)."""
    value = term.value
    if value.gradient is not Gradient.CARRIES:
        return None
    slope = _divergence_sign(graph, value)
    if slope is not None:
        return term.is_added is (slope > 0)
    grows = value.interval.low >= 0 and value.interval.high == math.inf
    falls = value.interval.high <= 0 and value.interval.low == -math.inf
    if not (grows or falls) or value.origin.name in _RANKINGS or is_squared_mean(value) or not has_residual(value):
        return None
    inputs = parameters_in(value)
    compares = any(each.role is Role.TARGET for each in inputs) and any(
        each.role is not Role.TARGET and each.gradient is Gradient.CARRIES for each in inputs
    )
    return term.is_added is grows if compares else None


def _is_added_loss(term: SignedTerm) -> bool:
    return term.is_added and term.value.gradient is Gradient.CARRIES and is_loss_operator(term.value)


def _is_twin(term: SignedTerm, added: list[SignedTerm]) -> bool:
    """Whether a loss of torch is subtracted that compares the same inputs as one that is added."""
    if term.is_added or not is_loss_operator(term.value) or term.value.gradient is not Gradient.CARRIES:
        return False
    inputs = {each.key for each in parameters_in(term.value)}
    return len(inputs) > 1 and any(
        is_loss_operator(each.value)
        and each.value.origin.name == term.value.origin.name
        and {one.key for one in parameters_in(each.value)} == inputs
        for each in added
    )


def _divergence_sign(graph: Graph, value: Value) -> float | None:
    """The sign of a mean or a sum of a Gaussian's divergence from the unit one, as it is written."""
    current = value.beneath(("mean", "sum"))
    if current.origin.name not in ("add", "sub"):
        return None
    formula = polynomial_in(graph, current)
    found = divergence_of(formula)
    if found is None or found.mean <= 0:
        return None
    spread = [factor for monomial, factor in formula.terms.items() if [each[0] for each in monomial] == [found.sigma]]
    return spread[0] if len(spread) == 1 else None


def _contrasts(term: SignedTerm, added: list[SignedTerm]) -> bool:
    """Whether a term is the same measure as an added one, of another input: one is drawn near, the other driven away."""
    names = {word for each in parameters_in(term.value) for word in words(each.origin.label)}
    return bool(_OPPOSED & names) or any(
        each.value.origin.site is not None
        and term.value.origin.site is not None
        and each.value.origin.site.node is term.value.origin.site.node
        for each in added
    )


def _is_opposed(graph: Graph) -> bool:
    if graph.function is None:
        return False
    names = (
        graph.function.name.value,
        graph.owner.rpartition(".")[2],
        *(each.origin.label for each in graph.parameters),
    )
    return any(_OPPOSED & set(words(name)) for name in names)


def _finding(term: SignedTerm, added: SignedTerm, op: Op) -> Finding:
    assert term.within is not None and term.within.origin.site is not None
    steps = [
        Step(each.value.origin.site, what)
        for each, what in ((term, "an error that grows without bound"), (added, "this one is added"))
        if each.value.origin.site is not None
    ]
    return RULE.finding(
        term.within.origin.site,
        f"`{excerpt(term.value)}` is an error and is subtracted: the loss falls as it grows, so what it measures is unlearned; "
        "add it",
        evidence=steps,
    )
