"""a parameter is overwritten in the loss, which nn.Module or autograd refuses

`self.weight = self.weight.clamp(min=0)` raises a TypeError where `self.weight` is an nn.Parameter: only another Parameter, or
None, may take its place. `self.weight.clamp_(min=0)` and `self.weight += 1` raise in autograd, because a leaf that requires
a gradient cannot be changed in place. A number in the place of a buffer raises too. None of it runs before the first call.

A tensor in the place of a registered buffer is fine: it stays a buffer. So are changes in place under `no_grad` or of
`.data`, and `self.weight = self.weight.to(device)`, which is the parameter itself where nothing has to move.

## Bad

```python
import torch
import torch.nn.functional as F

class WeightedLoss(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(classes))

    def forward(self, logits, target):
        self.weight = self.weight.clamp(min=0)
        return F.cross_entropy(logits * self.weight, target)
```

## Good

```python
import torch
import torch.nn.functional as F

class WeightedLoss(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(classes))

    def forward(self, logits, target):
        weight = self.weight.clamp(min=0)
        return F.cross_entropy(logits * weight, target)
```

No fix is offered: a local name, `.data` and `no_grad` mean different things. A run confirms it by raising.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import IN_PLACE, Graph, Op
from losslint.semantics.members import Base, Instance
from losslint.semantics.names import Function
from losslint.semantics.operators import Shape, operators
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Site, Value

RULE = Rule(code="LL605", name="parameter-overwritten", severity=Severity.ERROR)

_VIEWS = frozenset({"getitem", "select", "view", "t", "transpose", "squeeze", "unsqueeze", "narrow"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report parameters, buffers and layers that the loss replaces by what may not stand there, or changes in place."""
    instance = graph.instance
    if instance is None or not instance.is_torch_module:
        return
    for op in graph.returns:
        for name, value in instance.attributes.items():
            bound = op.scope.get(f"self.{name}")
            if bound is not None and bound.key != value.key:
                yield from _replaced(graph, instance, name, value, bound)
    trained = {value.key: name for name, value in instance.attributes.items() if _is_parameter(value)}
    if not trained or any(base.unit.mentions(function, "requires_grad") for base, function in _constructors(instance)):
        return
    for op in graph.ops:
        leaf = _leaf(op.operands[0]) if op.detail == IN_PLACE and op.gradient_matters and op.operands else None
        if leaf is not None and leaf.key in trained:
            yield _changed(op, trained[leaf.key])


def _constructors(instance: Instance) -> Iterator[tuple[Base, Function]]:
    for base in instance.lineage:
        function = base.unit.functions.get(f"{base.name}.__init__")
        if function is not None:
            yield base, function


def _is_parameter(value: Value) -> bool:
    return value.origin.name == "parameter_tensor"


def _leaf(value: Value) -> Value | None:
    """The parameter that a value is, or is a view of."""
    value = value.beneath(_VIEWS)
    return value if _is_parameter(value) else None


def _replaced(graph: Graph, instance: Instance, name: str, value: Value, bound: Value) -> Iterator[Finding]:
    site = bound.origin.site
    in_place = {id(op.origin) for op in graph.ops if op.detail == IN_PLACE}
    row = operators().get(bound.origin.name)
    may_be_itself = bound.origin.name == "contiguous" or (row is not None and row.shape is Shape.CAST)
    if site is None or id(bound.origin) in in_place or bound.origin.name == "phi" or may_be_itself:
        return
    if _is_parameter(value) and bound.is_tensor and not _is_parameter(bound):
        yield _refused(site, name, bound, "an nn.Parameter", "only another Parameter or None")
    elif value.kind is Kind.MODULE and value.origin.name == "module" and bound.is_tensor:
        yield _refused(site, name, bound, "a module", "only another module or None")
    elif name in instance.buffers and value.is_tensor and bound.kind in (Kind.NUMBER, Kind.BOOL, Kind.STR):
        yield _refused(site, name, bound, "a registered buffer", "only a tensor or None")


def _refused(site: Site, name: str, bound: Value, what: str, instead: str) -> Finding:
    return RULE.finding(
        site,
        f"`self.{name}` is {what}, and nn.Module raises a TypeError when `{excerpt(bound)}` is assigned to it: {instead} may "
        "take its place; use a local name",
    )


def _changed(op: Op, name: str) -> Finding:
    return RULE.finding(
        op.site,
        f"`self.{name}` is an nn.Parameter, and autograd refuses to change a leaf that requires a gradient in place; "
        "work on a new tensor, or change it under torch.no_grad()",
        evidence=with_calls(op, [Step(op.site, "gradients are recorded here")]),
    )
