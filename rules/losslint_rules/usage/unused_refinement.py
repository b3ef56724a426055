"""a tensor is prepared under a new name, and the old one is used

`clipped = pred.clamp(eps, 1 - eps)` and then `torch.log(pred)`: what was made safe, masked or normalised is never read, and the
line after it takes the tensor as it was before.

Reported where the result of a clamp, a normalisation, an activation, a mask or a detach is bound to a name that nothing reads,
while the tensor it was made of is read by the lines that follow. Names that begin with an underscore are silent, and so is what
is read in a branch, a nested function or a log.

## Bad

```python
import torch

def bce_loss(pred, target, eps=1e-7):
    clipped = pred.clamp(eps, 1 - eps)
    return -(target * torch.log(pred + eps) + (1 - target) * torch.log(1 - pred + eps)).mean()
```

## Good

```python
import torch

def bce_loss(pred, target, eps=1e-7):
    clipped = pred.clamp(eps, 1 - eps)
    return -(target * torch.log(clipped) + (1 - target) * torch.log(1 - clipped)).mean()
```

No fix is offered: some of the reads may be meant.

A run confirms it: without the line the loss is the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph, Op
from losslint.semantics.liveness import liveness
from losslint.semantics.name_events import Binding
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import nodes_of
from losslint.semantics.values import Site
from losslint_rules.usage.definitions import functions
from losslint_rules.usage.loop_bodies import mentions

RULE = Rule(code="LL757", name="unused-refinement", severity=Severity.WARNING, preview=True)

_REFINES = {
    "clamp": "clamped",
    "clamp_min": "clamped",
    "clamp_max": "clamped",
    "normalize": "normalised",
    "softmax": "turned into probabilities",
    "log_softmax": "turned into log-probabilities",
    "sigmoid": "turned into probabilities",
    "masked_fill": "masked",
    "masked_select": "masked",
    "detach": "detached",
    "nan_to_num": "rid of NaN",
}


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report refined tensors that nothing reads, while what they were made of is read afterwards."""
    for _, function in functions(graph):
        live = liveness(function)
        if live.is_opaque:
            continue
        for binding in live.bindings:
            if binding.how != "assign" or binding.value is None or binding.conditional or binding.name.startswith("_"):
                continue
            fate = live.fate(binding)
            if fate.read or fate.rebound or not fate.leaves:
                continue
            op = next((each for each in graph.named(*_REFINES) if each.site.node is binding.value), None)
            source = _source(binding.value)
            if op is None or source is None or source == binding.name:
                continue
            later = _reads_after(function, binding, source)
            if later is None or not any(graph.matters(each) for each in op.operands[:1]):
                continue
            yield _finding(graph, op, binding, source, later)


def _source(node: cst.BaseExpression) -> str | None:
    """The name that a call is made of: `x` in `x.clamp(0, 1)`, `torch.clamp(x, 0, 1)`, `F.normalize(x)`."""
    if not isinstance(node, cst.Call):
        return None
    if node.args and isinstance(node.args[0].value, cst.Name) and node.args[0].keyword is None:
        first = node.args[0].value.value
    else:
        first = None
    if isinstance(node.func, cst.Attribute) and isinstance(node.func.value, cst.Name):
        receiver = node.func.value.value
        return first if receiver in ("torch", "F", "nn", "functional") else receiver
    return first


def _reads_after(function: Function, binding: Binding, source: str) -> cst.Name | None:
    """The first read of the name behind the binding, where nothing binds it anew."""
    order = nodes_of(function)
    start = next((at for at, node in enumerate(order) if node is binding.value), None)
    if start is None or binding.value is None:
        return None
    inside = {id(node) for node in nodes_of(binding.value)}
    for node in order[start:]:
        if isinstance(node, (cst.AssignTarget, cst.AugAssign)) and mentions(node.target, source):
            return None
        if isinstance(node, cst.Name) and node.value == source and id(node) not in inside:
            return node
    return None


def _finding(graph: Graph, op: Op, binding: Binding, source: str, later: cst.Name) -> Finding:
    assert binding.value is not None
    return RULE.finding(
        Site(graph.unit, binding.value),
        f"`{binding.name}` is `{source}` {_REFINES[op.name]}, and nothing reads it: what follows takes `{source}` as it was",
        evidence=[Step(Site(graph.unit, later), f"`{source}` is read here")],
    )
