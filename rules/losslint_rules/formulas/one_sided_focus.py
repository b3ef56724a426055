"""a focal weight that fits one of the two classes

The weight of a focal loss falls where the prediction is right: `(1 - p_t) ** gamma`, with `p_t = p` for positives and `1 - p` for
negatives. With `(1 - p) ** gamma` for both, negatives that are right keep all their weight and those that are wrong lose it: the
easy negatives, which the focal loss was made against, drown everything else.

Found by working the weight out: for a positive and for a negative, each once predicted right and once wrong. Reported where
it falls with the certainty of the one and rises with that of the other. Where the weight has the same direction for both it
is meant, and where anything in it is not understood nothing is said.

## Bad

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, gamma=2.0):
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = (1 - torch.sigmoid(logits)) ** gamma
    return (weight * bce).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, gamma=2.0):
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = torch.sigmoid(logits)
    p_t = p * target + (1 - p) * (1 - target)
    return ((1 - p_t) ** gamma * bce).mean()
```

`torch.exp(-bce)` is `p_t` too. No fix is offered.

A run confirms it: a surer right negative has the larger weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.formulas.evaluation import number_at, unknowns
from losslint_rules.formulas.polynomials import ALIKE, bare

RULE = Rule(code="LL760", name="one-sided-focus", severity=Severity.WARNING)

_CRITERIA = ("binary_cross_entropy_with_logits", "binary_cross_entropy")
_ONE_LABEL = frozenset("ones_like zeros_like ones zeros full full_like new_ones new_zeros new_full".split())
_LOGIT = 3.0
_CLEARLY = 1.5


@RULE.on_op("mul")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a product of a binary cross entropy and a power that favours certain predictions of one class alone."""
    factors = list(_factors(op.value))
    criterion = next((each for each in factors if each.origin.name in _CRITERIA and _is_elementwise(each)), None)
    if criterion is None or not graph.matters(op.value):
        return
    others = [each for each in factors if each.key != criterion.key]
    focus = next((each for each in others if _has_power(each)), None)
    if focus is None:
        return
    changes = [_change(others, criterion, label) for label in (1.0, 0.0)]
    if None in changes:
        return
    positive, negative = changes
    assert positive is not None and negative is not None
    if min(positive, negative) * _CLEARLY > 1 or max(positive, negative) < _CLEARLY:
        return
    wrong = "negative" if negative > positive else "positive"
    site = focus.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(focus)}` grows with the certainty of a right {wrong} and falls with that of the other class: a focal weight is "
        "a function of the probability of the true class, p * t + (1 - p) * (1 - t)",
        evidence=with_calls(op, [Step(site, "the weight of the focal loss")] if site is not None else []),
    )


def _factors(value: Value) -> Iterator[Value]:
    value = bare(value)
    if value.origin.name == "mul" and len(value.origin.operands) == 2:
        for each in value.origin.operands:
            yield from _factors(each)
    else:
        yield value


def _is_elementwise(value: Value) -> bool:
    reduction = value.origin.keywords.get("reduction")
    return reduction is not None and reduction.has_constant and reduction.constant == "none"


def _has_power(value: Value) -> bool:
    return any(each.origin.name in ("pow", "square") for each in ancestors([value]))


def _change(factors: list[Value], criterion: Value, label: float) -> float | None:
    """By how much the weight is larger where the prediction is right than where it is wrong."""
    right, wrong = (_weight(factors, criterion, label, sign) for sign in (1, -1))
    if right is None or wrong is None or not (right >= 0 and wrong >= 0 and right + wrong > 0):
        return None
    return right / wrong if wrong else math.inf


def _weight(factors: list[Value], criterion: Value, label: float, sign: int) -> float | None:
    logit = sign * _LOGIT * (1 if label else -1)
    probability = 1 / (1 + math.exp(-logit))
    keywords = criterion.origin.keywords
    source, target = keywords.get("input"), keywords.get("target")
    if source is None or target is None or bare(target).origin.name in _ONE_LABEL:
        return None
    given = {criterion.key: -math.log(probability if label else 1 - probability)}
    _give(given, target, label)
    if criterion.origin.name == "binary_cross_entropy":
        _give(given, source, probability)
        made = bare(source)
        if made.origin.name == "sigmoid":
            _give(given, made.origin.operands[0], logit)
    else:
        _give(given, source, logit)
    found = 1.0
    for each in factors:
        number = number_at(each, given | _settings(each, given))
        if number is None:
            return None
        found *= number
    return found


def _give(given: dict[int, float], value: Value, number: float) -> None:
    """A number for a value and for what it is a view or a cast of."""
    given[value.key] = number
    while value.origin.name in ALIKE and value.origin.operands:
        value = value.origin.operands[0]
        given[value.key] = number


def _settings(value: Value, given: dict[int, float]) -> dict[int, float]:
    """Numbers for the settings that have no default: 2 where it is an exponent, a half elsewhere."""
    powers = {each.origin.operands[1].key for each in ancestors([value]) if each.origin.name == "pow"}
    return {
        each.key: 2.0 if each.key in powers else 0.5
        for each in unknowns(value, given)
        if each.kind is Kind.NUMBER or (not each.is_tensor and each.key in powers)
    }
