"""a gradient that is NaN in the branch that was not chosen

`torch.where(x > 0, x.log(), 0)` has the right value everywhere. But both branches are computed, and the backward of the
one left out is given a gradient of 0: at x = 0 the slope of the log is infinite, and 0 * inf is NaN. So are
`masked_fill`, writing zeros at `y[x <= 0]` and selecting `y[x > 0]` after the log; multiplying by the mask makes even the
value NaN. The condition was written because such elements occur, and one of them turns all weights to NaN.

Reported is an operator whose slope is infinite or undefined (log, sqrt, a division, a fractional power, acos, exp) at a
point that the condition itself leaves out. Without a gradient, behind a ReLU (whose backward writes zeros), and with an
argument that was made safe first, it is silent.

## Bad

```python
import torch

def relative_loss(pred, target):
    error = (pred - target) / target
    return torch.where(pred > 0, pred.sqrt() * error.abs(), torch.zeros_like(pred)).mean()
```

## Good

```python
import torch

def relative_loss(pred, target):
    error = (pred - target) / target
    safe = torch.where(pred > 0, pred, 1.0)
    return torch.where(pred > 0, safe.sqrt() * error.abs(), torch.zeros_like(pred)).mean()
```

The fix is safe: where the condition holds nothing changes, and where it fails another branch was taken, whose gradient is
then right. It is offered where the operator is written inside the `torch.where`.

A run confirms it by feeding the point that is left out and finding a NaN gradient at this line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import chain
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import comes_from_prediction
from losslint.semantics.values import Certainty, Gradient, Role, Value
from losslint_rules.numerics.choices import Choice, choices
from losslint_rules.numerics.domains import OVERFLOW, SENSITIVE, Edge, edges, is_boundary
from losslint_rules.numerics.log_of_one_plus_exp import RULE as LOG_OF_ONE_PLUS_EXP
from losslint_rules.numerics.log_of_sigmoid import RULE as LOG_OF_SIGMOID
from losslint_rules.numerics.log_of_softmax import RULE as LOG_OF_SOFTMAX
from losslint_rules.numerics.root_cause import is_reported
from losslint_rules.numerics.safe_argument import safe_argument
from losslint_rules.numerics.sqrt_of_sum_of_squares import RULE as SQRT_OF_SUM_OF_SQUARES
from losslint_rules.numerics.vanished_gradients import reaches

RULE = Rule(
    code="LL211",
    name="where-nan-gradient",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("degenerate", "saturation"),
    precondition=Precondition.ZERO,
)

_CHOOSING = ("where", "masked_fill", "masked_select", "getitem", "index_put", "mul")
_MAX_BENEATH = 60


@RULE.on_op(*_CHOOSING)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a sensitive operator in a branch whose condition fails exactly where its slope is not finite."""
    if not op.gradient_matters or not graph.differentiates(op.value):
        return
    taken = {choice: tuple(_beneath(choice.kept, graph)) for choice in choices(op)}
    found: list[Finding] = []
    for choice, makers in taken.items():
        for maker in makers:
            left_out = [
                edge
                for edge in edges(maker)
                if _is_left_out(edge, choice)
                and not any(
                    maker in taken[other] and not other.leaves_out(edge) for other in taken if other is not choice
                )
                and reaches(maker, edge, graph)
                and not op.is_guarded(_asked(edge))
            ]
            if left_out and not _has_a_better_rule(maker, graph):
                found.append(_finding(choice, maker, left_out, graph))
    if found:
        yield max(found, key=lambda finding: finding.severity.rank)  # the others go with it


def _asked(edge: Edge) -> Iterable[Value]:
    """What a comparison has to be of to guard the edge: where the zero comes from, or the argument that overflows."""
    return [edge.argument] if edge.at == OVERFLOW else chain(edge.argument)


def _is_left_out(edge: Edge, choice: Choice) -> bool:
    return choice.leaves_out(edge) and not choice.starts_elsewhere(edge)


def _beneath(kept: Value, graph: Graph) -> Iterator[Op]:
    """The sensitive operators that a kept value is computed from, as far as its gradient flows."""
    pending, seen = [kept], {kept.key}
    while pending and len(seen) < _MAX_BENEATH:
        value = pending.pop()
        maker = graph.op_of(value)
        if maker is not None and maker.name in SENSITIVE and maker.gradient_matters:
            yield maker
        for operand in value.origin.operands:
            if operand.key not in seen and operand.gradient is Gradient.CARRIES:
                seen.add(operand.key)
                pending.append(operand)


_BETTER = (LOG_OF_SOFTMAX, LOG_OF_SIGMOID, LOG_OF_ONE_PLUS_EXP, SQRT_OF_SUM_OF_SQUARES)


def _has_a_better_rule(maker: Op, graph: Graph) -> bool:
    """Roots of sums of squares and logs of softmax, sigmoid and 1 + exp have rules, and fixes, of their own."""
    if maker.name != "exp":
        return is_reported(maker, graph, *_BETTER)
    beyond = [use for each in graph.uses(maker.value) for use in (each, *graph.uses(each.value))]
    return any(is_reported(each, graph, LOG_OF_ONE_PLUS_EXP) for each in beyond)


def _finding(choice: Choice, maker: Op, left_out: list[Edge], graph: Graph) -> Finding:
    edge = next((each for each in left_out if _is_reached(choice, each)), left_out[0])
    argument, condition = excerpt(edge.argument), excerpt(choice.condition)
    fails = "fails" if choice.holds else "holds"
    steps = [
        Step(maker.site, f"the slope of `{excerpt(maker.value)}` is not finite where `{argument}` is {_named(edge)}")
    ]
    if choice.condition.origin.site is not None:
        steps.append(Step(choice.condition.origin.site, f"`{condition}` {fails} there, and leaves it out"))
    if choice.by_product:
        message = (
            f"0 times the value or the slope of `{excerpt(maker.value)}` is NaN where `{condition}` is 0: give it an "
            f"argument that is safe there, `torch.where(condition, argument, 1.0)`, instead of multiplying by the mask"
        )
    else:
        message = (
            f"`{condition}` keeps `{excerpt(maker.value)}` out of the value where it {fails}, but not out of the gradient, "
            "which is 0 * inf or 0 * NaN there; choose a safe argument first, and then the result"
        )
    return RULE.finding(
        choice.op.site,
        message,
        severity=_severity(choice, maker, edge),
        evidence=with_calls(choice.op, steps),
        rewrite=None if choice.by_product else safe_argument(choice, maker, edge, graph),
    )


def _named(edge: Edge) -> str:
    if edge.at == OVERFLOW:
        return "above 88.7, where exp overflows"
    return f"{edge.at:g}" if float(edge.at).is_integer() else "outside its domain"


def _severity(choice: Choice, maker: Op, edge: Edge) -> Severity:
    """An error where it is a prediction that reaches the point."""
    known = comes_from_prediction(maker.value) and edge.argument.role is not Role.TARGET
    return Severity.ERROR if known and edge.at != OVERFLOW and _is_reached(choice, edge) else Severity.WARNING


def _is_reached(choice: Choice, edge: Edge) -> bool:
    """Whether values come to the point: the end of a range, one the condition singles out, or one inside what it leaves out.

    A condition that leaves out much more was written for something else.
    """
    argument = edge.argument
    if argument.zero is not None and argument.zero.certainty >= Certainty.LIKELY:
        return True
    left, right = (choice.leaves_out(Edge(argument, edge.at + step)) for step in (-1e-7, 1e-7))
    return is_boundary(argument.interval, edge.at) or (left is right and not choice.is_wide_around(edge))
