"""a shape that the data decide: boolean indexing, nonzero, unique

How many elements `x[mask]`, `masked_select`, `nonzero`, `unique` and `torch.where(mask)` give, only the data say. The CPU
waits for the GPU to learn it, torch.compile splits its graph at boolean indexing and compiles the others for sizes it does
not know, and a CUDA graph cannot hold any of them. On an empty selection the mean is NaN as well, which division-by-zero
(LL206) reports.

Mature losses do this all the time and are right in eager mode: info, preview, and once for each mask. Reported where the
elements of an input decide the size. Writing by a mask (`x[mask] = 0`) has a fixed shape and is silent, as is what runs under
`no_grad`.

## Bad

```python
import torch.nn.functional as F

def foreground_loss(pred, target):
    positive = target > 0
    return F.smooth_l1_loss(pred[positive], target[positive], reduction="sum")
```

## Good

```python
import torch
import torch.nn.functional as F

def foreground_loss(pred, target):
    loss = F.smooth_l1_loss(pred, target, reduction="none")
    return torch.where(target > 0, loss, 0.0).sum()
```

Weigh or choose with `torch.where` and keep the shape, where no element can be NaN or infinite; `torch.where(mask, loss, 0)`
keeps a NaN in the gradient. No fix is offered.

A run confirms it by a profile that waits here; for boolean indexing by the graph break that torch.compile reports.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.control_flow.data_dependence import is_computed_from_inputs

RULE = Rule(code="LL806", name="dynamic-shape", severity=Severity.INFO, preview=True)

# A comparison of two inputs nothing else is known of is a bool, or a tensor of them.
_DATA = frozenset({Kind.TENSOR, Kind.UNKNOWN, Kind.BOOL})
_SIZED_BY = {
    "getitem": 1,
    "masked_select": 1,
    "nonzero": 0,
    "argwhere": 0,
    "unique": 0,
    "where": 0,
    "repeat_interleave": 1,
}


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report, once for each mask, what selects elements of a tensor by data."""
    told: set[int] = set()
    for op in graph.named(*_SIZED_BY):
        decides = _decider(op)
        if decides is None or not op.gradient_matters or not graph.matters(op.value) or decides.key in told:
            continue
        told.add(decides.key)
        yield RULE.finding(
            op.site,
            f"how many elements `{excerpt(op.value)}` has, `{excerpt(decides)}` decides: the CPU waits to learn it, and no CUDA "
            "graph can hold it; torch.where keeps the shape",
            evidence=with_calls(op, [Step(op.site, f"the elements of `{excerpt(decides)}` decide the size")]),
        )


def _decider(op: Op) -> Value | None:
    """The tensor whose elements decide how many elements the result has; None where the shape is fixed."""
    if op.name == "getitem" and op.origin.label != "mask":
        return None
    if op.name == "where" and len(op.operands) != 1:
        return None
    position = _SIZED_BY[op.name]
    given = op.operands[position:] if op.name == "getitem" else op.operands[position : position + 1]
    for value in given:
        if value.kind in _DATA and not value.has_constant and is_computed_from_inputs(value):
            return value
    return None
