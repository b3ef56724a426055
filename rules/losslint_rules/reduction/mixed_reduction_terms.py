"""terms summed with different reductions

A mean over all elements and a sum over all elements do not scale alike: the sum grows with batch and image size, the mean
does not. Added without a weight, the sum drowns the mean, and changing the batch size changes the balance.

## Bad

```python
import torch
import torch.nn.functional as F

def vae_loss(recon, x, mu, logvar):
    kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return F.mse_loss(recon, x) + kl
```

## Good

```python
import torch
import torch.nn.functional as F

def vae_loss(recon, x, mu, logvar):
    kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return (F.mse_loss(recon, x, reduction="sum") + kl) / x.size(0)
```

A weight that scales the sum down to a tenth of the mean or further, or one that is not known, may be meant to balance them, and
the finding is info; a weight of 1, or one of 4 on the sum, balances nothing, and neither do `alpha` and `1 - alpha`. No fix is
offered: which reduction is right is a choice of scale. A run confirms it by evaluating the terms at two batch sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Reduced, Role, Value
from losslint_rules.reduction.loss_operators import reduces_all
from losslint_rules.shapes.batches import batch_source

RULE = Rule(
    code="LL303", name="mixed-reduction-terms", severity=Severity.WARNING, doubted=True, confirmed_by=("terms", "scale")
)


@RULE.on_op("add", "sub")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a sum over all elements added to a mean over all elements."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    by_kind = {kind: value for value in map(_started_with, op.operands) if (kind := _over_the_batch(value)) is not None}
    if by_kind.keys() != {Reduced.MEAN, Reduced.SUM}:
        return
    mean, total = by_kind[Reduced.MEAN], by_kind[Reduced.SUM]
    if _factor(total) == 0 or _factor(mean) == 0:
        return  # a zero that keeps the graph
    weighted = _is_balanced(mean, total)
    steps = [
        Step(value.origin.site, f"`{excerpt(value)}` is a {how} over all elements")
        for value, how in ((mean, "mean"), (total, "sum"))
        if value.origin.site is not None
    ]
    yield RULE.finding(
        op.site,
        f"`{excerpt(total)}` is a sum over all elements and `{excerpt(mean)}` a mean: their balance changes with "
        "the batch size" + (", whatever the weight" if weighted else ", and the sum drowns the mean"),
        severity=Severity.INFO if weighted else RULE.severity,
        evidence=with_calls(op, steps),
    )


def _started_with(value: Value) -> Value:
    """What a total that grows in a loop starts with."""
    is_loop = value.origin.name == "phi" and value.origin.label == "loop head"
    return value.origin.operands[0] if is_loop else value


def _over_the_batch(value: Value) -> Reduced | None:
    """Whether a term is a sum over the elements of all samples, which grows with them, or a mean, which does not."""
    if value.reduction.over == "all":
        return value.reduction.kind
    if value.reduction.over == "batch":
        is_batchmean = any(each.origin.name == "kl_div" for each in ancestors([value]))
        if is_batchmean or value.reduction.kind is Reduced.MEAN:
            return Reduced.MEAN
    source = value
    while source.origin.name in ("neg", "mul") and source.origin.operands:
        rest = [
            each for each in source.origin.operands if each.kind is not Kind.NUMBER and each.role is not Role.CONFIG
        ]
        if len(rest) != 1:
            return None
        source = rest[0]
    if source.origin.name not in ("mean", "sum") or not reduces_all(source):
        return None
    elements = source.origin.operands[0]
    if elements.rank == 0 or batch_source(elements) is None:
        return None
    return Reduced.SUM if source.origin.name == "sum" else Reduced.MEAN


def _share_one_weight(left: Value, right: Value) -> bool:
    """`alpha * x + (1 - alpha) * y`: a weight that can balance no difference of scale."""
    for one, other in ((left, right), (right, left)):
        for weight in one.origin.operands if one.origin.name == "mul" else ():
            for rest in other.origin.operands if other.origin.name == "mul" else ():
                complement = rest.origin.operands if rest.origin.name == "sub" else ()
                if len(complement) == 2 and complement[0].constant == 1 and complement[1].key == weight.key:
                    return True
    return False


_SMALL = 0.1
"""A weight of the sum, relative to that of the mean, that may be there to make up for its size."""


def _is_balanced(mean: Value, total: Value) -> bool:
    """Whether weights may make up for the size of the sum: it is scaled down by what is known, or by what is not."""
    if _share_one_weight(mean, total):
        return False
    above, below = _factor(total), _factor(mean)
    return above is None or below is None or abs(above) <= _SMALL * abs(below)


def _factor(value: Value) -> float | None:
    """The numbers that scale a term, multiplied, settings at their defaults; None where one of them is not known."""
    name, operands = value.origin.name, value.origin.operands
    if name == "neg" and operands:
        return _factor(operands[0])
    if name not in ("mul", "div") or len(operands) != 2:
        return 1.0
    found = 1.0
    for position, operand in enumerate(operands):
        if operand.kind is Kind.NUMBER or operand.role.value in ("config", "weight"):
            number = operand.constant if operand.has_constant else None
            inside = float(number) if isinstance(number, (int, float)) else None
        else:
            inside = _factor(operand)
        if inside is None or (inside == 0 and name == "div"):
            return None
        found = found / inside if name == "div" and position else found * inside
    return found
