"""the policy loss trains the critic too

An advantage is what was achieved less what the critic expected. In a policy loss it only weighs the log-probabilities:
if the critic's value in it is not detached, the gradient of the policy loss reaches the critic and moves its values so
that the weighted sum falls, which has nothing to do with what they should predict. Training still runs, and learns badly.

Reported where a value that the same loss fits to its target (by a squared error, mse_loss, smooth_l1_loss...) weighs
log-probabilities, or the ratio of PPO, by its difference to something, and a gradient flows through it. A weight made of
the same prediction as the log-probabilities, as in focal losses, is silent.

## Bad

```python
import torch.nn.functional as F

def actor_critic_loss(log_probs, values, returns):
    advantage = returns.detach() - values
    return -(log_probs * advantage).mean() + F.mse_loss(values, returns.detach())
```

## Good

```python
import torch.nn.functional as F

def actor_critic_loss(log_probs, values, returns):
    advantage = returns.detach() - values.detach()
    return -(log_probs * advantage).mean() + F.mse_loss(values, returns.detach())
```

The fix detaches the weight, and is unsafe: the gradient changes, to what was meant.

A run confirms it by a gradient of the policy loss alone at the values, which should be none; the value is right.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, parenthesised
from losslint.semantics.terms import carrying_sources
from losslint.semantics.values import Gradient, Site, Value
from losslint_rules.gradients.score_functions import fitted_values, is_score, weighed_difference

RULE = Rule(code="LL109", name="undetached-baseline", severity=Severity.WARNING, doubted=True)


@RULE.on_op("mul")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report log-probabilities times a difference to a critic's value that is not detached."""
    if not op.gradient_matters or not graph.differentiates(op.value) or len(op.operands) != 2:
        return
    for weight, score in (op.operands, op.operands[::-1]):
        if weight.gradient is not Gradient.CARRIES or not is_score(score):
            continue
        fitted = fitted_values(graph)
        found = weighed_difference(weight, fitted, op.scope)
        if found is None or carrying_sources(found).keys() & carrying_sources(score).keys():
            continue
        yield _finding(op, weight, found, fitted[found.key])
        return


def _finding(op: Op, weight: Value, value: Value, fit: Op) -> Finding:
    steps = [Step(fit.site, f"`{excerpt(value)}` is fitted to its target here")]
    if weight.origin.site is not None:
        steps.append(Step(weight.origin.site, f"and is part of `{excerpt(weight)}`, without a detach"))
    return RULE.finding(
        op.site,
        f"`{excerpt(weight)}` weighs log-probabilities, and the gradient of that reaches `{excerpt(value)}`, which has a loss of "
        "its own: the policy loss moves the critic; detach it",
        evidence=with_calls(op, steps),
        rewrite=_rewrite(op, weight),
    )


def _rewrite(op: Op, weight: Value) -> Rewrite | None:
    node = op.site.node
    if not isinstance(node, cst.BinaryOperation):
        return None
    written = node.left if op.operands[0].key == weight.key else node.right
    content = f"{parenthesised(op.site.unit.code(written))}.detach()"
    return Rewrite(Applicability.UNSAFE, "detach the weight", (Replacement(Site(op.site.unit, written), content),))
