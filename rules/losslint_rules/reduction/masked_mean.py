"""a mean over elements that a mask has set to zero

`(loss * mask).mean()` divides by the number of all elements, those too that the mask leaves out. The loss, and with it the
learning rate, shrinks with the amount of padding in the batch, and a batch of short sequences counts less than one of
long ones. Divide by the number of elements that count.

Reported where the mask is proven to be boolean and to say what counts at all: it compares with an ignore index or a
length, looks for NaN, or is named as valid, padded or ignored. Masks that choose a class, the active side of a hinge or a
region, and weights, are silent: dividing by all elements is a choice there.

## Bad

```python
import torch.nn.functional as F

def sequence_loss(logits, target, pad_index=-100):
    loss = F.cross_entropy(logits, target.clamp(min=0), reduction="none")
    valid = target != pad_index
    return (loss * valid).mean()
```

## Good

```python
import torch.nn.functional as F

def sequence_loss(logits, target, pad_index=-100):
    loss = F.cross_entropy(logits, target.clamp(min=0), reduction="none")
    valid = target != pad_index
    return (loss * valid).sum() / valid.sum().clamp(min=1)
```

No fix is offered: where the mask is broadcast, it has to be expanded before it is counted.

A run confirms it by more padding that makes the loss smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Reduced, Value
from losslint_rules.reduction.excluding_masks import bare_mask, excludes
from losslint_rules.reduction.focal_weights import product_factors
from losslint_rules.reduction.loss_operators import reduces_all

RULE = Rule(code="LL313", name="masked-mean", severity=Severity.WARNING)


_WEIGHED = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "l1_loss", "smooth_l1_loss")


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report means over all elements of what a mask that says what counts has set to zero."""
    told: set[tuple[int, int]] = set()
    for op in graph.named("mean", *_WEIGHED):
        if op.value.reduction.kind is not Reduced.MEAN or op.value.rank != 0 or not graph.matters(op.value):
            continue
        for mask, keeps in _zeroing_masks(op):
            why = excludes(mask, op, keeps)
            place = op.calls[0].site if op.site.unit is not graph.unit else op.site
            told_of = (_root(mask), id(place.node))
            if why is not None and told_of not in told and not _is_accounted_for(graph, op, mask):
                told.add(told_of)
                yield _finding(op, mask, why)


def _finding(op: Op, mask: Value, why: str) -> Finding:
    site = bare_mask(mask).origin.site
    steps = [Step(site, why if why.startswith("`") else f"this mask {why}")] if site is not None else []
    return RULE.finding(
        op.site,
        f"the mean divides by all elements, those too that `{excerpt(mask)}` sets to zero: divide the sum by the number of "
        "elements that count",
        evidence=with_calls(op, steps),
    )


def _zeroing_masks(op: Op) -> Iterator[tuple[Value, bool]]:
    """The masks that set elements of what is averaged to zero, and whether they are true for what is kept."""
    if op.name in _WEIGHED:
        if "weight" in op.keywords:
            yield op.keywords["weight"], True
        return
    value = op.operands[0]
    operands = value.origin.operands
    if value.rank == 0 or not reduces_all(op.value):
        return
    if value.origin.name == "masked_fill" and len(operands) == 3 and _is_zero(operands[2]):
        yield operands[1], False
    elif value.origin.name == "where" and len(operands) == 3 and any(_is_zero(each) for each in operands[1:]):
        yield operands[0], _is_zero(operands[2])
    elif value.origin.name == "index_put" and len(operands) == 3 and _is_zero(operands[1]):
        yield operands[2], False
    else:
        factors = tuple(product_factors(value))
        for mask in factors:
            if any(each.gradient is Gradient.CARRIES and each.rank != 0 for each in factors if each is not mask):
                yield mask, True


def _is_zero(value: Value) -> bool:
    if value.has_constant and value.constant == 0:
        return True
    return value.kind is Kind.TENSOR and value.interval.low == value.interval.high == 0


def _is_accounted_for(graph: Graph, op: Op, mask: Value) -> bool:
    """Whether the mask does more: its count divides somewhere, or what it leaves out is chosen elsewhere."""
    root = _root(mask)
    for other in graph.named("div"):
        if len(other.operands) == 2 and _is_count(other.operands[1], root):
            return True
    for other in graph.named("mul"):
        scaled = [each for each in other.operands if _holds([each], op.value.key)]
        if scaled and _holds([each for each in other.operands if each not in scaled], root):
            return True
        if any(_is_complement(each, root) for each in other.operands):
            return True
    return False


def _root(mask: Value) -> int:
    """The key of a mask without casts and negations."""
    current = bare_mask(mask)
    while current.origin.name in ("bitwise_not", "logical_not"):
        current = bare_mask(current.origin.operands[0])
    return current.key


def _is_count(value: Value, root: int) -> bool:
    """Whether a divisor is a number of elements that a mask leaves, guarded or scaled."""
    pending, seen = [value], set[int]()
    while pending:
        current = pending.pop()
        if _root(current) == root:
            return True
        if current.key not in seen and current.origin.name in _COUNTING:
            seen.add(current.key)
            pending.extend(current.origin.operands)
    return False


_COUNTING = frozenset(
    "sum mean count_nonzero item clamp clamp_min maximum max add mul div float int to expand_as phi all_reduce".split()
)


def _holds(values: Iterable[Value], key: int) -> bool:
    return any(each.key == key for each in ancestors(values))


def _is_complement(factor: Value, root: int) -> bool:
    """`1 - mask` as a factor: what the mask leaves out makes another term."""
    found = bare_mask(factor)
    return found.origin.name in ("sub", "rsub") and any(_root(each) == root for each in found.origin.operands)
