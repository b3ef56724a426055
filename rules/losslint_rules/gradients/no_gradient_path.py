"""no gradient path from any prediction to the returned loss

Everything that is returned was detached, computed under `torch.no_grad()`, or does not depend on a prediction
at all. `backward()` fails with "element 0 of tensors does not require grad", or, where a leaf was made to
require one, trains nothing.

An error needs a function or class that is called a loss; in a step of training or a part of a model it is an info.

## Bad

```python
import torch.nn.functional as F

def consistency_loss(pred, target):
    return F.mse_loss(pred.detach(), target)
```

## Good

```python
import torch.nn.functional as F

def consistency_loss(pred, target):
    return F.mse_loss(pred, target.detach())
```

Where the reason is an operator without a gradient (argmax, a comparison), nondifferentiable-op reports that
operator instead; where it is `.item()` or `torch.tensor(...)`, escaped-graph or rewrapped-tensor do.

No fix is offered: which detach is one too many, only you know. A run confirms it by `loss.requires_grad`
being False.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements
from losslint.rule import Finding, Precondition, Rule, RunFinding, Step, Symptom
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import DeadTerm, becomes_number, dead_terms, returns_gradient
from losslint.semantics.values import Gradient, Kind, Value

RULE = Rule(
    code="LL102",
    name="no-gradient-path",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("dead_gradient",),
    precondition=Precondition.GRADIENT,
)

_MEASURES = frozenset("eval evaluate evaluation valid validate validation val test estimate measure monitor".split())
_REPORTED_ELSEWHERE = frozenset(
    {
        "item",
        "tolist",
        "numpy",
        "data",
        "escape",
        "float",
        "int",
        "tensor",
        "scalar_tensor",
        "as_tensor",
        "from_numpy",
        "Variable",
        "requires_grad_",
        "autograd_grad",
        "sample",
        "normal",
    }
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a loss of which every return was detached."""
    if _MEASURES & set(re.split(r"_", graph.symbol.rpartition(".")[2].lower())):
        return  # an evaluation is meant to have no gradient
    dead = [term for term in dead_terms(graph) if term.whole]
    if not dead or any(map(returns_gradient, graph.returns)):
        return
    for term in dead:
        if term.term.kind is Kind.NUMBER or becomes_number(term.term):
            continue  # escaped-graph says so
        if term.culprits and all(_is_detach(culprit) and _of_inputs(culprit) for culprit in term.culprits):
            yield _finding(term, Severity.ERROR if graph.is_surely_a_loss else Severity.INFO)


def _is_detach(culprit: Value) -> bool:
    return culprit.gradient is Gradient.CUT and culprit.origin.name not in _REPORTED_ELSEWHERE


def _of_inputs(culprit: Value) -> bool:
    """Whether an input of the loss went in: what a module keeps may be detached on purpose."""
    return any(each.origin.name == "parameter" for each in ancestors([culprit]))


def _finding(dead: DeadTerm, severity: Severity) -> Finding:
    steps = [
        Step(culprit.origin.site, f"`{excerpt(culprit)}` leaves the graph here")
        for culprit in dead.culprits
        if culprit.origin.site is not None
    ]
    cut = dead.culprits[0]
    why = "is detached" if cut.origin.name == "detach" else "is computed without a gradient"
    return RULE.finding(
        dead.returned.site,
        f"no gradient reaches any prediction: everything returned here {why} (`{excerpt(cut)}`)",
        severity=severity,
        evidence=steps,
    )


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report a value that depends on its inputs and of which no graph leads to any of them."""
    found = m.dead_gradient
    if found is None or found.alive or not found.cut or set(found.cut) != set(found.dead) or m.construction is None:
        return
    yield RULE.run_finding(
        f"no gradient reaches {', '.join(found.cut)}: the value depends on it, and no graph leads there",
        Symptom.NO_GRADIENT,
        m.construction.confidence,
        severity=Severity.ERROR if m.construction.confidence >= 0.75 else Severity.WARNING,
        names=found.cut,
    )
