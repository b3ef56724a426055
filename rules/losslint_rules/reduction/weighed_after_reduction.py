"""elements weighed after they were reduced

A mask, or weights, one an element, are multiplied with a loss that is one number already, because torch's losses reduce
by default. They choose and weigh nothing then: every element counts alike, masked ones too, and the mask only scales
the whole by its mean. `reduction="none"` was meant.

Reported where the loss is proven to be one number and the weights are proven to have elements: they are computed
element by element from the inputs of that loss, or the product is reduced again.

## Bad

```python
import torch.nn.functional as F

def masked_loss(pred, target, mask):
    loss = F.l1_loss(pred, target)
    return (loss * mask).mean()
```

## Good

```python
import torch.nn.functional as F

def masked_loss(pred, target, mask):
    loss = F.l1_loss(pred, target, reduction="none")
    return (loss * mask).sum() / mask.sum().clamp(min=1)
```

The fix inserts `reduction="none"` where the product is reduced afterwards. It is unsafe: it changes the value, as it
should.

A run confirms it by masked elements that change the loss.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Role, Value
from losslint_rules.reduction.focal_weights import focal_weights
from losslint_rules.reduction.loss_operators import (
    how_reduced,
    is_loss_operator,
    is_reduced_later,
    reduced_source,
    reduces_all,
    with_reduction,
)
from losslint_rules.reduction.ratios import cancelled_weights

RULE = Rule(code="LL323", name="weighed-after-reduction", severity=Severity.WARNING)

# Names of parameters that are one number as a rule.
_NUMBERS = frozenset(
    "alpha beta gamma lambda lam coef coefficient scale factor temperature tau t n count num step epoch ratio w".split()
)
_POINTWISE = frozenset(
    "abs clamp clamp_min clamp_max div mul sqrt exp float to type_as double detach unsqueeze view".split()
)
_WITHOUT_ELEMENTS = frozenset("size shape numel len item dim any all select".split())


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report products of a reduced loss with weights that have elements."""
    told = {value.key for each in cancelled_weights(graph) for value in ancestors([each.division.operands[0]])}
    told |= {each.cross_entropy.key for each in focal_weights(graph)}
    for op in graph.named("mul"):
        if len(op.operands) != 2 or op.value.key in told or not graph.matters(op.value):
            continue
        for loss, weight in (op.operands, op.operands[::-1]):
            source = reduced_source(loss)
            if source is None or source.key in told or weight.rank == 0:
                continue
            if not is_loss_operator(source):
                if _is_mean(source) and _is_reduced(graph, op) and _is_of_elements(weight):
                    yield _finding(graph, op, source, weight)
            elif _is_elementwise(weight, source) or (_may_have_elements(weight) and _is_reduced(graph, op)):
                yield _finding(graph, op, source, weight)


@RULE.on_op("topk", "sort", "argsort", "masked_select")
def chosen_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a choice among the elements of a loss that was reduced to one number."""
    source = reduced_source(op.operands[0]) if op.operands else None
    if source is None or op.operands[0].rank != 0 or not is_loss_operator(source) or not graph.matters(op.value):
        return
    replacement = with_reduction(graph, source, "none") if is_reduced_later(graph, source) else None
    site = source.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(source)}` is one number, the {how_reduced(source)} over all elements, so there is nothing to choose from: use "
        'reduction="none", choose, then reduce',
        evidence=with_calls(op, [Step(site, "reduced here")] if site is not None else []),
        rewrite=None
        if replacement is None
        else Rewrite(Applicability.UNSAFE, "keep one loss an element until it is chosen", (replacement,)),
    )


def _is_elementwise(weight: Value, source: Value) -> bool:
    """Whether weights are computed, element by element, from what the loss was computed from."""
    roots = {each.key for each in ancestors(source.origin.operands) if _is_input(each)}
    pending, seen = [weight], set[int]()
    while pending:
        current = pending.pop()
        if current.key in roots:
            return True
        if current.key in seen or current.rank == 0 or current.origin.name in _WITHOUT_ELEMENTS or reduces_all(current):
            continue
        seen.add(current.key)
        operands = current.origin.operands
        if current.origin.name == "getitem" and not _keeps_a_dimension(current):
            operands = tuple(each for each in operands[1:] if each.is_tensor)
        elif current.origin.name in ("unknown", "method", "phi", "attribute"):
            continue
        pending.extend(operands)
    return False


def _keeps_a_dimension(value: Value) -> bool:
    """Whether a subscript has a slice in it: `x[:, 0]` has elements, `x[0]` may be one number."""
    node = value.origin.site.node if value.origin.site is not None else None
    return isinstance(node, cst.Subscript) and any(isinstance(each.slice, cst.Slice) for each in node.slice)


def _is_input(value: Value) -> bool:
    return value.origin.name == "parameter" and value.role is not Role.CONFIG and value.kind is Kind.TENSOR


def _may_have_elements(weight: Value) -> bool:
    """A parameter of the loss that is a tensor by name or use, with no name that says one number."""
    current = weight
    while current.origin.name in (
        "float",
        "to",
        "type_as",
        "double",
        "unsqueeze",
        "view",
        "detach",
        "sub",
        "bitwise_not",
    ):
        current = current.origin.operands[-1 if current.origin.name == "sub" else 0]
    if (
        current.origin.name != "parameter"
        or current.role is Role.CONFIG
        or current.kind not in (Kind.TENSOR, Kind.UNKNOWN)
    ):
        return False
    return not _NUMBERS & set(words(current.origin.label))


def _is_mean(source: Value) -> bool:
    """Whether a value is the mean over all elements of an error."""
    return source.origin.name == "mean" and reduces_all(source) and source.origin.operands[0].interval.low >= 0


def _is_of_elements(weight: Value) -> bool:
    """Whether weights are worked out, element by element, of an input that is a tensor and no prediction."""
    current = weight
    for _ in range(12):
        if current.origin.name in _POINTWISE and current.origin.operands:
            current = current.origin.operands[0]
        else:
            break
    is_input = current.origin.name == "parameter" and current.kind is Kind.TENSOR and current.role is not Role.CONFIG
    return is_input and not _NUMBERS & set(words(current.origin.label))


def _is_reduced(graph: Graph, product: Op) -> bool:
    """Whether the product itself is reduced over all elements."""
    return any(reduces_all(op.value) and op.operands[0].key == product.value.key for op in graph.named("mean", "sum"))


def _finding(graph: Graph, op: Op, source: Value, weight: Value) -> Finding:
    site = source.origin.site
    is_loss = is_loss_operator(source)
    replacement = with_reduction(graph, source, "none") if is_loss and is_reduced_later(graph, source) else None
    advice = 'use reduction="none", weigh, then reduce' if is_loss else "keep a dimension for them, weigh, then reduce"
    return RULE.finding(
        op.site,
        f"`{excerpt(source)}` is one number, the {how_reduced(source)} over all elements, so `{excerpt(weight)}` cannot weigh "
        f"its elements and only scales the whole: {advice}",
        evidence=with_calls(op, [Step(site, "reduced here")] if site is not None else []),
        rewrite=None
        if replacement is None
        else Rewrite(Applicability.UNSAFE, "keep one loss an element until it is weighed", (replacement,)),
    )
