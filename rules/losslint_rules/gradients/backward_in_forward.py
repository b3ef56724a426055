"""a loss module calls backward() itself and returns the loss all the same

A loss is differentiated by whoever calls it. Where `forward` has called `backward()` on what it returns, the caller's own
`backward()` fails ("Trying to backward through the graph a second time"), or, with `retain_graph=True`, adds every
gradient twice.

Reported is a module whose returned loss is computed from what it called backward() on. Silent are inner problems of which
only the gradient is used (adversarial directions, penalties), losses that are returned detached, and modules with an
optimizer of their own, which train themselves.

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

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import BACKWARD, Graph, Op, ancestors, members
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value

RULE = Rule(code="LL106", name="backward-in-forward", severity=Severity.WARNING)

_TRAINS = ("optimizer", "optimiser", ".step(", "zero_grad", "manual_backward")


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
    code = graph.unit.code(function) + (constructor.owner.unit.code(constructor.function) if constructor else "")
    if any(word in code for word in _TRAINS):
        return
    returned = _differentiable(graph)
    for op in called:
        loss = op.operands[0] if op.operands else None
        if loss is None or loss.key not in returned or loss.gradient is not Gradient.CARRIES:
            continue
        if not _returns_it_detached(graph, loss):
            yield _finding(op)


def _differentiable(graph: Graph) -> frozenset[int]:
    """The keys of what a gradient flows back to from a returned value."""
    found: set[int] = set()
    pending = [op.operands[0] for op in graph.returns]
    while pending:
        value = pending.pop()
        if value.key not in found and value.gradient not in (Gradient.CUT, Gradient.ZERO):
            found.add(value.key)
            pending.extend(members(value))
    return frozenset(found)


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


def _finding(op: Op) -> Finding:
    loss = excerpt(op.operands[0])
    return RULE.finding(
        op.site,
        f"`forward` calls backward() on `{loss}`, which it returns: the caller's own backward() fails in the same graph; "
        "leave it to the caller",
        evidence=with_calls(op, [Step(op.site, "the graph is used up here")]),
    )
