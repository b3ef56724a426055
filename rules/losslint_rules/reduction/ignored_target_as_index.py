"""a target that may be the ignore index, used as an index

Part of the loss leaves out targets that are ignored, and part of it uses the same targets as indices: `gather`, `one_hot`,
`weight[target]`. An ignore index is no class. 255 or -100 raises there ("index out of bounds", on a GPU an assertion that
ends the process), and -1 silently takes the last class.

Reported where the loss itself shows that targets may be ignored, by an `ignore_index` it hands to a cross entropy or
compares the targets with, and the targets reach the index unchanged. Silent where they are clamped, filled, masked or
selected first, and for ignore indices that are classes, such as a padding index of 0.

## Bad

```python
import torch.nn.functional as F

def focal_loss(logits, target, ignore_index=255, gamma=2.0):
    ce = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    pt = F.softmax(logits, dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
    valid = target != ignore_index
    return ((1 - pt) ** gamma * ce)[valid].sum() / valid.sum().clamp(min=1)
```

## Good

```python
import torch.nn.functional as F

def focal_loss(logits, target, ignore_index=255, gamma=2.0):
    ce = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    valid = target != ignore_index
    classes = target.masked_fill(~valid, 0)
    pt = F.softmax(logits, dim=1).gather(1, classes.unsqueeze(1)).squeeze(1)
    return ((1 - pt) ** gamma * ce)[valid].sum() / valid.sum().clamp(min=1)
```

No fix is offered: what an ignored target should be replaced by depends on what follows.

A run confirms it by a target that holds the ignore index: the loss raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import DType, Kind, Site, Value
from losslint_rules.reduction.excluding_masks import bare_mask, comparison_of, is_sentinel
from losslint_rules.reduction.zeroed_elements import ignored_by

RULE = Rule(code="LL322", name="ignored-target-as-index", severity=Severity.WARNING)

_INDEX = {
    "gather": "index",
    "take_along_dim": "indices",
    "index_select": "index",
    "scatter": "index",
    "one_hot": "input",
}


@dataclass(frozen=True, slots=True, eq=False)
class Ignored:
    """Targets of which some are ignored: by which index, and where that shows."""

    target: Value
    index: Value
    site: Site


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report targets that are ignored in one place and index in another."""
    ignored = {
        each.target.key: each for each in _ignored(graph) if _is_raw(each.target) and not _is_a_class(each.index)
    }
    for op in graph.ops if ignored else ():
        for used in _indices(op):
            found = ignored.get(_unindexed(used).key)
            if found is None or not graph.matters(op.value) or op.is_guarded([used, found.target]):
                continue
            if not _knows_of_none(op, found):
                yield RULE.finding(
                    op.site,
                    f"`{excerpt(used)}` is an index here and may be `{excerpt(found.index)}`, which is no class: this raises, or "
                    "takes the wrong class; put a class in its place first",
                    evidence=with_calls(op, [Step(found.site, "some of these targets are to be ignored")]),
                )


def _ignored(graph: Graph) -> Iterator[Ignored]:
    for op in graph.ops:
        index = ignored_by(op.value)
        if index is not None:
            yield Ignored(bare_mask(op.operands[1]), index, op.site)
        for value in (op.value, *op.operands):
            site = value.origin.site
            if comparison_of(value) in ("eq", "ne") and site is not None:
                for one, other in (value.origin.operands, value.origin.operands[::-1]):
                    if is_sentinel(other):
                        yield Ignored(_whole(bare_mask(one)), other, site)


def _unindexed(value: Value) -> Value:
    """The targets behind casts, views and `target[:, None]`."""
    current = bare_mask(value)
    while current.origin.name == "getitem" and all(each.kind is Kind.NONE for each in current.origin.operands[1:]):
        current = bare_mask(current.origin.operands[0])
    return current


def _whole(value: Value) -> Value:
    """The targets that a loop takes elements of, or that were made one-hot before they are compared."""
    return bare_mask(value.origin.operands[0]) if value.origin.name in ("select", "one_hot") else value


def _is_raw(target: Value) -> bool:
    """Whether targets are as they came in: what was clamped, filled or multiplied holds no ignore index any more."""
    return (
        target.origin.name in ("parameter", "unknown", "attribute", "method", "getitem")
        and target.dtype is not DType.BOOL
    )


def _is_a_class(index: Value) -> bool:
    """Whether an ignore index is a small number, which may be a class: that of padding or of the background."""
    return isinstance(index.constant, int) and 0 <= index.constant < 100


def _indices(op: Op) -> Iterator[Value]:
    """What an operator uses as an index of classes."""
    name = _INDEX.get(op.name)
    if name is not None and name in op.keywords:
        classes = op.keywords.get("num_classes")
        if classes is None or classes.origin.name != "add":  # one class more is room for the ignored
            yield op.keywords[name]
    elif op.name == "getitem" and op.origin.label != "mask":
        yield from (each for each in op.operands[1:] if each.kind is Kind.TENSOR and each.dtype is not DType.BOOL)


def _knows_of_none(op: Op, ignored: Ignored) -> bool:
    """Whether the path of an operator is one on which nothing is ignored: `ignore_index is None`."""
    for condition in op.conditions:
        test = condition.test
        if not any(each.key == ignored.index.key or "ignore" in words(each.origin.label) for each in ancestors([test])):
            continue
        if test.origin.label == "is not" or (test.key == ignored.index.key):
            if not condition.holds:
                return True
        elif test.origin.label != "is" or condition.holds:
            return True
    return False
