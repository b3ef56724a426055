"""a bootstrapped target that the gradient reaches

The target of temporal difference learning, `reward + gamma * net(next_state)`, is a number to move towards. Where it is computed
by the network itself and not detached, the gradient moves the target to the prediction as well: the value of the next state falls
where that of this one should rise, and the error shrinks without anything being learned of the reward.

Reported where a regression compares a value that a network gave with a sum of a reward and a discounted value that the same
network gave for another input, and the gradient flows through both. Silent are targets behind `detach` or `no_grad`, and those
of another network, which has an optimiser of its own or none.

## Bad

```python
import torch
import torch.nn as nn
import torch.nn.functional as F

class TemporalDifferenceLoss(nn.Module):
    def __init__(self, critic, gamma=0.99):
        super().__init__()
        self.critic = critic
        self.gamma = gamma

    def forward(self, states, rewards, next_states, done):
        target = rewards + self.gamma * (1 - done) * self.critic(next_states)
        return F.mse_loss(self.critic(states), target)
```

## Good

```python
import torch
import torch.nn as nn
import torch.nn.functional as F

class TemporalDifferenceLoss(nn.Module):
    def __init__(self, critic, gamma=0.99):
        super().__init__()
        self.critic = critic
        self.gamma = gamma

    def forward(self, states, rewards, next_states, done):
        with torch.no_grad():
            target = rewards + self.gamma * (1 - done) * self.critic(next_states)
        return F.mse_loss(self.critic(states), target)
```

No fix is offered: `no_grad` around the target saves its graph, and a copy of the network that moves slowly is better still.

A run confirms it by the gradient of the next states.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value
from losslint_rules.gradients.score_functions import unviewed

RULE = Rule(code="LL110", name="moving-target", severity=Severity.WARNING, doubted=True)

_FITS = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
_PICKS = frozenset(
    "max min amax gather getitem select sum mean minimum maximum neg detach where sub clamp unbind".split()
)
_DISCOUNTS = frozenset("gamma discount discounts".split())
_REWARDS = frozenset("reward rewards rew rews r".split())


@RULE.on_op(*_FITS)
def of_criterion(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a regression to a target that the network of the prediction made."""
    yield from _between(op, graph, op.operands[:2])


@RULE.on_op("pow", "square")
def of_square(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report the square of a difference to such a target."""
    squared = unviewed(op.operands[0])
    if squared.origin.name == "sub":
        yield from _between(op, graph, squared.origin.operands)


def _between(op: Op, graph: Graph, sides: tuple[Value, ...]) -> Iterator[Finding]:
    if len(sides) != 2 or not op.gradient_matters or not graph.differentiates(op.value):
        return
    for predicted, target in (sides, sides[::-1]):
        found = _bootstrapped(target, op)
        if found is None or found.gradient is not Gradient.CARRIES:
            continue
        own = [each for each in _calls(predicted) if each.origin.label == found.origin.label]
        if not own or any(each.key == found.key for each in own):
            continue
        steps = [Step(found.origin.site, "the target is computed here")] if found.origin.site is not None else []
        yield RULE.finding(
            op.site,
            f"the gradient reaches the target through `{excerpt(found)}`, which the network of the prediction `{excerpt(own[0])}` "
            "computes too, and moves both towards each other; detach the target",
            evidence=with_calls(op, steps),
        )
        return


def _bootstrapped(target: Value, op: Op) -> Value | None:
    """What a network says of the next state, in `reward + gamma * ...`, where the gradient reaches it."""
    total = unviewed(target)
    if total.origin.name != "add" or total.gradient is not Gradient.CARRIES or len(total.origin.operands) != 2:
        return None
    for reward, rest in (total.origin.operands, total.origin.operands[::-1]):
        if not _says(reward, _REWARDS, op):
            continue
        factors = list(_factors(rest))
        if any(_says(each, _DISCOUNTS, op) for each in factors):
            return next((call for each in factors for call in _calls(each)), None)
    return None


def _says(value: Value, meant: frozenset[str], op: Op) -> bool:
    value = unviewed(value)
    names = [value.origin.label, *(name for name, bound in op.scope.items() if unviewed(bound).key == value.key)]
    return any(meant & set(words(name)) for name in names)


def _factors(value: Value) -> Iterator[Value]:
    value = unviewed(value)
    if value.origin.name == "mul" and len(value.origin.operands) == 2:
        for each in value.origin.operands:
            yield from _factors(each)
    else:
        yield value


def _calls(value: Value) -> Iterator[Value]:
    """The results of networks that a value is picked from, where the gradient reaches them."""
    pending, seen = [value], 0
    while pending and seen < 60:
        current = unviewed(pending.pop())
        seen += 1
        if current.gradient is not Gradient.CARRIES:
            continue
        if current.origin.name == "unknown" and current.origin.label.endswith("()"):
            yield current
        elif current.origin.name in _PICKS:
            pending.extend(current.origin.operands[:2])
