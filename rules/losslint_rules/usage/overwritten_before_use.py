"""a value is computed and overwritten before anything reads it

Two terms are computed under the same name, and the second one replaces the first: the usual slip is `loss = ...` where
`loss = loss + ...` was meant. The first term has no effect and gets no gradient.

Reported where the first value is computed from an input of the loss, and every way on from it meets another assignment
of the name before a read of it. Defaults (`loss = 0`, `mask = None`, `torch.zeros(...)`) are not computed from anything.

## Bad

```python
import torch
import torch.nn.functional as F

def reconstruction_loss(pred, target):
    loss = F.l1_loss(pred, target)
    loss = F.mse_loss(pred, target)
    return loss
```

## Good

```python
import torch
import torch.nn.functional as F

def reconstruction_loss(pred, target):
    loss = F.l1_loss(pred, target)
    loss = loss + F.mse_loss(pred, target)
    return loss
```

No fix is offered: either of the two lines may be the one that is meant.

A run confirms it: without the line the loss is the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.carriers import made_of
from losslint.semantics.graph import Graph
from losslint.semantics.liveness import Fate, liveness
from losslint.semantics.loss_names import is_loss_value
from losslint.semantics.name_events import Binding
from losslint.semantics.operators import Shape, operators
from losslint.semantics.spelling import shortened
from losslint.semantics.values import Gradient, Kind, Site, Value
from losslint_rules.usage.definitions import functions

RULE = Rule(code="LL724", name="overwritten-before-use", severity=Severity.WARNING, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report assignments of a computed tensor that another assignment always overtakes."""
    for _, function in functions(graph):
        live = liveness(function)
        for binding in live.bindings:
            if binding.how != "assign" or binding.value is None or binding.name.startswith("_"):
                continue
            fate = live.fate(binding)
            if _is_lost(fate) and _is_computed(binding, graph):
                yield _finding(graph, binding, fate)


def _is_lost(fate: Fate) -> bool:
    return not fate.read and not fate.leaves and bool(fate.rebound) and all(_replaces(each) for each in fate.rebound)


def _replaces(binding: Binding) -> bool:
    """Whether other numbers take the place; None takes them away, as is meant."""
    taken_away = isinstance(binding.value, cst.Name) and binding.value.value == "None"
    return binding.how == "assign" and binding.value is not None and not taken_away


def _is_computed(binding: Binding, graph: Graph) -> bool:
    """Whether an operator made the value from an input of the loss, or a criterion did."""
    assert binding.value is not None
    for op in graph.ops:
        if op.origin.site is not None and op.site.node is binding.value and op.value.kind is Kind.TENSOR:
            row = operators().get(op.name)
            if (
                row is not None
                and row.shape is not Shape.FACTORY
                and not _is_nothing(op.value)
                and _uses_input(op.value)
            ):
                return True
    return isinstance(binding.value, cst.Call) and is_loss_value(binding.name) and id(binding.value) in graph.opaque


def _uses_input(value: Value) -> bool:
    return any(each.origin.name == "parameter" for each in made_of([value]))


def _is_nothing(value: Value) -> bool:
    """`pred.sum() * 0`, `zeros_like(pred)`: a zero to start with."""
    if value.gradient is Gradient.NEUTRAL and value.origin.name in ("zeros_like", "ones_like", "full_like"):
        return True
    return value.origin.name == "mul" and any(
        each.has_constant and each.constant == 0 for each in value.origin.operands
    )


def _finding(graph: Graph, binding: Binding, fate: Fate) -> Finding:
    assert binding.value is not None
    text = shortened(graph.unit.code(binding.value))
    steps = [
        Step(Site(graph.unit, each.value), "overwritten here before anything reads it")
        for each in fate.rebound
        if each.value is not None
    ]
    advice = "add the two, or drop the first" if is_loss_value(binding.name) else "use it, or drop it"
    return RULE.finding(
        Site(graph.unit, binding.value),
        f"`{binding.name} = {text}` is overwritten before anything reads it, so it has no effect; {advice}",
        severity=Severity.INFO if _is_repeated(graph, binding, fate) else RULE.severity,
        evidence=steps,
    )


def _is_repeated(graph: Graph, binding: Binding, fate: Fate) -> bool:
    """Whether the same is computed again: a statement that stands twice harms nobody."""
    values = [each.value for each in (binding, *fate.rebound)]
    return len({graph.unit.code(each).strip() if each is not None else "" for each in values}) == 1
