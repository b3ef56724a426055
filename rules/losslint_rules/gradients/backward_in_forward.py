"""a loss module calls backward() itself and returns the loss all the same

A loss is differentiated by whoever calls it. Where `forward` has called `backward()` on what it returns, the caller's own
`backward()` fails ("Trying to backward through the graph a second time"), or, with `retain_graph=True`, adds every
gradient twice.

Reported is a module whose returned loss is computed from what it called backward() on. Silent are inner problems of which
only the gradient is used (adversarial directions, penalties), losses that are returned detached, and modules with an
optimizer of their own, which train themselves; and with a graph that is kept also where gradients are read.

## Bad

```python
import torch
import torch.nn.functional as F

class EagerLoss(torch.nn.Module):
    def forward(self, pred, target):
        loss = F.mse_loss(pred, target)
        loss.backward()
        return loss
```

## Good

```python
import torch
import torch.nn.functional as F

class PlainLoss(torch.nn.Module):
    def forward(self, pred, target):
        return F.mse_loss(pred, target)
```

No fix is offered: where the call belongs is not known here. A run confirms it by the backward() after the call, which
fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import BACKWARD, Graph, Op, ancestors, differentiated
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Value

RULE = Rule(code="LL106", name="backward-in-forward", severity=Severity.WARNING, doubted=True)

_TRAINS = ("optimizer", "optimiser", ".step(", "zero_grad", "manual_backward")
_GRADIENT = re.compile(r"\.grad\b")


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the backward() of a forward on what it returns."""
    instance, function = graph.instance, graph.function
    if instance is None or function is None or not instance.is_torch_module or function.name.value != "forward":
        return
    called = list(graph.named(BACKWARD))
    if not called:
        return
    constructor = instance.method("__init__")
    bodies = [(graph.unit, function), *([(constructor.owner.unit, constructor.function)] if constructor else [])]
    if any(unit.mentions(body, *_TRAINS) for unit, body in bodies):
        return
    for op in called:
        loss = op.operands[0] if op.operands else None
        if loss is None or loss.gradient is not Gradient.CARRIES:
            continue
        after = [each for each in graph.returns if not _excludes(op, each)]
        if loss.key not in differentiated(each.operands[0] for each in after) or _returns_it_detached(graph, loss):
            continue
        keeps = _keeps_graph(op)
        if keeps is False or (keeps and not _reads_gradients(graph)):
            yield _finding(op, keeps)


def _excludes(op: Op, returned: Op) -> bool:
    """Whether a return lies on a path that a call is not on: a test was answered the other way."""
    answers = {each.test.key: each.holds for each in op.conditions}
    return any(answers.get(each.test.key, each.holds) is not each.holds for each in returned.conditions)


def _keeps_graph(op: Op) -> bool | None:
    """Whether the graph is there for a second backward(), as it is with create_graph too; None where that is not known."""
    asked = op.keywords.get("retain_graph")
    if asked is None or asked.kind is Kind.NONE:
        asked = op.keywords.get("create_graph")
    if asked is None:
        return False
    return bool(asked.constant) if asked.has_constant and not asked.is_default else None


def _reads_gradients(graph: Graph) -> bool:
    """Whether what the call adds to leaves is used here: then it is no gradient of the caller's that comes twice."""
    code = [graph.unit.code(graph.function)] if graph.function is not None else []
    code += (graph.unit.code(each) for _, each in graph.unit.parsed_functions() if id(each) in graph.inlined)
    return any(_GRADIENT.search(each) for each in code)


def _returns_it_detached(graph: Graph, loss: Value) -> bool:
    """Whether what is returned is the loss on one path and the loss without its graph on another: there backward() ran."""
    joins = [value for value in ancestors(graph.results) if value.origin.name == "phi"]
    return any(_is_detached(each, loss) for join in (*graph.results, *joins) for each in join.alternatives)


def _is_detached(value: Value, loss: Value) -> bool:
    while value.origin.name in ("detach", "requires_grad_"):
        inner = value.origin.operands[0]
        if value.origin.name == "detach" and loss.key in (inner.key, *(each.key for each in inner.alternatives)):
            return True
        value = inner
    return value.origin.name == "phi" and any(_is_detached(each, loss) for each in value.alternatives)


def _finding(op: Op, keeps: bool) -> Finding:
    loss = excerpt(op.operands[0])
    if keeps:
        what = "the graph is kept, so the caller's own backward() adds every gradient a second time"
    else:
        what = "the caller's own backward() fails in the same graph"
    return RULE.finding(
        op.site,
        f"`forward` calls backward() on `{loss}`, which it returns: {what}; leave it to the caller",
        evidence=with_calls(op, [Step(op.site, f"the graph is {'differentiated' if keeps else 'used up'} here")]),
    )
