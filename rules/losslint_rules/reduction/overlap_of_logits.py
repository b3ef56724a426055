"""an overlap computed of logits

Dice, IoU and Tversky are ratios of sums of probabilities. Of logits the sums can be negative or cancel: the ratio is no
overlap, the loss leaves [0, 1], and a divisor near 0 blows it up. It trains on noise and may still seem to fall.

Reported where an input is named as logits, or log-probabilities are taken, and nothing brings them into [0, 1] before they are
multiplied with the target, summed, and divided by a sum of both, or of the hits and the weighed misses. Silent where an option
decides about the sigmoid.

## Bad

```python
def dice_loss(logits, target, smooth=1.0):
    intersection = (logits * target).sum()
    return 1 - (2 * intersection + smooth) / (logits.sum() + target.sum() + smooth)
```

## Good

```python
def dice_loss(logits, target, smooth=1.0):
    probabilities = logits.sigmoid()
    intersection = (probabilities * target).sum()
    return 1 - (2 * intersection + smooth) / (probabilities.sum() + target.sum() + smooth)
```

No fix is offered: sigmoid or softmax is the author's to say, and the name may be what is wrong.

A run confirms it by a loss outside [0, 1].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.reduction.overlaps import overlap_of, tversky_of

RULE = Rule(code="LL345", name="overlap-of-logits", severity=Severity.WARNING, doubted=True)

_LOGARITHMS = frozenset({"log_softmax", "log_sigmoid"})
_VIEWS = frozenset(
    "view reshape flatten float double to contiguous squeeze unsqueeze type_as permute transpose getitem select".split()
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report overlaps of what is named as logits and may be negative, on every path."""
    by_node: defaultdict[int, list[tuple[Op, Value | None]]] = defaultdict(list)
    for op in graph.named("div"):
        found = overlap_of(op.value) or tversky_of(op.value)
        if found is not None and graph.matters(op.value):
            sides = found.intersection.origin.operands[0].origin.operands
            by_node[id(op.site.node)].append((op, next((each for each in sides if _is_raw(_bare(each))), None)))
    for pairs in by_node.values():
        op, side = pairs[0]
        if side is None or any(other is None for _, other in pairs):
            continue  # an option decides whether the sigmoid is taken
        site, raw = side.origin.site, _bare(side)
        are, advice = ("logits", "take the sigmoid or softmax first")
        if raw.origin.name in _LOGARITHMS:
            are, advice = ("log-probabilities", "take the probabilities themselves")
        yield RULE.finding(
            op.site,
            f"`{excerpt(raw)}` are {are} here, and the ratio of their sums is no overlap: {advice}",
            evidence=with_calls(op, [Step(site, "multiplied with the target as they are")] if site else []),
        )


def _is_raw(value: Value) -> bool:
    """Whether a value is a parameter named as logits, that may be negative, or the logarithm of probabilities."""
    if value.origin.name in _LOGARITHMS:
        return True
    named = value.origin.name == "parameter" and {"logit", "logits"} & set(words(value.origin.label))
    return bool(named) and value.interval.low < 0


def _bare(value: Value) -> Value:
    return value.beneath(_VIEWS)
