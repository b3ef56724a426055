"""one alpha before the positive and the negative half of a focal loss

The alpha of a focal loss balances positives against negatives: `alpha` before the positive half, `1 - alpha` before the negative
one. Written once before the sum of both it balances nothing. It is a constant factor, 0.25 by default, that changes the
weight of the loss against others and looks as if rare positives were taken care of.

Reported where a focal loss writes both halves out, one with `target` and one with `1 - target`, and multiplies their sum with a
single alpha. Silent where alpha is 1 by default, where it is a tensor with one weight a class, and where the halves are not written
out: with classes there is no other half.

## Bad

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(logits)
    positive = target * (1 - p) ** gamma * F.logsigmoid(logits)
    negative = (1 - target) * p**gamma * F.logsigmoid(-logits)
    return -alpha * (positive + negative).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(logits)
    positive = target * (1 - p) ** gamma * F.logsigmoid(logits)
    negative = (1 - target) * p**gamma * F.logsigmoid(-logits)
    return -(alpha * positive + (1 - alpha) * negative).mean()
```

No fix is offered: it changes what is trained.

A run confirms it: at a probability of 1/2 a positive and a negative cost the same whatever alpha is.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import bare
from losslint_rules.formulas.residuals import is_setting
from losslint_rules.reduction.focal_weights import product_factors

RULE = Rule(code="LL737", name="focal-alpha", severity=Severity.WARNING, doubted=True)

_THROUGH = frozenset({"mean", "sum", "div"})


@RULE.on_op("mul")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an alpha times a sum of both halves."""
    if not graph.matters(op.value) or not _is_focal(graph, op):
        return
    factors = list(_factors(op.value))
    alpha = next((each for each in factors if _is_alpha(each)), None)
    if alpha is None or (alpha.has_constant and alpha.constant in (1, None)):
        return
    if any(_is_maker(use.value, op.value) for use in graph.uses(op.value) if use.name in ("mul", "neg")):
        return  # the whole product is looked at, once
    for factor in factors:
        halves = _halves(factor)
        if halves is None or any(each.key == alpha.key for half in halves for each in ancestors([half])):
            continue
        site = factor.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(alpha)}` stands before the sum of the positive and the negative half, and balances nothing: it is `alpha` "
            "before the one and `1 - alpha` before the other",
            evidence=with_calls(op, [Step(site, "both halves are added here")] if site is not None else []),
        )
        return


def _is_maker(value: Value, part: Value) -> bool:
    return any(each.key == part.key for each in value.origin.operands)


def _is_focal(graph: Graph, op: Op) -> bool:
    said = {*words(graph.symbol.replace(".", "_")), *(word for call in op.calls for word in words(call.symbol))}
    return bool(said & {"focal", "sigmoidfocal"})


def _factors(value: Value) -> Iterator[Value]:
    for factor in product_factors(value):
        inner = bare(factor)
        if inner.origin.name in _THROUGH and inner.origin.operands and inner.origin.operands[0].key != value.key:
            yield from _factors(inner.origin.operands[0])
        else:
            yield inner


def _is_alpha(value: Value) -> bool:
    named = value.origin.label.rpartition(".")[2]
    return "alpha" in words(named) and (is_setting(value) or value.origin.name == "parameter") and not value.is_tensor


def _halves(value: Value) -> tuple[Value, Value] | None:
    """Two summands, one with a factor t and the other with `1 - t`, both with a power of a probability."""
    if value.origin.name not in ("add", "sub") or len(value.origin.operands) != 2:
        return None
    first, second = (list(_factors(each)) for each in value.origin.operands)
    for one, other in ((first, second), (second, first)):
        opposites = {each.key for each in map(_opposite, other) if each is not None}
        has_pair = any(factor.key in opposites for factor in one)
        if has_pair and all(any(_is_power(factor) for factor in side) for side in (one, other)):
            return value.origin.operands[0], value.origin.operands[1]
    return None


def _opposite(value: Value) -> Value | None:
    operands = value.origin.operands
    if value.origin.name == "sub" and len(operands) == 2 and operands[0].constant == 1:
        return bare(operands[1])
    return None


def _is_power(value: Value) -> bool:
    return value.origin.name in ("pow", "square")
