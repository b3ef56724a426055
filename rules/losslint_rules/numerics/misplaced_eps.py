"""an epsilon in the wrong place

An epsilon keeps a value away from the point where an operator breaks, so it belongs inside: `torch.log(x + eps)`. Outside it
comes too late. `torch.log(x) + eps` is -inf + 1e-8 at x = 0, `a / b + eps` is still inf at b = 0, and the gradient of
`torch.sqrt(x) + eps`, or of `torch.sqrt(x).clamp(min=eps)`, is infinite or NaN at x = 0. `softmax(x + eps)` is `softmax(x)`: adding
the same number to all logits changes nothing.

An epsilon that is there for the next operator (`a / (torch.log(x) + eps)`, or a sum that divides later), and one outside of a
value that cannot be 0, are silent. A divisor that sums exponentials is 0 only where all of them underflow: an info.

## Bad

```python
import torch

def divergence_loss(log_q, p):
    return (p.abs() * (torch.log(p.abs()) + 1e-8 - log_q)).sum(1).mean()
```

## Good

```python
import torch

def divergence_loss(log_q, p):
    return (p.abs() * (torch.log(p.abs() + 1e-8) - log_q)).sum(1).mean()
```

## Use instead

Move the epsilon to the argument, or do without: `F.log_softmax`, `torch.linalg.vector_norm`. No fix is offered, because the
value changes with the place.

A run confirms it by feeding the zero and finding a non-finite value or gradient at this line.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls, zero_path
from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import chain
from losslint.semantics.intervals import contains_zero
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Certainty, Gradient, Kind, Role, Value
from losslint_rules.numerics.choices import is_left_out
from losslint_rules.numerics.domains import Edge
from losslint_rules.numerics.epsilons import eps_after, is_data, split_epsilon
from losslint_rules.numerics.log_of_sigmoid import RULE as LOG_OF_SIGMOID
from losslint_rules.numerics.log_of_softmax import RULE as LOG_OF_SOFTMAX
from losslint_rules.numerics.log_of_sum_of_exp import RULE as LOG_OF_SUM_OF_EXP
from losslint_rules.numerics.root_cause import is_reported
from losslint_rules.numerics.sqrt_of_sum_of_squares import RULE as SQRT_OF_SUM_OF_SQUARES
from losslint_rules.numerics.vanished_gradients import ends_in_relu

RULE = Rule(
    code="LL210",
    name="misplaced-eps",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("saturation", "degenerate"),
    precondition=Precondition.ZERO,
)


@RULE.on_op("log", "log2", "log10", "logit")
def log_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `log(x) + eps` where nothing keeps x from 0."""
    argument = op.operands[0]
    if len(op.operands) > 1 or not contains_zero(argument.interval) or not is_data(argument):
        return
    if is_reported(op, graph, LOG_OF_SOFTMAX, LOG_OF_SIGMOID, LOG_OF_SUM_OF_EXP):
        return
    added = _added_too_late(op, graph)
    if added is not None:
        yield _finding(op, added, f"does not keep `{excerpt(argument)}` from 0, where the {op.name} is -inf", argument)


@RULE.on_op("sqrt", "pow")
def root_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `sqrt(x) + eps` and `sqrt(x).clamp(min=eps)` where x can be 0 and a gradient flows to it."""
    argument = op.operands[0]
    if op.name == "pow" and op.operands[-1].constant != 0.5:
        return
    certainty = _certainty(argument)
    if certainty is None or argument.gradient is not Gradient.CARRIES or not graph.differentiates(op.value):
        return
    if ends_in_relu(argument) or is_reported(op, graph, SQRT_OF_SUM_OF_SQUARES):
        return
    added = _added_too_late(op, graph, even_as_guard=True)
    if added is not None:
        severity = Severity.ERROR if certainty is Certainty.PROVEN else Severity.WARNING
        text = f"does not keep `{excerpt(argument)}` from 0, where the slope of the root is infinite"
        yield _finding(op, added, text, argument, severity)


@RULE.on_op("div")
def quotient_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `a / b + eps` where b has a zero witness, or is a total that nothing keeps from 0."""
    if len(op.operands) < 2:
        return
    divisor = op.operands[1]
    zero = divisor.zero
    is_witnessed = zero is not None and zero.is_named
    if divisor.role is Role.CONFIG or not (is_witnessed or _is_total(divisor)):
        return
    added = _added_too_late(op, graph)
    if added is not None:
        text = f"does not keep the divisor `{excerpt(divisor)}` from 0"
        underflows = not is_witnessed and _is_sum_of_exp(divisor)
        yield _finding(op, added, text, divisor, Severity.INFO if underflows else Severity.WARNING)


