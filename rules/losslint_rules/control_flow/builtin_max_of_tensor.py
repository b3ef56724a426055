"""Python's max or min of a tensor

`max(0, margin - d)` compares with `>` and asks Python for the truth of the answer. With more than one element that raises. With one
it gives either the tensor or the number 0, which has no graph: where the hinge is inactive the loss is a Python int, and
`.backward()` fails. A NaN never compares, so `max(0, nan)` is 0 and hides it, while `max(nan, 0)` is NaN.
`torch.clamp(x, min=0)`, or `relu`, does all of it element by element.

An error where the tensor provably has more than one element, else a warning where an input's gradient runs through it. Counts
(`max(1, mask.sum())`), sizes and numbers are silent.

## Bad

```python
def margin_loss(positive, negative, margin=0.2):
    return max(0, margin + positive.mean() - negative.mean())
```

## Good

```python
import torch

def margin_loss(positive, negative, margin=0.2):
    return torch.clamp(margin + positive.mean() - negative.mean(), min=0)
```

The fix is torch.clamp, and unsafe: it returns a tensor where max returned the number, and keeps a NaN.

A run confirms it by the error at this line, or by a loss that is no tensor.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, without_parentheses
from losslint.semantics.terms import carries_from_input
from losslint.semantics.values import Gradient, Kind, Value
from losslint_rules.control_flow.elementwise_tests import has_elements

RULE = Rule(code="LL804", name="builtin-max-of-tensor", severity=Severity.ERROR, doubted=True)


@RULE.on_op("maximum", "minimum")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `max(number, tensor)`; of two tensors only if one has elements."""
    node = op.site.node
    name = {"maximum": "max", "minimum": "min"}[op.name]
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Name) or node.func.value != name:
        return
    tensors = [value for value in op.operands if value.is_tensor]
    elementwise = next((value for value in tensors if has_elements(value)), None)
    tensor = elementwise or next((value for value in tensors if _carries(value)), None)
    numbers = [value for value in op.operands if value.kind is Kind.NUMBER]
    if tensor is None or (
        elementwise is None and (not numbers or not op.gradient_matters or not graph.differentiates(op.value))
    ):
        return
    site = tensor.origin.site
    what = (
        f"`{excerpt(tensor)}` has many elements, and Python's {name} wants one answer: this raises"
        if elementwise is not None
        else f"Python's {name} takes `{excerpt(tensor)}` or the plain number, which has no gradient and no backward(), "
        + ("and can hide a NaN" if tensor.rank == 0 else "can hide a NaN, and raises for more than one element")
    )
    yield RULE.finding(
        op.site,
        f"{what}; torch.clamp works element by element",
        severity=RULE.severity if elementwise is not None else Severity.WARNING,
        evidence=with_calls(op, [Step(site, f"`{excerpt(tensor)}` is a tensor")] if site is not None else []),
        rewrite=_rewrite(op, node, name, numbers, tensor),
    )


def _carries(value: Value) -> bool:
    """Whether an input's gradient runs through a tensor: a count or a threshold has none."""
    return value.gradient is Gradient.CARRIES and carries_from_input(value)


def _rewrite(op: Op, node: cst.Call, name: str, numbers: list[Value], tensor: Value) -> Rewrite | None:
    clamp = op.site.unit.spell("torch.clamp")
    if (
        clamp is None
        or len(numbers) != 1
        or len(node.args) != 2
        or any(each.keyword or each.star for each in node.args)
    ):
        return None
    first = op.operands[0].key == tensor.key
    texts = [without_parentheses(each.value, op.site.unit.code(each.value)) for each in node.args]
    inner, bound = texts if first else texts[::-1]
    content = f"{clamp}({inner}, {'min' if name == 'max' else 'max'}={bound})"
    return Rewrite(Applicability.UNSAFE, f"use `{content}`", (Replacement(op.site, content),))
