"""an intersection of boxes whose negative extents are multiplied

The overlap of two boxes is `min(right) - max(left)` wide and `min(bottom) - max(top)` high. Where they do not meet, an extent
is negative and has to become 0 first. Multiplied as they are, two negative extents give a positive area: boxes that miss each
other in both directions have an overlap, the larger the farther they are apart.

Reported is a product of two differences of a minimum and a maximum, of one tensor or of two, that no clamp or ReLU limits.
A comparison of the corners is taken to sort out the boxes that do not meet.

## Bad

```python
import torch

def iou_loss(pred, target):
    left_top = torch.maximum(pred[:, :2], target[:, :2])
    right_bottom = torch.minimum(pred[:, 2:], target[:, 2:])
    extent = right_bottom - left_top
    overlap = extent[:, 0] * extent[:, 1]
    areas = (pred[:, 2:] - pred[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1)
    return (1 - overlap / (areas - overlap + 1e-6)).mean()
```

## Good

```python
import torch

def iou_loss(pred, target):
    left_top = torch.maximum(pred[:, :2], target[:, :2])
    right_bottom = torch.minimum(pred[:, 2:], target[:, 2:])
    extent = (right_bottom - left_top).clamp(min=0)
    overlap = extent[:, 0] * extent[:, 1]
    areas = (pred[:, 2:] - pred[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1)
    return (1 - overlap / (areas - overlap + 1e-6)).mean()
```

No fix is offered: where the clamp belongs depends on what else the extents are used for. A clamp of the product is too late.

A run confirms it with two boxes that are apart in both directions.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import bare
from losslint_rules.formulas.residuals import compared_in

RULE = Rule(code="LL739", name="negative-extents", severity=Severity.WARNING, doubted=True)

_PARTS = frozenset({"getitem", "select", "narrow", "unbind", "index_select"})
_ASKS = frozenset(
    "lt le gt ge compared clamp clamp_min relu where masked_fill sign maximum max threshold softplus any all".split()
)


@RULE.on_op("mul")
def product_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report width times height where both can be negative."""
    if len(op.operands) == 2 and op.operands[0].key != op.operands[1].key:
        yield from _findings(op, [_extent(each) for each in op.operands], graph)


@RULE.on_op("prod")
def prod_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report the product of all extents."""
    yield from _findings(op, [_extent(op.operands[0])], graph)


def _findings(op: Op, extents: list[Value | None], graph: Graph) -> Iterator[Finding]:
    found = [each for each in extents if each is not None]
    if not found or len(found) != len(extents) or not graph.matters(op.value):
        return
    if any(_is_asked(each, graph) for each in (*found, *op.operands)) or _are_compared(found, graph):
        return
    site = found[0].origin.site
    yield RULE.finding(
        op.site,
        f"the extents in `{excerpt(op.value)}` are negative where the boxes do not meet, and two negative ones give a positive "
        "overlap: clamp them at 0 before they are multiplied",
        evidence=with_calls(op, [Step(site, "a minimum less a maximum")] if site is not None else []),
    )


def _are_compared(extents: list[Value], graph: Graph) -> bool:
    """Whether the loss compares what the extents are differences of: `top_left < bottom_right` says where the boxes meet."""
    corners = {_whole(corner).key for each in extents for corner in (each, *each.origin.operands)}
    compared = (side for result in graph.results for _, *sides in compared_in(result) for side in sides)
    return any(_whole(side).key in corners for side in compared)


def _extent(value: Value) -> Value | None:
    """The difference of a minimum and a maximum that a value is, or is a part of."""
    current = _whole(value)
    operands = current.origin.operands
    if current.origin.name != "sub" or len(operands) != 2:
        return None
    smaller, larger = (_pairwise(each) for each in operands)
    return current if (smaller, larger) == ("minimum", "maximum") else None


def _pairwise(value: Value) -> str:
    current = _whole(value)
    return {"fmin": "minimum", "fmax": "maximum"}.get(current.origin.name, current.origin.name)


def _whole(value: Value) -> Value:
    """What a value is a column or slice of; not what a mask selects, which only meeting boxes may be in."""
    current = bare(value)
    while current.origin.name in _PARTS and current.origin.operands and current.origin.label != "mask":
        current = bare(current.origin.operands[0])
    return current


def _is_asked(value: Value, graph: Graph) -> bool:
    """Whether anything compares or limits a value, or a part of it."""
    pending, seen = [value], {value.key}
    while pending:
        for use in graph.uses(pending.pop()):
            if use.name in _ASKS:
                return True
            if use.name in _PARTS and use.value.key not in seen:
                seen.add(use.value.key)
                pending.append(use.value)
    return False
