"""a loss wrapped into a new tensor, which has no history

`torch.tensor(loss)`, `torch.tensor([l1, l2]).sum()`, `torch.FloatTensor([...])` and `Variable(loss,
requires_grad=True)` copy the numbers and leave the graph behind, and so does `torch.tensor(loss.item(), requires_grad=True)`.
With `requires_grad=True`, `backward()` runs without complaint and trains nothing. `loss.requires_grad_(True)` on a computed
loss hides the same mistake.

## Bad

```python
import torch
import torch.nn.functional as F

def total_loss(pred, target, edges, edge_target):
    terms = [F.mse_loss(pred, target), F.l1_loss(edges, edge_target)]
    return torch.tensor(terms, requires_grad=True).sum()
```

## Good

```python
import torch
import torch.nn.functional as F

def total_loss(pred, target, edges, edge_target):
    terms = [F.mse_loss(pred, target), F.l1_loss(edges, edge_target)]
    return torch.stack(terms).sum()
```

An error needs a function or class that is called a loss; in a step of training or a part of a model it is an info.

Tensors made of Python numbers, weights and settings are silent. No fix is offered: it would change what is
trained.

A run confirms it by a prediction that gets no gradient.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import DeadTerm, becomes_number, dead_terms, inputs, returned_values, terms
from losslint.semantics.values import Gradient, Role, Value

RULE = Rule(
    code="LL103", name="rewrapped-tensor", severity=Severity.ERROR, doubted=True, confirmed_by=("dead_gradient",)
)

_CONSTRUCTORS = frozenset({"tensor", "as_tensor", "scalar_tensor", "from_numpy", "Variable"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report constructors that cut a returned term, and requires_grad_ on a computed loss."""
    for dead in dead_terms(graph):
        if becomes_number(dead.term):
            continue  # a number is wanted
        for culprit in dead.culprits:
            if (
                culprit.origin.name in _CONSTRUCTORS
                and culprit.origin.site is not None
                and not _is_no_tensor(culprit, graph)
            ):
                yield _rewrapped(culprit, graph.is_surely_a_loss)
        if (
            _is_made_a_leaf(dead.term)
            and dead.culprits
            and not any(each.origin.name in _CONSTRUCTORS for each in dead.culprits)
        ):
            yield _made_a_leaf(dead)
    if graph.calls_backward:
        return  # what is asked for a gradient here may be an image to attack
    for op in graph.returns:
        for value in returned_values(op):
            yield from (_forced(term) for term in terms(value) if _is_forced(term))


def _is_no_tensor(culprit: Value, graph: Graph) -> bool:
    """Whether the path asked what it wraps, and it is an array or a number there."""
    op = graph.op_of(culprit)
    wrapped = {each.key for each in inputs(culprit)}
    for assumption, holds in (op.assumptions if op is not None else {}).items():
        if assumption[0] == "isinstance" and assumption[1] in wrapped and ("Tensor" in str(assumption[2])) is not holds:
            return True
    return False


def _rewrapped(culprit: Value, in_loss: bool) -> Finding:
    assert culprit.origin.site is not None
    carrying = [
        each for each in inputs(culprit) if each.gradient is Gradient.CARRIES and not isinstance(each.elements, tuple)
    ]
    steps = [
        Step(each.origin.site, f"`{excerpt(each)}` carries a gradient")
        for each in carrying
        if each.origin.site is not None
    ]
    name = culprit.origin.label or culprit.origin.name
    names = ", ".join(f"`{excerpt(each)}`" for each in carrying)
    return RULE.finding(
        culprit.origin.site,
        f"{name} copies the value of {names or 'the loss'} and leaves its graph behind: no gradient flows; "
        "use the tensor itself, or torch.stack for several",
        severity=Severity.ERROR
        if in_loss and not (carrying and all(map(_may_be_a_number, carrying)))
        else Severity.INFO,
        evidence=steps,
    )


def _may_be_a_number(value: Value) -> bool:
    """Whether a value comes from a call that nothing is known of: `svi.step(batch)` gives a float, `x.astype(...)` an array."""
    if any(each.origin.name == "method" and each.origin.label == "astype" for each in ancestors([value])):
        return True
    if value.origin.name == "parameter" and value.role is not Role.PREDICTION:
        return not value.is_tensor
    return value.origin.name in ("unknown", "method") and not value.is_tensor


def _is_made_a_leaf(term: Value) -> bool:
    """Whether numbers become a tensor that asks for a gradient: `torch.tensor(loss.item(), requires_grad=True)`."""
    asked = term.origin.keywords.get("requires_grad")
    return term.origin.name in _CONSTRUCTORS and asked is not None and asked.has_constant and asked.constant is True


def _made_a_leaf(dead: DeadTerm) -> Finding:
    term, culprit = dead.term, dead.culprits[0]
    assert term.origin.site is not None
    steps = [Step(culprit.origin.site, "the gradient ends here")] if culprit.origin.site is not None else []
    return RULE.finding(
        term.origin.site,
        f"{term.origin.label or term.origin.name} makes a new leaf of the value of `{excerpt(culprit)}`: backward() runs and "
        "trains nothing; return the tensor itself",
        evidence=steps,
    )


def _is_forced(term: Value) -> bool:
    inner = term.origin.operands[0] if term.origin.operands else None
    return (
        term.origin.name == "requires_grad_"
        and inner is not None
        and inner.origin.name not in ("parameter", "detach", "setting")
        and inner.gradient in (Gradient.ZERO, Gradient.CUT)
    )


def _forced(term: Value) -> Finding:
    assert term.origin.site is not None
    inner = term.origin.operands[0]
    steps = [Step(inner.origin.site, "this has no graph any more")] if inner.origin.site is not None else []
    return RULE.finding(
        term.origin.site,
        f"requires_grad_ on the computed loss `{excerpt(inner)}` makes backward() run without training anything; "
        "mend what cut its graph",
        evidence=steps,
    )
