"""a NaN that is replaced after it was computed, and stays in the gradient

`torch.nan_to_num(loss)`, `loss[torch.isnan(loss)] = 0`, `torch.where(torch.isnan(loss), 0, loss)` and
`loss[~torch.isnan(target)]` mend the value. The backward pass sends a gradient of 0 to what was replaced, and the
operator that made the NaN multiplies it with its own slope, which is infinite or NaN there: 0 * inf is NaN. The loss
that is printed looks healthy while the weights become NaN. `if torch.isnan(loss): loss = 0 * loss` does not even mend the
value.

Reported are replacements of what was computed from predictions by an operator with such a slope: a division by 0, a log or
root at 0, an error against a target that is NaN. An absolute error and a mean over nothing have finite slopes and are silent,
and so is what cleans inputs, runs without gradient, raises, logs or skips the step.

## Bad

```python
import torch
import torch.nn.functional as F

def missing_labels_loss(pred, target):
    loss = F.mse_loss(pred, target, reduction="none")
    loss = torch.where(torch.isnan(target), torch.zeros_like(loss), loss)
    return loss.mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def missing_labels_loss(pred, target):
    known = ~torch.isnan(target)
    loss = F.mse_loss(pred, torch.where(known, target, 0.0), reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)
```

## Use instead

Keep the NaN from arising: replace the inputs before the operator (`torch.where(known, target, 0.0)`), select them
(`F.mse_loss(pred[known], target[known])`), or guard the divisor. Where a whole batch is bad, return `pred.sum() * 0` or skip
the step. No fix is offered: what the loss should be there is your choice.

A run confirms it with degenerate inputs and a gradient that is not finite.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.carriers import made_of
from losslint.semantics.graph import Graph, Op
from losslint.semantics.kept import kept_with_graph
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Role, Value
from losslint_rules.numerics.nan_sources import Source, nan_passed_on, non_finite_slope

RULE = Rule(
    code="LL225",
    name="patched-nan",
    severity=Severity.WARNING,
    doubted=True,
    confirmed_by=("degenerate", "saturation"),
)


@RULE.on_op("nan_to_num", "nansum", "nanmean")
def replaced_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report nan_to_num, and sums and means that leave NaN out."""
    repaired = op.operands[0]
    source = non_finite_slope(repaired, graph)
    if source is None and op.name != "nan_to_num":
        targets = [each for each in made_of([repaired]) if each.role is Role.TARGET and each.origin.name == "parameter"]
        known = _asked_for_nan(graph)
        found = (
            nan_passed_on(repaired, each, is_known=each.key in known)
            for each in targets
            if each.gradient is not Gradient.CARRIES
        )
        source = next((each for each in found if each is not None), None)
    yield from _findings(op, graph, repaired, source)


@RULE.on_op("where", "masked_fill", "index_put", "masked_select", "getitem")
def masked_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report what a mask of NaN elements replaces, or leaves out."""
    if op.name == "where":
        mask, *branches = op.operands
        repaired = next((each for each in branches if each.gradient is Gradient.CARRIES), None)
        masks = [mask]
    else:
        repaired, *masks = op.operands
    for tested in _tested([*masks, *(value for name, value in op.keywords.items() if name == "mask")]):
        if repaired is None:
            return
        own = tested.gradient is Gradient.CARRIES
        source = non_finite_slope(tested, graph) if own else nan_passed_on(repaired, tested)
        yield from _findings(op, graph, repaired, source)


def _findings(op: Op, graph: Graph, repaired: Value, source: Source | None) -> Iterator[Finding]:
    if source is None or repaired.gradient is not Gradient.CARRIES:
        return
    if not op.gradient_matters or not graph.differentiates(op.value):
        return
    site = source.made.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(repaired)}` is mended after it became NaN, and its gradient stays NaN: {source.reason}; keep the NaN "
        "out of what goes in",
        evidence=with_calls(op, [Step(site, source.reason)] if site is not None else []),
    )


@RULE.on_op("mul")
def multiplied_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `if torch.isnan(loss): loss = 0 * loss`."""
    zeros = [each for each in op.operands if each.has_constant and each.constant == 0]
    if len(zeros) != 1 or len(op.operands) != 2 or not graph.matters(op.value):
        return
    value = op.operands[0] if op.operands[1] is zeros[0] else op.operands[1]
    for condition in op.conditions:
        if any(each.key == value.key for each in _tested([condition.test])):
            steps = [Step(condition.site, f"here `{excerpt(value)}` is NaN")] if condition.site is not None else []
            yield RULE.finding(
                op.site,
                f"0 * NaN is NaN: on this path `{excerpt(value)}` is not finite, and neither is its product with 0",
                evidence=with_calls(op, steps),
            )
            return


@kept_with_graph
def _asked_for_nan(graph: Graph) -> frozenset[int]:
    """The keys of the data that a loss asks whether it is NaN, and of what that is made of."""
    asked = (tested for op in graph.named("isnan", "isfinite", "ne", "eq") for tested in _tested([op.value]))
    return frozenset(each.key for each in made_of(each for each in asked if each.gradient is not Gradient.CARRIES))


_PASSES = frozenset(
    "logical_not bitwise_not logical_and bitwise_and logical_or bitwise_or any all view reshape unsqueeze squeeze expand "
    "float sum item not compared bool".split()
)


def _tested(masks: list[Value]) -> list[Value]:
    """The values that masks ask whether they are NaN or infinite."""
    found: list[Value] = []
    pending, seen = list(masks), 0
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        name, operands = current.origin.name, current.origin.operands
        if name in ("isnan", "isfinite", "isinf") or (name in ("ne", "eq") and operands[0].key == operands[-1].key):
            found.append(operands[0])
        elif name in _PASSES:
            pending.extend(operands)
    return found
