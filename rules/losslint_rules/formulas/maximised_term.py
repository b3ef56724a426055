"""a term with the sign of what is maximised

Objectives are written to be maximised, losses are minimised. A term that was copied from its formula without the minus is driven
the wrong way, and the rest of the loss hides it: a policy that unlearns what paid, an entropy bonus that freezes the policy, a
divergence that grows without bound, a hinge that rewards violations.

Recognised are

- log-probabilities of actions, or the ratio of two, times an advantage or a return, with a plus;
- the entropy of a policy with a plus, beside log-probabilities with a minus;
- a divergence from the unit Gaussian with a minus: `1 + log_var - mu ** 2 - exp(log_var)` without it;
- a hinge that is cut above 0 instead of below: `(margin - x).clamp(max=0)`.

Silent are functions that are not named as a loss, or as something to be maximised, those that are negated where they are called,
and terms behind a factor whose sign is not known.

## Bad

```python
from torch import Tensor

def policy_loss(log_probs: Tensor, advantages: Tensor):
    return (log_probs * advantages.detach()).mean()
```

## Good

```python
from torch import Tensor

def policy_loss(log_probs: Tensor, advantages: Tensor):
    return -(log_probs * advantages.detach()).mean()
```

No fix is offered: the minus may belong to the term, or to the sum.

A run confirms it: the loss falls as the term gets worse.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Gradient, Kind, Value
from losslint_rules.formulas.gaussian_kl import divergence_of
from losslint_rules.formulas.polynomials import bare, polynomial_in
from losslint_rules.formulas.signed_elements import signed_elements
from losslint_rules.gradients.score_functions import is_score
from losslint_rules.reduction.negations import is_named_as_loss, is_negated_in_file

RULE = Rule(code="LL763", name="maximised-term", severity=Severity.WARNING, doubted=True)

_PAYS = frozenset("advantage advantages adv advs return returns reward rewards rew rews gae delta deltas td".split())
_COSTS = frozenset("cost costs neg negative minus regret risk loss losses penalty".split())
_CHOICES = frozenset("min max minimum maximum where".split())


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report terms of a returned loss that have the sign of what is maximised."""
    if not is_named_as_loss(graph) or graph.calls_backward:
        return
    told: set[int] = set()
    divergences = {
        op.value.key for op in graph.named("add", "sub") if divergence_of(polynomial_in(graph, op.value)) is not None
    }
    for op in graph.returns:
        for value in returned_values(op):
            found = list(signed_elements(value, divergences))
            has_policy = any(sign * _objective(term, op) < 0 for term, sign in found)
            for term, sign in found:
                what = _wrong(graph, term, sign, op, has_policy) if term.gradient is Gradient.CARRIES else None
                if what is not None and term.key not in told and term.origin.site is not None:
                    if is_negated_in_file(graph):
                        return
                    told.add(term.key)
                    yield _finding(op, term, what)


def _wrong(graph: Graph, term: Value, sign: int, op: Op, has_policy: bool) -> str | None:
    """Why a term with this sign is driven the wrong way."""
    if sign * _objective(term, op) > 0:
        return "log-probabilities weighed with what they earned, which is maximised: minimised, the policy unlearns what paid"
    if sign > 0 and has_policy and _is_entropy(term):
        return "the entropy of the policy, a bonus that is subtracted from a loss: added, it makes the policy certain early"
    if _is_negative_hinge(term) and sign > 0:
        return "a hinge that is cut above 0: it is at most 0, and the further the margin is missed the lower it gets"
    if _is_negative_divergence(graph, term, sign):
        return "a divergence from the unit Gaussian with the wrong sign: the farther from it, the lower the loss"
    return None


def _objective(value: Value, op: Op) -> int:
    """1 for the score of an action times what it paid, or the clipped form of that, -1 for its negative, 0 for all else."""
    value = bare(value)
    name, operands = value.origin.name, value.origin.operands
    if name in _CHOICES and len(operands) >= 2:
        signs = {_objective(each, op) for each in operands[-2:]}
        return signs.pop() if len(signs) == 1 else 0
    if name != "mul" or len(operands) != 2:
        return 0
    for paid, score in (operands, operands[::-1]):
        if _pays(paid, op) and _is_policy(score):
            return _inner_sign(score)
    return 0


def _inner_sign(value: Value) -> int:
    """-1 where a log-probability is negated on the way to where it is used."""
    sign = 1
    for _ in range(30):
        if value.origin.name == "neg":
            sign = -sign
        if value.origin.name in ("exp", "log_softmax", "method", "parameter") or not value.origin.operands:
            return sign
        value = value.origin.operands[0]
    return sign


def _is_policy(value: Value) -> bool:
    value = bare(value)
    if value.origin.name in ("clamp", "clip"):
        value = bare(value.origin.operands[0])
    return is_score(value)


def _pays(value: Value, op: Op) -> bool:
    """Whether a factor is called an advantage, a return or a reward, here or where it was given."""
    names: list[str] = []
    for _ in range(10):
        names += [value.origin.label, *(name for name, bound in op.scope.items() if bound.key == value.key)]
        if value.origin.name not in ("detach", "unsqueeze", "view", "squeeze", "to", "float", "reshape", "expand_as"):
            break
        value = value.origin.operands[0]
    said = {word for name in names for word in words(name)}
    return bool(_PAYS & said) and not _COSTS & said


def _is_entropy(value: Value) -> bool:
    value = bare(value)
    return value.origin.name == "method" and value.origin.label == "entropy"


def _is_negative_hinge(value: Value) -> bool:
    """`(margin - x).clamp(max=0)`: a difference to a positive number, with nothing kept but what is below 0."""
    value = bare(value)
    if value.origin.name not in ("clamp", "clamp_max") or value.interval.high > 0:
        return False
    low = value.origin.keywords.get("min")
    if low is not None and low.kind is not Kind.NONE:
        return False
    inner = bare(value.origin.operands[0])
    first = inner.origin.operands[0] if inner.origin.name == "sub" and inner.origin.operands else None
    return first is not None and first.kind is Kind.NUMBER and first.interval.low >= 0


def _is_negative_divergence(graph: Graph, value: Value, sign: int) -> bool:
    """Whether this is such a divergence, and the factor before its power is negative."""
    formula = polynomial_in(graph, value)
    divergence = divergence_of(formula)
    if divergence is None or divergence.mean_power != 2 or divergence.mean <= 0:
        return False
    if abs(divergence.log_of_best) > 1e-2 or abs(divergence.smallest) > 1e-2:
        return False
    spread = next(
        (number for monomial, number in formula.terms.items() if monomial and monomial[0][0] == divergence.sigma), 0.0
    )
    return spread * sign < 0


def _finding(op: Op, term: Value, what: str) -> Finding:
    return RULE.finding(
        term.origin.site or op.site,
        f"`{excerpt(term)}` is {what}; turn its sign",
        evidence=with_calls(op, [Step(op.site, "minimised as a part of this")]),
    )
