"""a standard deviation over the batch, which may hold one sample

`std` and `var` divide by n - 1: over a dimension of size 1 they are NaN, and so is every gradient. The last batch
of an epoch is often that small (`drop_last=False`), and so is the one of a debugging run.

Only statistics over dimension 0 of what a loss is given are reported. `unbiased=False` and `correction=0` are
silent, as is a loss that tests the size of its batch.

## Bad

```python
import torch
import torch.nn.functional as F

def variance_loss(embeddings):
    return F.relu(1 - torch.sqrt(embeddings.var(dim=0) + 1e-4)).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def variance_loss(embeddings):
    return F.relu(1 - torch.sqrt(embeddings.var(dim=0, unbiased=False) + 1e-4)).mean()
```

## Use instead

`unbiased=False` (or `correction=0`), which is 0 for one sample, or an early return for a batch of one. No fix is
offered: the value changes by a factor of n / (n - 1).

A run confirms it with a batch of one sample.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value

RULE = Rule(
    code="LL222",
    name="std-of-one-sample",
    severity=Severity.WARNING,
    preview=True,
    confirmed_by=("degenerate",),
)


@RULE.on_op("std", "var")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report std and var over the batch with the unbiased default."""
    operand, dim = op.operands[0], op.keywords.get("dim")
    if dim is None or isinstance(dim.constant, bool) or dim.constant != 0 or _is_biased(op):
        return
    if operand.gradient is not Gradient.CARRIES or not graph.matters(op.value) or not op.gradient_matters:
        return
    if operand.rank == 1 or not _keeps_batch(operand) or _asks_size(op):
        return
    yield RULE.finding(
        op.site,
        f"the {op.name} of `{excerpt(operand)}` over dimension 0 is NaN for a batch of one sample, with all gradients; "
        "`unbiased=False` is 0 there",
        evidence=with_calls(op, ()),
    )


def _is_biased(op: Op) -> bool:
    chosen = [op.keywords[name] for name in ("unbiased", "correction") if name in op.keywords]
    return any(not each.has_constant or each.constant in (False, 0) for each in chosen)


_ELEMENTWISE = frozenset(
    (
        "add sub mul div neg float double half to contiguous clone normalize relu sigmoid tanh softmax log_softmax exp "
        "squeeze log"
    ).split()
)


def _keeps_batch(value: Value) -> bool:
    """Whether dimension 0 is that of an input, through what works element by element or a network."""
    while value.origin.name in _ELEMENTWISE and value.origin.operands:
        value = next(
            (each for each in value.origin.operands if each.gradient is Gradient.CARRIES), value.origin.operands[0]
        )
    return value.origin.name == "parameter"


def _asks_size(op: Op) -> bool:
    """Whether the path, or the caller of a helper, asked how many samples there are."""
    asked = [condition.test for condition in op.conditions]
    asked += [value for value in op.scope.values() if value.key in op.guarded]
    return any(value.origin.name in ("size", "shape", "len", "numel") for value in ancestors(asked))
