"""labels that may hold the ignore_index used as an index

The loss leaves out the labels that equal `ignore_index`; `gather`, `one_hot`, `scatter` and indexing do not. With
the usual -100 or 255 they raise "index out of bounds", on a GPU as a device-side assert that takes the process with
it; with -1 `gather`, `one_hot` and `scatter` raise.

That labels are ignored shows in the `ignore_index` of a cross entropy, or in a comparison of the labels with a setting
so named.

An ignore_index of 0 or another valid class is not reported, nor are labels that were clamped, masked or selected
first.

## Bad

```python
import torch.nn.functional as F

def focal_loss(logits, labels, ignore_index=-100):
    ce = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="none")
    pt = logits.softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
    return ((1 - pt) ** 2 * ce).mean()
```

## Good

```python
import torch.nn.functional as F

def focal_loss(logits, labels, ignore_index=-100):
    ce = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="none")
    kept = labels != ignore_index
    safe = labels.masked_fill(~kept, 0)
    pt = logits.softmax(1).gather(1, safe.unsqueeze(1)).squeeze(1)
    return ((1 - pt) ** 2 * ce).sum() / kept.sum().clamp(min=1)
```

Here, `pt = torch.exp(-ce)` needs no index at all. No fix is offered: what an ignored position should take is a
choice.

A run confirms it by the error for a batch with an ignored label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Condition, Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.excluding_masks import comparison_of, is_ignore_setting
from losslint_rules.usage.arguments import argument
from losslint_rules.usage.meanings import VIEWS

RULE = Rule(code="LL713", name="ignored-label-as-index", severity=Severity.WARNING, preview=True)

_INDEX = {
    "gather": "index",
    "take_along_dim": "indices",
    "one_hot": "input",
    "scatter": "index",
    "scatter_add": "index",
    "index_select": "index",
}
_SAME = VIEWS | {"long", "int", "data"}
_BEYOND_CLASSES = 100


@dataclass(frozen=True, slots=True, eq=False)
class Ignored:
    """Labels of which some are ignored: the setting or number that says which, and the operator where that shows."""

    labels: Value
    index: Value
    op: Op


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report an index made of labels that the loss partly ignores."""
    for ignored in (*_by_torch(graph), *_by_comparison(graph)):
        number = ignored.index.constant
        if not isinstance(number, int) or isinstance(number, bool) or 0 <= number < _BEYOND_CLASSES:
            continue
        if _are_raw(ignored.labels):
            yield from _indices(graph, ignored, number)


@RULE.on_op("eq", "ne")
def one_hot_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report one-hot labels that are compared with an ignore index, which they no longer hold."""
    for one, other in (op.operands, op.operands[::-1]) if len(op.operands) == 2 else ():
        encoded = _labels(one)
        if encoded.origin.name != "one_hot" or not is_ignore_setting(other) or encoded.origin.site is None:
            continue
        if graph.matters(op.value) and _are_raw(_labels(encoded.origin.operands[0])):
            steps = [Step(op.site, f"too late: one-hot labels are 0 or 1, never `{excerpt(other)}`")]
            yield RULE.finding(
                encoded.origin.site,
                f"`{excerpt(encoded.origin.operands[0])}` may hold `{excerpt(other)}`, which one_hot does not take; replace "
                "ignored labels first",
                evidence=with_calls(op, steps),
            )


def _by_torch(graph: Graph) -> Iterator[Ignored]:
    for op in graph.named("cross_entropy_loss", "nll_loss"):
        index, target = argument(op, "ignore_index"), argument(op, "target")
        if index is not None and target is not None:
            yield Ignored(_labels(target), index, op)


def _by_comparison(graph: Graph) -> Iterator[Ignored]:
    for op in graph.ops:
        for value in (op.value, *op.operands):
            if comparison_of(value) in ("eq", "ne"):
                for one, other in (value.origin.operands, value.origin.operands[::-1]):
                    if is_ignore_setting(other):
                        yield Ignored(_labels(one), other, op)


def _indices(graph: Graph, ignored: Ignored, number: int) -> Iterator[Finding]:
    """The operators that use ignored labels as an index where nothing keeps them from it."""
    for other in graph.ops:
        index = _index_of(other, number)
        if index is None or _labels(index).key != ignored.labels.key or not graph.matters(other.value):
            continue
        if _excluded(ignored.op, other, ignored.index) or other.is_guarded([ignored.labels]):
            continue
        yield RULE.finding(
            other.site,
            f"`{excerpt(ignored.labels)}` may hold {number}, which the loss ignores and {_called(other)} does not: the index "
            "is out of bounds; replace ignored labels first",
            evidence=with_calls(other, [Step(ignored.op.site, f"labels of {number} are ignored here")]),
        )


def _labels(value: Value) -> Value:
    """The labels behind views and integer casts."""
    while value.origin.operands and (value.origin.name in _SAME or _adds_dimensions(value)):
        value = value.origin.operands[0]
    return value


def _adds_dimensions(value: Value) -> bool:
    """`labels[:, None]`."""
    node = value.origin.site.node if value.origin.name == "getitem" and value.origin.site is not None else None
    if not isinstance(node, cst.Subscript):
        return False
    return all(_is_everything(element.slice) for element in node.slice)


def _is_everything(part: cst.BaseSlice) -> bool:
    if isinstance(part, cst.Slice):
        return part.lower is None and part.upper is None and part.step is None
    return (
        isinstance(part, cst.Index)
        and isinstance(part.value, (cst.Name, cst.Ellipsis))
        and (isinstance(part.value, cst.Ellipsis) or part.value.value == "None")
    )


def _are_raw(labels: Value) -> bool:
    """Whether labels are as they came: what was overwritten, filled, selected or computed may hold no ignored ones."""
    if labels.origin.name == "getitem":
        return labels.origin.label == "index" and _are_raw(labels.origin.operands[0])
    node = labels.origin.site.node if labels.origin.site is not None else None
    if labels.origin.name == "unknown":  # unpacked from a batch, or taken out of it by name
        return isinstance(node, cst.Element) or (isinstance(node, cst.Subscript) and _is_named(node))
    return labels.origin.name in ("parameter", "attribute")


def _is_named(node: cst.Subscript) -> bool:
    index = node.slice[0].slice
    return isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString)


def _index_of(op: Op, ignored: int) -> Value | None:
    name = _INDEX.get(op.name)
    classes = op.keywords.get("num_classes")
    if classes is not None and classes.origin.name == "add":
        return None  # one class more is room for the ignored
    if name is not None:
        return op.keywords.get(name)
    if op.name == "getitem" and ignored != -1:  # x[-1] is the last row
        tensors = [value for value in op.operands[1:] if value.is_tensor and value.origin.name != "prim::Constant"]
        return tensors[0] if len(tensors) == 1 and op.origin.label != "mask" else None
    return None


def _called(op: Op) -> str:
    return "indexing" if op.name == "getitem" else op.name


def _excluded(loss: Op, index: Op, ignored: Value) -> bool:
    """Whether the two are never run together, or a test of the ignored label decides that the index is."""
    if any(_contradicts(one, other) for one in loss.conditions for other in index.conditions):
        return True
    keys = {ignored.key}
    return any(value.key in keys for each in index.conditions for value in ancestors([each.test]))


def _contradicts(one: Condition, other: Condition) -> bool:
    same = one.site is not None and other.site is not None and one.site.node is other.site.node
    return same and one.holds is not other.holds
