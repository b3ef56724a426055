"""a clipped policy ratio that takes the better of its two objectives

PPO takes the worse of the plain and the clipped objective, `min(ratio * A, clip(ratio) * A)`, and its loss is minus that, or
`max(-ratio * A, -clip(ratio) * A)`. With max where min is meant, or with the minus inside and min outside, the better one
is taken: wherever the ratio has left the clip range for the better, nothing holds it back any more.

Reported is a maximum of two such products without a minus, and a minimum of two with one, where one holds the clamped value of
the other's factor.

## Bad

```python
import torch

def policy_loss(log_prob, old_log_prob, advantage, eps=0.2):
    ratio = torch.exp(log_prob - old_log_prob)
    clipped = ratio.clamp(1 - eps, 1 + eps)
    return -torch.max(ratio * advantage, clipped * advantage).mean()
```

## Good

```python
import torch

def policy_loss(log_prob, old_log_prob, advantage, eps=0.2):
    ratio = torch.exp(log_prob - old_log_prob)
    clipped = ratio.clamp(1 - eps, 1 + eps)
    return -torch.min(ratio * advantage, clipped * advantage).mean()
```

No fix is offered: min and max, or the sign, may be what is wrong.

A run confirms it with a ratio of 2 and an advantage of 1: the gradient is not 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import bare, number_of
from losslint_rules.formulas.sides import names_of

RULE = Rule(code="LL741", name="optimistic-clip", severity=Severity.WARNING, doubted=True)

_CLAMPS = frozenset({"clamp", "clamp_min", "clamp_max", "minimum", "maximum"})
_GAINS = frozenset({"advantage", "advantages", "adv", "advs", "gae", "reward", "rewards", "a"})


@RULE.on_op("minimum", "maximum")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report the better of a product with a ratio and one with the clipped ratio."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    (sign, plain), (other, clipped) = (_product(each) for each in op.operands)
    ratio = _clipped_in(plain, clipped) or _clipped_in(clipped, plain)
    if ratio is None or sign != other or ratio.origin.name != "exp":
        return
    gains = [each for each in plain if each.key in {one.key for one in clipped}]
    if len(gains) != 1 or not _is_gain(gains[0], graph) or sign is (op.name == "minimum"):
        return
    site = ratio.origin.site
    yield RULE.finding(
        op.site,
        f"this takes the better of the plain and the clipped objective, so that the clip of `{excerpt(ratio)}` holds nothing back: "
        "the loss is -min(ratio * A, clip(ratio) * A), or max of both with a minus",
        evidence=with_calls(op, [Step(site, "the ratio that is clipped")] if site is not None else []),
    )


def _product(value: Value, sign: bool = True) -> tuple[bool, list[Value]]:
    """Whether a product has no minus, and its factors."""
    current = bare(value)
    name, operands = current.origin.name, current.origin.operands
    if name == "neg":
        return _product(operands[0], not sign)
    if name == "mul" and len(operands) == 2:
        first, left = _product(operands[0], sign)
        second, right = _product(operands[1], True)
        return first is second, [*left, *right]
    number = number_of(current)
    return (sign is (number > 0), []) if number else (sign, [current])


def _clipped_in(plain: list[Value], clipped: list[Value]) -> Value | None:
    """The factor of one product that the other has the clamp of."""
    for factor in plain:
        for each in clipped:
            if each.origin.name in _CLAMPS and any(
                inner.key == factor.key for inner in ancestors(each.origin.operands)
            ):
                return factor
    return None


def _is_gain(value: Value, graph: Graph) -> bool:
    """Whether a factor is called an advantage: what is named a cost, or minus one, is minimised as it is."""
    said = {word for name in (excerpt(value), *names_of(value, graph)) for word in words(name)}
    return bool(said & _GAINS) and not said & {"neg", "negative", "minus", "cost", "costs"}
