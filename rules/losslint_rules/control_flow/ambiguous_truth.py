"""Python asks for the truth of a tensor with many elements

`if pred > target:` compares element by element and then wants one answer: "Boolean value of Tensor with more than one value is
ambiguous" is raised, except where there happens to be a single element, as in a batch of one. torch.where chooses for each
element, `.any()` and `.all()` make one answer of many.

Reported where the tensor provably has a dimension: one whose shape was unpacked, a sum over one dimension of several, a
comparison of a list of class indices. What may be a scalar is branch-on-tensor's (LL801).

## Bad

```python
import torch

def clipped_loss(pred, target):
    N, C = pred.shape
    error = (pred - target[:, :C]).abs().sum(dim=1)
    if error > 1:
        error = error.sqrt()
    return error.mean()
```

## Good

```python
import torch

def clipped_loss(pred, target):
    N, C = pred.shape
    error = (pred - target[:, :C]).abs().sum(dim=1)
    return torch.where(error > 1, error.clamp(min=1).sqrt(), error).mean()
```

No fix is offered: whether any, all or each is meant is not written.

A run confirms it by the error at this line.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import BRANCH, Graph, Op
from losslint.semantics.spelling import excerpt
from losslint_rules.control_flow.elementwise_tests import has_elements

RULE = Rule(code="LL803", name="ambiguous-truth", severity=Severity.WARNING)


@RULE.on_op(BRANCH)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a truth test of a tensor with a dimension."""
    asked = next((value for value in op.operands if has_elements(value)), None)
    if asked is None:
        return
    site = asked.origin.site
    if op.detail != "chained comparison" and site is not None and _is_chained(site.node):
        return  # the chain has asked already
    form = op.detail if op.detail in ("ternary", "chained comparison") else f"`{op.detail}`"
    yield RULE.finding(
        op.site,
        f"this {form} wants one answer, and `{excerpt(asked)}` has one an element: that raises for more than one; use torch.where, "
        "or .any() or .all()",
        evidence=with_calls(op, [Step(site, f"`{excerpt(asked)}` has a dimension")] if site is not None else []),
    )


def _is_chained(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Comparison) and len(node.comparisons) > 1
