"""a reduction without keepdim meets what it was reduced from

`x.sum(1)` of an (N, C) tensor is (N,). Broadcasting lines its N up with the C of `x / x.sum(1)`: that fails, or, where N and C
happen to be equal, divides every column by another row's sum. `keepdim=True` keeps the row where it belongs.

An error, because both shapes are proven. Reductions over the first dimension (`x - x.mean(0)`) line up by themselves, square
matrices divided by their row sums may be meant; both are silent.

## Bad

```python
import torch

def entropy_loss(scores):
    weight = scores.sigmoid() + 1e-3
    p = weight / weight.sum(dim=1)
    return -(p * (p + 1e-8).log()).sum(dim=1).mean()
```

## Good

```python
import torch

def entropy_loss(scores):
    weight = scores.sigmoid() + 1e-3
    p = weight / weight.sum(dim=1, keepdim=True)
    return -(p * (p + 1e-8).log()).sum(dim=1).mean()
```

The fix adds `keepdim=True` to the reduction where it is used nowhere else, and is unsafe: the value changes, to what was meant.

A run confirms it by failing at this line for sizes that are all different.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import sizes_of
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.shapes.misalignment import consumers, extra_dimension, introducer
from losslint_rules.shapes.shape_words import ShapeWriter

RULE = Rule(code="LL404", name="keepdim-missing", severity=Severity.ERROR)

_REDUCTIONS = frozenset(
    "sum mean amax amin max min logsumexp norm linalg_vector_norm prod std var nansum nanmean median quantile".split()
)


@RULE.on_op("add", "sub", "mul", "div", "maximum", "minimum")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an operand with a dimension less than the other, which a reduction took away."""
    pair = [value for value in op.operands if value.kind in (Kind.TENSOR, Kind.UNKNOWN)]
    if len(pair) != 2:
        return
    for whole, reduced in (pair, pair[::-1]):
        long, short = sizes_of(whole), sizes_of(reduced)
        if long is None or not short:
            continue
        extra = extra_dimension(long, short)
        if extra is None or extra.size == 1 or not extra.batched:
            continue
        source = introducer(reduced)
        if source.origin.name not in _REDUCTIONS or _is_square(introducer(whole)):
            continue
        writer = ShapeWriter(op.scope)
        texts = writer.write(extra.longer), writer.write(extra.shorter)
        site = source.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(reduced)}` is {texts[1]} and `{excerpt(whole)}` is {texts[0]}: their last dimensions are lined up, "
            "which fails, or mixes rows where both sizes are equal; reduce with keepdim=True",
            evidence=with_calls(
                op, [Step(site, "this reduction takes the dimension away")] if site is not None else []
            ),
            rewrite=_rewrite(graph, source),
        )


def _is_square(value: Value) -> bool:
    """Whether a matrix holds the pairs of one set: rows and columns are then as many, and often alike."""
    if value.origin.name not in ("cdist", "matmul", "mm", "bmm") or len(value.origin.operands) < 2:
        return False
    left, right = (_untransposed(operand) for operand in value.origin.operands[:2])
    return left.key == right.key


def _untransposed(value: Value) -> Value:
    return value.beneath(("t", "transpose", "permute", "detach"))


def _rewrite(graph: Graph, source: Value) -> Rewrite | None:
    site = source.origin.site
    if site is None or not isinstance(site.node, cst.Call) or "keepdim" in source.origin.keywords:
        return None
    if len(consumers(graph, source)) != 1 or source.origin.name in ("max", "min", "median") or not site.node.args:
        return None
    code = site.unit.code(site.node)
    content = f"{code[:-1].rstrip().rstrip(',')}, keepdim=True)"
    return Rewrite(Applicability.UNSAFE, "add keepdim=True", (Replacement(site, content),))
