"""F.normalize without a dimension on a tensor of sequences

`F.normalize(x)` gives unit length along dimension 1. Of an (N, D) tensor these are the features, of a (B, T, D) tensor the time
steps: `x @ y.transpose(1, 2)` is then no matrix of cosines, and nothing fails.

Reported where the tensor provably has three dimensions or more and its last one is multiplied out in a matrix product. Preview:
too few cases have been seen to know how often it is meant.

## Bad

```python
import torch.nn.functional as F

def token_loss(x, y):
    B, T, D = x.shape
    similarity = F.normalize(x) @ y.transpose(1, 2)
    return -similarity.diagonal(dim1=1, dim2=2).mean()
```

## Good

```python
import torch.nn.functional as F

def token_loss(x, y):
    B, T, D = x.shape
    similarity = F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).transpose(1, 2)
    return -similarity.diagonal(dim1=1, dim2=2).mean()
```

The fix adds `dim=-1`, and is unsafe: the value changes, to what was probably meant.

A run confirms it by products outside of [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import literal_int, sizes_of
from losslint.semantics.sizes import rank_of
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value

RULE = Rule(code="LL406", name="normalize-default-dim", severity=Severity.WARNING, preview=True)


@RULE.on_op("matmul", "bmm")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a product along the last dimension of what is normalised along the second."""
    if len(op.operands) < 2 or not graph.matters(op.value):
        return
    for value in (op.operands[0], _untransposed(op.operands[1])):
        if value is None or value.origin.name != "normalize" or value.origin.site is None:
            continue
        if "dim" in value.origin.keywords or (rank_of(sizes_of(value)) or 0) < 3:
            continue
        yield RULE.finding(
            value.origin.site,
            f"`{excerpt(value)}` gives unit length along dimension 1, and the product sums over its last dimension: name it",
            evidence=with_calls(op, [Step(op.site, "the product sums over the last dimension")]),
            rewrite=_rewrite(value),
        )


def _untransposed(value: Value) -> Value | None:
    """x for `x.transpose(-1, -2)`, so that its last dimension is the one summed over."""
    if value.origin.name != "transpose" or not value.origin.operands:
        return None
    dims = [literal_int(value.origin.keywords.get(name)) for name in ("dim0", "dim1")]
    rank = value.rank
    if rank is None or (dims != [None, None] and {(dim or 0) % rank for dim in dims} != {rank - 1, rank - 2}):
        return None
    return value.origin.operands[0]


def _rewrite(value: Value) -> Rewrite | None:
    site = value.origin.site
    if site is None or not isinstance(site.node, cst.Call):
        return None
    content = f"{site.unit.code(site.node)[:-1].rstrip().rstrip(',')}, dim=-1)"
    return Rewrite(Applicability.UNSAFE, f"use `{content}`", (Replacement(site, content),))
