"""an overlap of which only some sums are masked

Dice, IoU and Tversky compare an intersection with the sums of both sides. A mask that says which pixels count belongs into all
of them: if the intersection leaves the ignored pixels out and a sum below does not, they count as misses, and a perfect
prediction does not reach the overlap of 1.

Reported where an intersection is multiplied by a mask, one sum below the line is multiplied by it too, and another one is
not. Where no sum below is masked, or where a side was masked before, it is silent.

## Bad

```python
def masked_dice_loss(probs, target, valid, smooth=1.0):
    shared = (probs * target * valid).sum()
    total = (probs * valid).sum() + target.sum()
    return 1 - (2 * shared + smooth) / (total + smooth)
```

## Good

```python
def masked_dice_loss(probs, target, valid, smooth=1.0):
    shared = (probs * target * valid).sum()
    total = (probs * valid).sum() + (target * valid).sum()
    return 1 - (2 * shared + smooth) / (total + smooth)
```

No fix is offered: the side may have been masked by whoever made it.

A run confirms it by ignored elements that change the loss.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Role, Value
from losslint_rules.reduction.focal_weights import product_factors

RULE = Rule(code="LL362", name="half-masked-overlap", severity=Severity.WARNING, doubted=True)

_VIEWS = frozenset("view reshape flatten float double to contiguous squeeze unsqueeze expand expand_as type_as".split())
_GUARDS = frozenset({"clamp", "clamp_min", "maximum"})


@RULE.on_op("div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report overlaps whose divisor has a masked sum and one that is not."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    shared = [each for each in _sums(op.operands[0]) if len(_factors(each)) >= 3]
    below = list(_sums(op.operands[1]))
    if len(shared) != 1 or len(below) < 2:
        return
    parts = _factors(shared[0])
    for mask in parts.values():
        if mask.gradient is Gradient.CARRIES and mask.role not in (Role.MASK, Role.WEIGHT):
            continue
        sides = {key for key in parts if key != mask.key}
        masked = [each for each in below if mask.key in _factors(each) and len(_factors(each)) == 2]
        bare = [each for each in below if set(_factors(each)) <= sides and len(_factors(each)) == 1]
        others = [each for each in below if each.key not in {one.key for one in (*masked, *bare, *shared)}]
        if masked and bare and not others:
            site = shared[0].origin.site
            yield RULE.finding(
                op.site,
                f"`{excerpt(mask)}` is in the intersection and in `{excerpt(masked[0])}`, and not in `{excerpt(bare[0])}`: what it "
                "leaves out counts as missed; multiply by it in every sum",
                evidence=with_calls(op, [Step(site, "the masked intersection")] if site is not None else []),
            )
            return


def _sums(value: Value) -> Iterator[Value]:
    """The sums that are added up, through numbers, factors and guards."""
    pending = [value]
    while pending:
        current = pending.pop()
        name, operands = current.origin.name, current.origin.operands
        if name == "sum":
            yield current
        elif name in ("add", "sub", "mul") or (name in _GUARDS and operands):
            pending.extend(each for each in operands if each.kind is not Kind.NUMBER and each.role is not Role.CONFIG)


def _factors(total: Value) -> dict[int, Value]:
    """What is multiplied in a sum, by the keys without views and casts."""
    return {bare.key: bare for each in product_factors(total.origin.operands[0]) for bare in (_bare(each),)}


def _bare(value: Value) -> Value:
    return value.beneath(_VIEWS)