def _is_sum_of_exp(divisor: Value) -> bool:
    """Whether a total is 0 only where all its exponentials underflow, which softmax-like code rules out by its maximum."""
    totals = [each.origin.operands[0] for each in _parts(divisor) if each.origin.name in ("sum", "prod")]
    return bool(totals) and all(each.beneath(_VIEWS).origin.name == "exp" for each in totals)


_VIEWS = frozenset("view reshape flatten permute transpose t squeeze unsqueeze getitem to float double div".split())


def _is_total(divisor: Value) -> bool:
    """Whether a divisor is a sum or a product over elements of the inputs, or made of several, that may be 0."""
    totals = [each for each in _parts(divisor) if each.origin.name in ("sum", "prod")]
    return bool(totals) and is_data(divisor) and contains_zero(divisor.interval)


def _parts(value: Value) -> Iterator[Value]:
    pending = [value]
    while pending:
        current = pending.pop()
        if current.origin.name in ("add", "sub"):
            if any(each.kind is Kind.NUMBER or each.role is Role.CONFIG for each in current.origin.operands):
                continue  # kept from 0 by a number
            pending.extend(current.origin.operands)
        else:
            yield current


def _added_too_late(op: Op, graph: Graph, even_as_guard: bool = False) -> Op | None:
    """The addition of an epsilon to the result of an operator whose argument nothing guards."""
    argument = op.operands[-1] if op.name == "div" else op.operands[0]
    if not graph.matters(op.value) or op.is_guarded(chain(argument)) or is_left_out(graph, op, Edge(argument, 0.0)):
        return None
    return eps_after(op, graph, even_as_guard)


_ZERO_AT_EQUALITY = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})


def _certainty(value: Value) -> Certainty | None:
    """How sure it is that a value under a root can be 0; None where nothing says so."""
    if value.zero is not None and value.zero.certainty >= Certainty.LIKELY:
        return value.zero.certainty
    return Certainty.PROVEN if value.origin.name in _ZERO_AT_EQUALITY else None


def _finding(op: Op, added: Op, why: str, argument: Value, severity: Severity | None = None) -> Finding:
    steps = [
        *zero_path(argument),
        Step(op.site, f"`{excerpt(op.value)}` comes first"),
        Step(added.site, "eps comes after"),
    ]
    return RULE.finding(
        added.site,
        f"the epsilon comes after `{excerpt(op.value)}` and {why}: it belongs inside",
        severity=severity,
        evidence=with_calls(op, steps),
    )


@RULE.on_op("softmax", "log_softmax", "softmin", "cross_entropy_loss")
def shift_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `softmax(x + eps)`, which is softmax(x)."""
    split = split_epsilon(op.operands[0])
    if split is None or not graph.matters(op.value):
        return
    logits, _ = split
    uses = graph.uses(op.operands[0])
    alike = all(use.name in ("softmax", "log_softmax", "softmin", "cross_entropy_loss") for use in uses)
    logs = [use for use in graph.uses(op.value) if is_reported(use, graph, LOG_OF_SOFTMAX)]
    if logs or not alike or logits.origin.name in ("log", "log2", "log10") or not is_data(logits):
        return
    site = op.operands[0].origin.site
    steps = [Step(site, "the epsilon is added to all logits alike")] if site is not None else []
    name = op.name.removesuffix("_loss")
    yield RULE.finding(
        op.site,
        f"{name} of `{excerpt(op.operands[0])}` is {name} of `{excerpt(logits)}`: a number added to all logits changes "
        "nothing and guards nothing; a log of the result needs log_softmax instead",
        severity=Severity.WARNING,
        evidence=with_calls(op, steps),
    )
