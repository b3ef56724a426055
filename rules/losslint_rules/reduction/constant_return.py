"""a loss that is a constant for some batches

For an empty mask or a batch without positives the loss returns `0.0` or `torch.tensor(0.0)`. That has no graph:
`backward()` raises on the first such batch, hours into a run, and in distributed training the other processes wait for
gradients that never come. A zero that is computed from the prediction, `pred.sum() * 0`, has a graph and zero gradients.

Reported where the data decide between a constant and a value that carries a gradient. Silent where a setting does, for
leaves made with `requires_grad=True`, and where another function of the file calls the loss and may add it to others, unless
the loss has layers of its own, for whose gradients other processes wait whatever is added.

## Bad

```python
import torch

def masked_loss(pred, target, mask):
    if mask.sum() == 0:
        return torch.tensor(0.0)
    return ((pred - target).abs() * mask).sum() / mask.sum()
```

## Good

```python
def masked_loss(pred, target, mask):
    if mask.sum() == 0:
        return pred.sum() * 0
    return ((pred - target).abs() * mask).sum() / mask.sum()
```

No fix is offered: what the zero is best computed from is the author's to say, and a prediction that is not finite makes
it NaN.

A run confirms it by a batch that the condition is about: what is returned then has no gradient.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Condition, Graph, Op, ancestors
from losslint.semantics.selections import is_selection
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import carries_from_input, returned_values
from losslint.semantics.values import Gradient, Kind, Role, Value
from losslint_rules.reduction.returns import is_called_in_file

RULE = Rule(code="LL321", name="constant-return", severity=Severity.WARNING, doubted=True, confirmed_by=("degenerate",))

_MADE = frozenset(
    "tensor as_tensor zeros zeros_like new_zeros full full_like new_full new_tensor scalar_tensor".split()
)
_LAYERS = ("torch.nn.Linear", "torch.nn.Conv", "torch.nn.Bilinear", "torch.nn.LazyLinear", "torch.nn.LazyConv")
_MOVES = frozenset("to cuda cpu float double half type type_as squeeze view reshape expand clone".split())
_COUNTS = frozenset("numel item tolist sum any all count_nonzero int bool".split())


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report returns of constants that a test of the data chooses."""
    constants = [op for op in graph.returns if op.gradient_matters and _is_constant_return(op)]
    if not constants or graph.calls_backward:
        return
    trained = [op for op in graph.returns if _has_own_weights(op)]
    carrying = [op for op in graph.returns if op in trained or any(_carries(value) for value in returned_values(op))]
    if is_called_in_file(graph) and not trained:
        return
    for op in constants:
        deciding = {id(each.test): each for other in carrying if (each := _parting(op, other)) is not None}
        asked = [each for each in deciding.values() if _asks_data(each)]
        if len(asked) == 1:
            yield _finding(graph, op, returned_values(op)[0], asked[0], bool(trained))


def _has_own_weights(op: Op) -> bool:
    """Whether a return is computed with layers or parameters of the loss itself, which get no gradient without it."""
    return any(
        each.origin.name == "parameter_tensor"
        or (each.kind is Kind.MODULE and each.origin.name == "module" and each.origin.label.startswith(_LAYERS))
        for value in returned_values(op)
        if value.gradient is Gradient.CARRIES
        for each in ancestors([value])
    )


def _is_constant_return(op: Op) -> bool:
    values = returned_values(op)
    return bool(values) and all(_is_constant(value) for value in values)


def _carries(value: Value) -> bool:
    return value.gradient is Gradient.CARRIES and carries_from_input(value)


def _is_constant(value: Value) -> bool:
    """A number, or a tensor made of one, that no gradient can be asked of."""
    current = value
    while current.origin.name in _MOVES and current.origin.operands and current.gradient is Gradient.NEUTRAL:
        current = current.origin.operands[0]
    if current.kind is Kind.NUMBER:
        return current.has_constant and not current.is_default and current.origin.name != "setting"
    wants = current.origin.keywords.get("requires_grad")
    return (
        current.is_tensor
        and current.origin.name in _MADE
        and current.gradient is Gradient.NEUTRAL
        and (wants is None or wants.constant is False)
    )


def _parting(constant: Op, carrying: Op) -> Condition | None:
    """The test at which the ways to two returns part."""
    for mine, other in zip(constant.conditions, carrying.conditions, strict=False):
        if mine.test.key != other.test.key:
            return None
        if mine.holds is not other.holds:
            return mine
    return None


def _asks_data(condition: Condition) -> bool:
    """Whether a test looks at what is in the inputs, or at how many there are: not at None, a type or a setting."""
    if not condition.is_configuration:
        return True
    if condition.test.origin.label in ("is", "is not", "in", "not in"):
        return False
    return any(_is_count(each) for each in ancestors([condition.test]))


def _is_count(value: Value) -> bool:
    """A number of elements, or a number out of a tensor, that depends on an input."""
    name = value.origin.name
    operands = value.origin.operands
    if name == "len":
        return bool(operands) and (operands[0].is_tensor or is_selection(operands[0]))
    if name == "size":
        return value.origin.label == "0" and _is_input(value)
    return name in _COUNTS and _is_input(value)


def _is_input(value: Value) -> bool:
    return any(
        each.origin.name == "parameter" and each.role is not Role.CONFIG and each.kind is Kind.TENSOR
        for each in ancestors([value])
    )


def _finding(graph: Graph, op: Op, value: Value, condition: Condition, is_trained: bool) -> Finding:
    steps = [Step(condition.site, "the data decide here")] if condition.site is not None else []
    if value.origin.site is not None:
        steps.append(Step(value.origin.site, f"`{excerpt(value)}` has no graph"))
    inputs = [each for each in graph.parameters if each.gradient is Gradient.CARRIES and each.role is not Role.CONFIG]
    name = inputs[0].origin.label if inputs else "pred"
    zero = (
        "computed with its own layers, and times 0, it has one"
        if is_trained
        else f"`{name}.sum() * 0` is a zero with a graph"
    )
    return RULE.finding(
        op.site,
        f"for some batches `{excerpt(value)}` is returned, which has no graph: backward() raises there, and other processes "
        f"wait for its gradients; {zero}",
        evidence=steps,
    )
