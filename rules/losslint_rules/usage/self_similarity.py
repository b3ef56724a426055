"""the similarity of each embedding to itself among the classes

`z @ z.t()` has every embedding's product with itself on the diagonal. Where the matrix is used as logits of a contrastive
loss, this largest of all similarities takes most of the probability: the positive can never win, and the loss has a floor
that no embedding gets below. Fill the diagonal with -inf, or select the other columns.

Reported where one tensor is multiplied with its own transpose, and a cross entropy takes the product, scaled or not, as
logits. Labels that are `arange(n)` mean the diagonal, to spread embeddings apart. Those, products of two tensors, matrices
whose diagonal was filled, subtracted, masked or left out, and softmaxes without labels (attention, the distillation of
relations) are silent.

## Bad

```python
import torch
import torch.nn.functional as F

def contrastive_loss(z, labels, temperature=0.1):
    z = F.normalize(z, dim=1)
    return F.cross_entropy(z @ z.t() / temperature, labels)
```

## Good

```python
import torch
import torch.nn.functional as F

def contrastive_loss(z, labels, temperature=0.1):
    z = F.normalize(z, dim=1)
    diagonal = torch.eye(z.size(0), dtype=torch.bool, device=z.device)
    logits = (z @ z.t() / temperature).masked_fill(diagonal, float("-inf"))
    return F.cross_entropy(logits, labels)
```

No fix is offered: the labels may have to change as well.

A run confirms it by a loss that a perfect embedding does not bring to 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Role, Value

RULE = Rule(code="LL774", name="self-similarity", severity=Severity.WARNING, preview=True)

_TRANSPOSES = frozenset({"t", "transpose", "permute", "mT", "T"})
_CASTS = frozenset("float double to contiguous clone".split())


@RULE.on_op("cross_entropy_loss", "nll_loss")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report logits that are the products of one tensor with itself, the diagonal left in."""
    target = op.keywords.get("target")
    if target is None or any(each.origin.name in ("arange", "range") for each in ancestors([target])):
        return  # each is to be nearest to itself: that spreads them apart
    product = _scaled_product(op.operands[0])
    if product is None or not graph.matters(op.value):
        return
    left, right = product.origin.operands[:2]
    transposed = _transposed(right)
    if transposed is None or transposed.key != left.key:
        return
    site = product.origin.site
    yield RULE.finding(
        op.site,
        f"the logits `{excerpt(product)}` hold the similarity of each row of `{excerpt(left)}` to itself, which no label should "
        "win against: fill the diagonal with -inf first",
        evidence=with_calls(op, [Step(site, "one tensor times its own transpose")] if site is not None else []),
    )


def _scaled_product(value: Value) -> Value | None:
    """The matrix product that logits are, through casts, a temperature, the shift by a maximum, and a log_softmax."""
    current = value
    for _ in range(12):
        name, operands = current.origin.name, current.origin.operands
        if name in ("matmul", "mm"):
            return current
        if not operands:
            return None
        scales = name in ("div", "mul") and len(operands) == 2
        if scales and _is_number(operands[1]):
            current = operands[0]
        elif scales and name == "mul" and _is_number(operands[0]):
            current = operands[1]
        elif name in _CASTS or name == "log_softmax":
            current = operands[0]
        else:
            return None
    return None


def _is_number(value: Value) -> bool:
    return value.kind is Kind.NUMBER or value.role is Role.CONFIG or value.rank == 0


def _transposed(value: Value) -> Value | None:
    if value.origin.name in _TRANSPOSES and value.origin.operands:
        return value.origin.operands[0]
    return None
