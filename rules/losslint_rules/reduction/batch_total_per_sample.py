"""the sum of each sample divided by the count of the whole batch, and averaged

`(losses * mask).sum(1) / mask.sum()` divides each sample by what all samples together have. The mean over the samples that follows
divides by their number once more: the loss is 1 / B of what was meant, and shrinks as the batch grows. Either the count is that of
the sample, `mask.sum(1)`, or the sum is that of the batch, `(losses * mask).sum()`.

Reported where the sum of a tensor over its other dimensions is divided by a sum or count without a dimension, of a tensor with
a batch, and a mean over the batch is taken of the ratio. Sums over the batch afterwards are right, and silent, as are numbers
and sizes.

## Bad

```python
def masked_loss(pred, target, mask):
    per_sample = ((pred - target).abs() * mask).sum(dim=1) / mask.sum().clamp(min=1)
    return per_sample.mean()
```

## Good

```python
def masked_loss(pred, target, mask):
    per_sample = ((pred - target).abs() * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return per_sample.mean()
```

No fix is offered: a mean over samples and one over elements are two losses.

A run confirms it: the batch twice over gives half of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import literal_ints
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.reduction.loss_operators import reduces_all

RULE = Rule(code="LL354", name="batch-total-per-sample", severity=Severity.WARNING, preview=True)

_THROUGH = frozenset("neg mul log clamp float to view squeeze".split())
_GUARDS = frozenset("clamp clamp_min maximum float to item detach".split())


@RULE.on_op("mean")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report means over samples of their sums over the total of all."""
    if not op.operands or not reduces_all(op.value) or not graph.matters(op.value):
        return
    for ratio in _ratios(op.operands[0]):
        part, total = ratio.origin.operands
        found = _total(total)
        if found is None or not _is_per_sample(part):
            continue
        site = found.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(part)}` has one sum a sample and `{excerpt(found)}` is the total of the batch, so this mean divides by the "
            "number of samples once more: divide by each sample's own, or sum over the batch",
            evidence=with_calls(op, [Step(site, "counted over the whole batch")] if site is not None else []),
        )
        return


def _ratios(value: Value) -> Iterator[Value]:
    """The divisions that a value is made of, through signs, factors that are numbers, and sums with numbers."""
    pending, seen = [value], 0
    while pending and seen < 30:
        current = pending.pop()
        seen += 1
        name, operands = current.origin.name, current.origin.operands
        if name == "div" and len(operands) == 2:
            yield current
            pending.append(operands[0])
        elif name in ("sub", "add", "rsub") and len(operands) == 2:
            pending.extend(each for each in operands if each.is_tensor)
        elif name in _THROUGH and operands:
            pending.extend(each for each in operands[:2] if each.is_tensor)


def _total(value: Value) -> Value | None:
    """The sum of a whole tensor that has a batch, behind guards against 0."""
    for _ in range(8):
        name, operands = value.origin.name, value.origin.operands
        if name == "add" and len(operands) == 2 and all(_total(each) is not None for each in operands):
            return value
        if (name in ("add", "max") and len(operands) == 2 and operands[1].has_constant) or (
            name in _GUARDS and operands
        ):
            value = operands[0]
        else:
            break
    if value.origin.name not in ("sum", "count_nonzero") or not reduces_all(value) or value.kind is not Kind.TENSOR:
        return None
    summed = value.origin.operands[0]
    return value if summed.is_tensor and summed.rank != 0 and not _is_per_sample(summed) else None


def _is_per_sample(value: Value) -> bool:
    """A sum over literal dimensions other than the first."""
    for _ in range(8):
        name, operands = value.origin.name, value.origin.operands
        if name in ("neg", "float", "squeeze", "view"):
            value = operands[0]
        elif name in ("mul", "add") and len(operands) == 2 and any(each.has_constant for each in operands):
            value = operands[operands[0].has_constant]
        else:
            break
    dims = literal_ints(value.origin.keywords.get("dim"))
    return value.origin.name == "sum" and bool(dims) and dims is not None and 0 not in dims
