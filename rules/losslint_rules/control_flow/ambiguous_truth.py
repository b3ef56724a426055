"""Python asks for the truth of a tensor with many elements

`if pred > target:` compares element by element and then wants one answer: "Boolean value of Tensor with more than one value is
ambiguous" is raised, except where there happens to be a single element, as in a batch of one. torch.where chooses for each
element, `.any()` and `.all()` make one answer of many.

Reported where the tensor provably has a dimension: one whose shape was unpacked, a sum over one dimension of several, a
comparison of a list of class indices. So is `if weight:` of something that is None or a tensor, such as the `weight` of
cross_entropy: it works without one and raises with one; `is not None` was meant. What may be a scalar otherwise is
branch-on-tensor's (LL801).

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
from losslint.semantics.graph import BRANCH, Condition, Graph, Op
from losslint.semantics.names import dotted
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Site, Value
from losslint_rules.control_flow.elementwise_tests import has_elements, is_none_or_tensor

RULE = Rule(code="LL803", name="ambiguous-truth", severity=Severity.WARNING, doubted=True)

# What these are given as weights has to be a tensor, mostly of one element a class.
_WEIGHTED = ("cross_entropy_loss", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")


def _is_compared_whole(value: Value, graph: Graph) -> bool:
    """Whether torch.equal or torch.allclose gives one answer for all elements."""
    return any(each.name in ("equal", "allclose") for each in graph.uses(value))


@RULE.on_op(BRANCH)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a truth test of a tensor with a dimension."""
    asked = next((value for value in op.operands if has_elements(value) and not _is_compared_whole(value, graph)), None)
    if asked is None:
        asked = next((value for value in op.operands if is_none_or_tensor(value, graph)), None)
        if asked is not None:
            yield _of_optional(op.site, asked, op)
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


@RULE.on_op(*_WEIGHTED)
def weight_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a test of the truth of weights, on whose way they are used."""
    for name in ("weight", "pos_weight"):
        weight = op.keywords.get(name)
        if weight is None or weight.kind is not Kind.UNKNOWN:
            continue  # the truth of what is known to be a tensor is an operator of its own
        for condition in op.conditions:
            if condition.test.key == weight.key and condition.site is not None and _was_true(condition):
                yield _of_optional(condition.site, weight, op)


def _was_true(condition: Condition) -> bool:
    """Whether what is asked was true on this path: `not x` asks for x, and it is the whole test that holds."""
    node = condition.site.node if condition.site is not None else None
    test = node.test if isinstance(node, (cst.If, cst.IfExp)) else node
    truth = condition.holds
    while isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        test, truth = test.expression, not truth
    return truth


def _of_optional(site: Site, asked: Value, op: Op) -> Finding:
    name = _written(site.node) or excerpt(asked)
    steps = [Step(op.site, f"`{name}` is a tensor here")] if op.site is not site else []
    return RULE.finding(
        site,
        f"`{name}` is None or a tensor, and asking a tensor of several elements for its truth raises; ask `{name} is not None`",
        evidence=with_calls(op, steps),
    )


def _written(node: cst.CSTNode) -> str | None:
    """What a test asks for, where that is a name."""
    for _ in range(6):
        match node:
            case cst.If(test=inner) | cst.IfExp(test=inner) | cst.BooleanOperation(left=inner):
                node = inner
            case cst.UnaryOperation(expression=inner):
                node = inner
            case _:
                return dotted(node) if isinstance(node, cst.BaseExpression) else None
    return None


def _is_chained(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Comparison) and len(node.comparisons) > 1
