"""a gradient penalty of the norm over the whole batch

The penalty of WGAN-GP asks each sample's gradient to have norm 1. `gradients.norm(2)` without a dimension is one norm of all
gradients together, which grows with the root of the batch size: what is pushed to 1 is the sum over the samples, and each of
them to `1 / sqrt(B)`.

Reported where the norm of what `torch.autograd.grad` gave is taken without a dimension, and a number is taken from it. Norms over
a dimension are silent, as are gradients of one sample that a loop goes over, and gradients that are a penalty without a target.

## Bad

```python
import torch

def penalty_loss(critic, mixed):
    mixed.requires_grad_(True)
    gradients = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
    return ((gradients.norm(2) - 1) ** 2).mean()
```

## Good

```python
import torch

def penalty_loss(critic, mixed):
    mixed.requires_grad_(True)
    gradients = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
    return ((gradients.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
```

No fix is offered: the shape of the gradient is not known.

A run confirms it by the batch twice over, for which the penalty is another one.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value

RULE = Rule(code="LL327", name="penalty-over-batch", severity=Severity.WARNING, doubted=True)

_VIEWS = frozenset("view reshape flatten contiguous clone float".split())


@RULE.on_op("norm", "linalg_vector_norm", "linalg_norm", "sqrt")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report norms of all gradients together from which a number is taken."""
    gradient = _gradient(op)
    if gradient is None or op.in_loop or not graph.matters(op.value):
        return
    if not any(use.name in ("sub", "rsub") and _has_number(use, op.value) for use in graph.uses(op.value)):
        return
    site = gradient.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(op.value)}` is one norm of the gradients of all samples, and grows with the batch: take the norm of each "
        "sample, `.flatten(1).norm(2, dim=1)`, and hold that against the number",
        evidence=with_calls(op, [Step(site, "the gradients of the whole batch")] if site is not None else []),
    )


def _gradient(op: Op) -> Value | None:
    """The gradients that a norm without a dimension is taken of, as one call or as the root of a sum of squares."""
    if not op.operands:
        return None
    value = op.operands[0]
    if op.name == "sqrt":
        value = value.beneath(("add", "clamp"))
        if value.origin.name != "sum" or _has_dim(value):
            return None
        value = value.origin.operands[0]
        if value.origin.name not in ("pow", "square"):
            return None
        value = value.origin.operands[0]
    elif _has_dim(op.value):
        return None
    value = value.beneath(_VIEWS)
    return value if value.origin.name == "autograd_grad" else None


def _has_dim(value: Value) -> bool:
    dim = value.origin.keywords.get("dim")
    return dim is not None and dim.kind is not Kind.NONE


def _has_number(use: Op, norm: Value) -> bool:
    return any(each.key != norm.key and each.kind is Kind.NUMBER for each in use.operands)
