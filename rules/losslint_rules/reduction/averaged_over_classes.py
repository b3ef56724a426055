"""a cross entropy averaged over the classes

`(one_hot * log_p).mean()` divides by the number of samples and by the number of classes, although all classes but one are
0. The loss is the cross entropy divided by the number of classes: its gradient is 1000 times smaller for 1000 classes, and
a weight that balances it with other terms is wrong for the next data set.

So it is with the cross entropy of two distributions, with an entropy, and with the mean of `F.kl_div`, of which torch warns.

Reported where a one-hot encoding, a softmax or a target is multiplied with log-probabilities and the mean goes over all
elements. Silent where the sum over the classes comes first, where the log-probabilities were picked by labels, where the
result is multiplied by a size, and for the two terms of a binary cross entropy.

## Bad

```python
import torch.nn.functional as F

def soft_cross_entropy_loss(logits, target):
    one_hot = F.one_hot(target, logits.size(1)).float()
    return -(one_hot * F.log_softmax(logits, dim=1)).mean()
```

## Good

```python
import torch.nn.functional as F

def soft_cross_entropy_loss(logits, target):
    one_hot = F.one_hot(target, logits.size(1)).float()
    return -(one_hot * F.log_softmax(logits, dim=1)).sum(dim=1).mean()
```

No fix is offered: the dimension of the classes is the author's to name.

A run confirms it by a loss that is `F.cross_entropy` divided by the number of classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.role_names import says_probability
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Role, Value
from losslint_rules.excluding_masks import bare_mask
from losslint_rules.reduction.class_counts import is_scaled_back
from losslint_rules.reduction.focal_weights import product_factors
from losslint_rules.reduction.log_probabilities import is_log_probability
from losslint_rules.reduction.loss_operators import reduces_all

RULE = Rule(code="LL324", name="averaged-over-classes", severity=Severity.WARNING)

_PLACED = frozenset(
    "neg float to double contiguous clone detach clamp clamp_min permute movedim transpose view reshape".split()
)


@RULE.on_op("mean")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a mean over all elements of log-probabilities that a distribution over the classes weighs."""
    if not reduces_all(op.value) or not graph.matters(op.value):
        return
    factors = list(product_factors(op.operands[0]))
    one_hot = next((each for each in factors if _is_one_hot(each)), None)
    weight = one_hot if one_hot is not None else _distribution(factors)
    if weight is None or is_scaled_back(graph, op.value):
        return
    if not any(is_log_probability(each) or _is_divergence(each, weight) for each in factors):
        return
    site = bare_mask(weight).origin.site
    if one_hot is not None:
        why, step = (
            f"although `{excerpt(one_hot)}` is 0 for all but one of them",
            "one class of these is 1, the others 0",
        )
    else:
        why, step = f"over which `{excerpt(weight)}` sums to 1", "a distribution over the classes"
    yield RULE.finding(
        op.site,
        f"the mean divides by the number of classes too, {why}: sum over the classes first",
        evidence=with_calls(op, [Step(site, step)] if site is not None else []),
    )


def _is_one_hot(value: Value) -> bool:
    return _made(value).origin.name == "one_hot"


def _distribution(factors: list[Value]) -> Value | None:
    """What weighs the log-probabilities of all classes: a softmax, its exponential spelling, or a target."""
    logs = [each for each in factors if _logits(each) is not None]
    for weight in factors if len(logs) == 1 else ():
        if weight is logs[0]:
            continue
        placed = _placed(weight)
        if placed.origin.name == "softmax" or (
            placed.origin.name == "exp" and _placed(placed.origin.operands[0]).origin.name == "log_softmax"
        ):
            return weight
        if placed.origin.name == "parameter" and placed.role is Role.TARGET:
            return weight
    return None


def _logits(value: Value) -> Value | None:
    """What a log_softmax, or a log of a softmax, is taken of, with all classes still there."""
    current = _placed(value)
    if current.origin.name == "sub" and len(current.origin.operands) == 2:
        first, second = current.origin.operands
        return second if _is_logarithm(first) and _is_logarithm(second) else None
    if current.origin.name == "log":
        inside = current.origin.operands[0].beneath(("add", "clamp", "clamp_min"))
        return inside if inside.origin.name == "softmax" else None
    return current if current.origin.name == "log_softmax" else None


def _is_divergence(value: Value, weight: Value) -> bool:
    """`log(p) - log_q`, weighed by a p that is named as probabilities."""
    named = _placed(weight).origin.label
    return _placed(value).origin.name == "sub" and _logits(value) is not None and says_probability(named)


def _is_logarithm(value: Value) -> bool:
    """A logarithm, or an input that is named as log-probabilities."""
    current = _placed(value)
    named = current.origin.name == "parameter" and {"log", "logp", "logprob", "logprobs"} & set(
        words(current.origin.label)
    )
    return current.origin.name in ("log", "log_softmax") or bool(named)


def _placed(value: Value) -> Value:
    return value.beneath(_PLACED)


def _made(value: Value) -> Value:
    """A one-hot encoding without casts, views and moved dimensions."""
    current = bare_mask(value)
    while current.origin.name in ("movedim", "permute", "transpose", "type_as") and current.origin.operands:
        current = bare_mask(current.origin.operands[0])
    return current
