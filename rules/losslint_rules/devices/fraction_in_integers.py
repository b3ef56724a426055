"""a fraction stored in a tensor of integers

A tensor made like the labels has their dtype. `torch.full_like(labels, 0.9)` is 0 everywhere, and so is what
`weights[labels == 1] = 0.25` writes into `weights = torch.zeros_like(labels)`: torch cuts the fraction off and says nothing.
Arithmetic in place (`weights *= 0.25`, `total += loss` for `total = torch.tensor(0)`) raises instead.

The tensor is proven to hold integers by what made it (`.long()`, one_hot, argmax, literals), or because it, or what it is
like, is an index elsewhere on the same path (gather, scatter, one_hot, nll_loss).

Silent are tensors with a dtype of their own (`zeros_like(labels, dtype=torch.float32)`), whole numbers, and arithmetic that
makes a new tensor, which is promoted.

## Bad

```python
import torch
import torch.nn.functional as F

def weighted_loss(logits, labels, alpha=0.25):
    weights = torch.ones_like(labels)
    weights[labels == 0] = alpha
    log_prob = F.log_softmax(logits, dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)
    return -(weights * log_prob).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def weighted_loss(logits, labels, alpha=0.25):
    weights = torch.ones_like(labels, dtype=logits.dtype)
    weights[labels == 0] = alpha
    log_prob = F.log_softmax(logits, dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)
    return -(weights * log_prob).mean()
```

Give the tensor the dtype of the predictions, or make it with `torch.where(labels == 0, alpha, 1.0)`.

A run confirms it by the error, where there is one: what is cut off silently no experiment measures.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import IN_PLACE, Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.devices.integer_facts import has_fraction, integer_witness, is_floating

RULE = Rule(code="LL507", name="fraction-in-integers", severity=Severity.WARNING, doubted=True)

_STORED = {
    "masked_fill": "value",
    "fill": "value",
    "index_fill": "value",
    "scatter": "src",
}
_MADE = {"full_like": "fill_value", "new_full": "fill_value", "new_tensor": "data"}
_CONVERTED = ("type_as", "to")


@RULE.on_op("index_put", *_STORED)
def stored(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a fraction that is written into a tensor of integers."""
    value = op.operands[1] if op.name == "index_put" else op.keywords.get(_STORED[op.name])
    if value is None or not has_fraction(value) or not graph.matters(op.value):
        return
    if op.name == "scatter" and value.is_tensor:
        return  # torch raises for another dtype
    witness = integer_witness(op.operands[0], op, graph)
    if witness is not None:
        yield _finding(op, value, f"`{excerpt(op.operands[0])}` holds integers", "stored there", witness)


@RULE.on_op(*_MADE)
def made(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a tensor of a fraction that is made like a tensor of integers."""
    value, dtype = op.keywords.get(_MADE[op.name]), op.keywords.get("dtype")
    if value is None or not has_fraction(value) or not (dtype is None or dtype.kind is Kind.NONE):
        return
    if not graph.matters(op.value):
        return
    witness = integer_witness(op.operands[0], op, graph)
    if witness is not None:
        yield _finding(op, value, f"the result has the integer dtype of `{excerpt(op.operands[0])}`", "in it", witness)


@RULE.on_op(*_CONVERTED)
def converted(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report fractions that are converted to the dtype of a tensor of integers."""
    other = op.keywords.get("other")
    if other is None or not other.is_tensor or not has_fraction(op.operands[0]) or not graph.matters(op.value):
        return
    witness = integer_witness(other, op, graph)
    if witness is not None:
        yield _finding(op, op.operands[0], f"`{excerpt(other)}` holds integers", "converted to its dtype", witness)


@RULE.on_op("add", "sub", "mul", "div")
def changed_in_place(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report arithmetic in place that would make floats of integers, for which torch raises."""
    if op.detail != IN_PLACE or len(op.operands) != 2 or op.keywords.get("rounding_mode") is not None:
        return
    target, other = op.operands
    if not target.is_tensor or not (op.name == "div" or is_floating(other)):
        return
    witness = integer_witness(target, op, graph)
    if witness is not None:
        yield RULE.finding(
            op.site,
            f"`{excerpt(target)}` holds integers, and `{excerpt(op.value)}` would have to store floats in it: torch raises; "
            "make the tensor with a floating dtype",
            evidence=with_calls(op, [witness]),
        )


def _finding(op: Op, value: Value, why: str, how: str, witness: Step) -> Finding:
    return RULE.finding(
        op.site,
        f"{why}, and the fraction of `{excerpt(value)}` is cut off where it is {how}; make the tensor with a floating dtype",
        evidence=with_calls(op, [witness]),
    )
