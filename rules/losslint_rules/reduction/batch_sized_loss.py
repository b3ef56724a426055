"""a loss that grows with the batch

A sum over all elements, returned as it is, is proportional to the batch size: twice the batch is twice the gradient, and the
learning rate, the clipping of gradients and the weights of other terms are right for one batch size alone. The last, smaller
batch of an epoch trains less, and a mean over GPUs hides another factor.

A sum is right where it is meant (an ELBO, a loss that is divided outside), so this is an info. Reported where everything that
is returned is a sum over all elements of every input; silent where a caller chooses the reduction, where the name says sum,
and where anything divides by a size or a count.

## Bad

```python
def reconstruction_loss(pred, target):
    return ((pred - target) ** 2).sum()
```

## Good

```python
def reconstruction_loss(pred, target):
    return ((pred - target) ** 2).flatten(1).sum(dim=1).mean()
```

`.mean()`, or a sum over all dimensions but the batch and a mean over that. No fix is offered: it changes the scale of the
loss.

A run confirms it by the same batch twice, which doubles the loss.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Gradient, Kind, Reduced, Value
from losslint_rules.reduction.loss_operators import is_loss_operator
from losslint_rules.reduction.returns import is_called_in_file, leaves_reduction_open

RULE = Rule(code="LL341", name="batch-sized-loss", severity=Severity.INFO, preview=True)

_SAYS_SUM = frozenset("sum sums summed sse total elbo vlb nll regularization regularizer reg penalty".split())
_PASSES = frozenset("add sub neg mul clamp clamp_min relu float".split())


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a loss whose only result is a sum over the batch."""
    if graph.function is None or graph.calls_backward or leaves_reduction_open(graph) or is_called_in_file(graph):
        return
    named = {*words(graph.function.name.value), *words(graph.owner.rpartition(".")[2])}
    if named & _SAYS_SUM or not graph.returns:
        return
    found: list[tuple[Op, Value]] = []
    for op in graph.returns:
        values = returned_values(op)
        if len(values) != 1:
            return
        total = _sum_of_everything(values[0])
        if total is None:
            return
        found.append((op, total))
    op, total = found[0]
    site = total.origin.site or op.site
    yield RULE.finding(
        site,
        f"`{excerpt(total)}` adds up the batch and nothing divides: twice the batch is twice the loss and the gradient; take the "
        "mean over the batch",
        evidence=[Step(op.site, "returned here")],
    )


def _sum_of_everything(value: Value) -> Value | None:
    """The sum over all elements that a result is, plain or weighted by numbers; None where anything else takes part."""
    current = value
    for _ in range(12):
        if current.gradient is not Gradient.CARRIES or not current.is_tensor:
            return None
        name, operands = current.origin.name, current.origin.operands
        dim = current.origin.keywords.get("dim")
        if name == "sum" and (dim is None or dim.kind is Kind.NONE) and operands[0].rank != 0:
            return current if _is_per_element(operands[0]) else None
        if is_loss_operator(current) and current.reduction.kind is Reduced.SUM and current.reduction.over == "all":
            return current if _is_known(list(ancestors(operands[:1]))) else None
        carrying = [each for each in operands if each.gradient is Gradient.CARRIES]
        if name not in _PASSES or not carrying:
            return None
        others = [each for each in operands if each.gradient is not Gradient.CARRIES]
        if name == "mul" and not all(each.has_constant for each in others):
            return None  # a weight may hold the division
        current = carrying[0]
        if len(carrying) > 1 and any(_sum_of_everything(each) is None for each in carrying):
            return None
    return None


def _is_per_element(value: Value) -> bool:
    """Whether what is added up has one number an element of an input, and nothing in it divides by a size or a count."""
    inside = list(ancestors([value]))
    if not _is_known(inside):
        return False
    divides = any(
        each.origin.name in ("div", "mean", "softmax", "normalize", "size", "shape", "len", "numel") for each in inside
    )
    return not divides and any(each.origin.name == "parameter" and each.gradient is Gradient.CARRIES for each in inside)


_UNKNOWN = frozenset({"unknown", "method", "phi", "comprehension"})


def _is_known(inside: list[Value]) -> bool:
    """Whether all that a value is computed from is known: a call of a network may be one of a single sample."""
    return not any(
        each.origin.name in _UNKNOWN
        or (each.origin.name == "attribute" and each.gradient is Gradient.CARRIES and each.is_tensor)
        for each in inside
    )
