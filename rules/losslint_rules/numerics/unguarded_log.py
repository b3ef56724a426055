"""log of a value that can be exactly zero

`log(0)` is -inf and the gradient of `log` at 0 is infinite; one such element turns the whole reduced loss,
and with the next step every weight, into NaN.

A finding names where the zero comes from: a sigmoid or softmax output that underflows, a ReLU, a count of a
mask, `1 - p`. Where that is proven by the code it is an error; where only a name says so (`probs`, `mask`) a
warning; a parameter nothing is known of is info, which is shown and never fails a run.

## Bad

```python
import torch
import torch.nn.functional as F

def survival_loss(hazard, event):
    alive = F.relu(hazard)
    return -(event * torch.log(alive)).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def survival_loss(hazard, event):
    alive = F.relu(hazard) + 1e-6
    return -(event * torch.log(alive)).mean()
```

## Use instead

Stay in log space (`F.log_softmax`, `F.logsigmoid`, `torch.logsumexp`): no epsilon is as good as not needing
one. Else `torch.log(x.clamp_min(1e-6))`; mind that a clamp gives the clamped elements no gradient, and that
`log(x + eps)` has a gradient of `1 / eps` at 0.

No fix is offered: which epsilon is small against your values, only you know.

A run confirms it by feeding the witnessed input and finding a non-finite value or gradient at this line.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements
from losslint.rule import Finding, Precondition, Rule, RunFinding, Symptom, with_calls, zero_path
from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import chain
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Certainty
from losslint_rules.numerics.choices import is_left_out
from losslint_rules.numerics.domains import Edge
from losslint_rules.numerics.epsilons import eps_after
from losslint_rules.numerics.log_space import stable_form
from losslint_rules.runs import NonFinite, findings

RULE = Rule(
    code="LL201",
    name="unguarded-log",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("saturation", "degenerate"),
    precondition=Precondition.ZERO,
)

_SEVERITY = {
    Certainty.PROVEN: Severity.ERROR,
    Certainty.LIKELY: Severity.WARNING,
    Certainty.POSSIBLE: Severity.INFO,
}


_IN_RUN = frozenset({"log", "log2", "log10", "log1p"})


@RULE.on_op("log", "log2", "log10")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a log whose operand has a zero witness that no comparison on this path excludes."""
    operand = op.operands[0]
    zero = operand.zero
    if zero is None or not graph.matters(op.value):
        return
    if op.name == "log" and stable_form(operand) is not None:
        return  # it has a rule of its own, with a fix
    if op.is_guarded(chain(operand)) or _clamped_afterwards(op, graph):
        return
    if is_left_out(graph, op, Edge(operand, 0.0)):
        return  # the value is right; where-nan-gradient looks at the gradient
    if eps_after(op, graph) is not None:
        return  # misplaced-eps reports it
    yield RULE.finding(
        op.site,
        f"`{excerpt(operand)}` can be exactly 0 here, and its log is -inf with a NaN or infinite gradient: "
        f"{zero.reason}",
        severity=_SEVERITY[zero.certainty],
        evidence=with_calls(op, zero_path(operand)),
    )


def _clamped_afterwards(op: Op, graph: Graph) -> bool:
    """`F.relu(x).log().clamp(min=-100)`: finite, and the ReLU's own backward masks the gradient where it is 0."""
    uses = [each for each in graph.ops if any(value.key == op.value.key for value in each.operands)]
    bounded = bool(uses) and all(each.name in ("clamp", "clamp_min") for each in uses)
    return bounded and op.operands[0].origin.name in ("relu", "relu6")


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report what a run showed at such an operator."""
    return findings(RULE, m, _IN_RUN, _why)


def _why(found: NonFinite) -> str:
    if found.symptom is Symptom.GRADIENT:
        return "the slope of a log at 0 is infinite"
    return "a log meets 0 or less" if found.outcome.value == "nan" else "a log meets 0"
