"""a tensor with its graph is kept from one step to the next

`self.center = 0.9 * self.center + 0.1 * features.mean(0)` keeps the graph of this step in the module. Where the next step's
loss is computed from it, `backward()` runs into the first graph again and fails: "Trying to backward through the graph a second
time". Where it is only a running total, nothing fails, and the chain of graphs grows until memory runs out.

An error is a kept tensor that the returned loss of the next call is computed from; a warning one that grows with every call, or
with every turn of a training loop (`running += loss`). Silent are `.detach()`, `.item()` and `no_grad`, values that are replaced
without having been read, and totals that another method resets.

## Bad

```python
import torch

class CentreLoss(torch.nn.Module):
    def __init__(self, features=8):
        super().__init__()
        self.register_buffer("centre", torch.zeros(features))

    def forward(self, features):
        self.centre = 0.9 * self.centre + 0.1 * features.mean(dim=0)
        return ((features - self.centre) ** 2).mean()
```

## Good

```python
import torch

class CentreLoss(torch.nn.Module):
    def __init__(self, features=8):
        super().__init__()
        self.register_buffer("centre", torch.zeros(features))

    def forward(self, features):
        self.centre = 0.9 * self.centre + 0.1 * features.mean(dim=0).detach()
        return ((features - self.centre) ** 2).mean()
```

No fix is offered: the part to detach is a choice. A run confirms it by the second of two steps on one instance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import BACKWARD, Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.stored_attributes import methods_of, stores
from losslint.semantics.values import Gradient, Site
from losslint_rules.state.kept_graphs import Kept, kept_graphs

RULE = Rule(
    code="LL604", name="graph-kept-across-steps", severity=Severity.WARNING, doubted=True, confirmed_by=("second_step",)
)

_STEP = re.compile(r"\bzero_grad\(|\.step\(|\bstep\(")


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report attributes that keep a graph which the next call meets, or which grows with every call."""
    for kept in kept_graphs(graph):
        if graph.instance is not None and graph.instance.method(kept.name) is not None:
            continue  # a property: what its setter keeps is another question
        if kept.value.origin.site is not None and (kept.is_read or (kept.grows and not _is_reset(graph, kept.name))):
            yield _finding(graph, kept)


def _is_reset(graph: Graph, name: str) -> bool:
    """Whether something else than this call sets the attribute: a `reset()`, or code outside of the class."""
    instance = graph.instance
    assert instance is not None
    mine = {id(graph.function)} | graph.inlined
    others = [
        function
        for base in instance.lineage
        for function in methods_of(base.unit, base.name)
        if id(function) not in mine and function.name.value != "__init__"
    ]
    outside = re.compile(rf"(?<!self)\.{re.escape(name)}(\.clear\(|\s*=[^=])")
    stored = any(stored == name for function in others for stored, _ in stores(function))
    return stored or bool(outside.search(graph.unit.text))


def _finding(graph: Graph, kept: Kept) -> Finding:
    site = kept.value.origin.site
    assert site is not None
    name = f"self.{kept.name}"
    if kept.is_read:
        why = "the loss of the next call is computed from it, and its backward() fails in the graph of this one"
    else:
        why = "the chain of graphs grows with every call"
    return RULE.finding(
        site,
        f"`{name}` keeps the graph of `{excerpt(kept.value)}`: {why}; detach what is kept",
        severity=Severity.ERROR if kept.is_read else Severity.WARNING,
        evidence=[Step(site, f"this carries a gradient and is kept as `{name}`"), *_reading(graph, name)],
    )


def _reading(graph: Graph, name: str) -> Iterator[Step]:
    """The operators that compute with what the call before left."""
    for op in graph.ops:
        if any(each.origin.name == "attribute" and each.origin.label == name for each in op.operands):
            yield Step(op.site, f"the next call computes with `{name}` here")


@RULE.on_op("add")
def in_loop(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `running += loss` in a loop that calls backward() on the loss, and not on the total."""
    node = op.site.node
    if not isinstance(node, cst.AugAssign) or not isinstance(node.target, cst.Name) or len(op.operands) != 2:
        return
    if not _adds_differentiated(op, graph) or not _is_a_step(op.in_loop[-1]):
        return
    if any(each.origin.name in ("item", "float", "tolist") for each in op.operands[1].origin.operands):
        return  # `loss.item() * x.batch_size`: a number times what nothing is known of
    total, added = node.target.value, " ".join(op.site.unit.code(node.value).split())
    yield RULE.finding(
        op.site,
        f"`{total}` keeps the graph of every `{added}` that is added to it, long after its backward(); add its .item(), or "
        "detach it",
        severity=Severity.INFO,
        evidence=[Step(op.in_loop[-1], "this loop adds one graph a turn")],
    )


def _is_a_step(loop: Site) -> bool:
    """Whether each turn is a step of training: the losses of one step are few, however they are added."""
    return bool(_STEP.search(loop.unit.code(loop.node)))


def _adds_differentiated(op: Op, graph: Graph) -> bool:
    """Whether backward() is called in the same loop on what is added, and nowhere on the total."""
    calls = list(graph.named(BACKWARD))
    added = op.operands[1]
    if (
        not op.in_loop
        or added.gradient is not Gradient.CARRIES
        or all(call.in_loop[-1:] != op.in_loop[-1:] for call in calls)
    ):
        return False
    keys = {value.key for value in ancestors([call.operands[0] for call in calls])}
    shared = next((value for value in ancestors([added]) if value.key in keys), None)
    return op.value.key not in keys and shared is not None and shared.origin.name != "parameter"
