"""a Gram matrix that is not divided by its number of positions

The products of feature maps are sums over all positions. Undivided, they grow with the size of the image, and a squared loss
between two of them with its square: layers with large maps drown the others, and a weight found at one resolution is wrong at
the next.

Reported where a tensor is flattened, multiplied with its own transpose over the flattened dimension, and neither the matrix
nor the features are divided before a loss compares it. `normalize`, a softmax, and a division by anything are silent.

## Bad

```python
import torch
import torch.nn.functional as F

def style_loss(features, target_gram):
    b, c, h, w = features.shape
    flat = features.view(b, c, h * w)
    gram = torch.bmm(flat, flat.transpose(1, 2))
    return F.mse_loss(gram, target_gram)
```

## Good

```python
import torch
import torch.nn.functional as F

def style_loss(features, target_gram):
    b, c, h, w = features.shape
    flat = features.view(b, c, h * w)
    gram = torch.bmm(flat, flat.transpose(1, 2)) / (c * h * w)
    return F.mse_loss(gram, target_gram)
```

No fix is offered: weights may have been tuned to the sum.

A run confirms it by a larger image, which makes the loss larger by more than its area.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value

RULE = Rule(code="LL343", name="gram-not-normalised", severity=Severity.INFO, preview=True)

_TRANSPOSES = frozenset({"t", "transpose", "permute"})
_FLATTENS = frozenset({"view", "reshape", "flatten"})
_SCALES = frozenset(
    "div mean normalize softmax log_softmax layer_norm std norm linalg_vector_norm unknown rsqrt".split()
)
_COMPARED = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "sub")


@RULE.on_op("matmul", "mm", "bmm")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a Gram matrix of flattened features that a loss compares undivided."""
    left, right = op.operands[:2]
    if right.origin.name not in _TRANSPOSES or not right.origin.operands or right.origin.operands[0].key != left.key:
        return
    if left.origin.name not in _FLATTENS or op.value.gradient is not Gradient.CARRIES or not graph.matters(op.value):
        return
    if any(each.origin.name in _SCALES for each in ancestors([left])) or not _is_compared(op.value, graph):
        return
    yield RULE.finding(
        op.site,
        f"the Gram matrix `{excerpt(op.value)}` adds up all positions and is never divided by their number: it grows with the size "
        "of the features",
        evidence=with_calls(op, [Step(op.site, "the features times their own transpose")]),
    )


def _is_compared(gram: Value, graph: Graph) -> bool:
    """Whether the matrix itself, through views alone, is one side of a comparison."""
    pending, seen = [gram], set[int]()
    while pending:
        value = pending.pop()
        if value.key in seen:
            continue
        seen.add(value.key)
        for use in graph.uses(value):
            if use.name in _COMPARED and graph.matters(use.value):
                return True
            if use.name in _FLATTENS or use.name in ("float", "contiguous", "clone", "squeeze"):
                pending.append(use.value)
    return False
