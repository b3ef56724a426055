"""a mask filled with a number that half precision does not have

float16 ends at 65504. `masked_fill(mask, -1e9)` of a float16 tensor raises "value cannot be converted to type at::Half
without overflow"; `torch.where` and a product with -1e9 give -inf, and a row that is masked as a whole becomes NaN in the
softmax. bfloat16 and float32 have no such end.

Half precision may never be used, so this is an info. Reported where what is filled are logits, and no cast to float32 comes
before.

## Bad

```python
import torch.nn.functional as F

def masked_loss(logits, target, mask):
    return F.cross_entropy(logits.masked_fill(mask == 0, -1e9), target)
```

## Good

```python
import torch
import torch.nn.functional as F

def masked_loss(logits, target, mask):
    return F.cross_entropy(logits.masked_fill(mask == 0, torch.finfo(logits.dtype).min), target)
```

`torch.finfo(x.dtype).min` is the lowest number of every dtype; `-inf` where no row is masked as a whole. No fix is offered.

A run confirms it in half precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value

RULE = Rule(code="LL520", name="fill-beyond-half", severity=Severity.INFO, preview=True, confirmed_by=("half",))

_LARGEST_HALF = 65504.0
_WIDENS = frozenset({"float", "double"})


@RULE.on_op("masked_fill")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a fill by a finite constant beyond float16."""
    fill = op.keywords.get("value")
    number = None if fill is None else fill.constant
    if fill is None or not isinstance(number, (int, float)) or fill.is_default or not math.isfinite(number):
        return
    filled = op.operands[0]
    if abs(number) <= _LARGEST_HALF or filled.gradient is not Gradient.CARRIES or not graph.matters(op.value):
        return
    if any(_widens(each) for each in ancestors([filled])):
        return
    yield RULE.finding(
        op.site,
        f"`{excerpt(fill)}` is beyond float16, which ends at 65504, and raises for half-precision logits; take "
        "torch.finfo(dtype).min",
        evidence=with_calls(op, ()),
    )


def _widens(value: Value) -> bool:
    """A cast to float32, and what autocast runs in it: softmax, exp, norms and the losses."""
    return value.origin.name in _WIDENS or (
        value.origin.name == "to" and any("float32" in each.origin.label for each in value.origin.operands[1:])
    )
