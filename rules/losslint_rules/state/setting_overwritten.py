"""a setting is overwritten with what one batch makes of it

`self.alpha = self.alpha.gather(0, labels)`: the class weights of the first batch's samples take the place of the class
weights. The next batch picks from what is left: the wrong numbers at first, and an index out of range where it is larger. A
local name was meant.

Reported where a loss assigns an attribute that its constructor sets, and the new value is the old one picked by, or
multiplied with, what the loss is given. Running statistics, which add something new, queues, counters, moves to a device,
schedules of numbers, and attributes that another method sets as well are silent.

## Bad

```python
import torch

class WeightedLoss(torch.nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def forward(self, log_p, labels):
        self.weights = self.weights[labels]
        return -(self.weights * log_p.gather(1, labels[:, None]).squeeze(1)).mean()
```

## Good

```python
import torch

class WeightedLoss(torch.nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def forward(self, log_p, labels):
        weights = self.weights[labels]
        return -(weights * log_p.gather(1, labels[:, None]).squeeze(1)).mean()
```

No fix is offered: what reads the attribute has to read the local name then.

A run confirms it by the second of two steps on one instance.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.stored_attributes import methods_of, stores
from losslint.semantics.values import Role, Value

RULE = Rule(
    code="LL620", name="setting-overwritten", severity=Severity.WARNING, doubted=True, confirmed_by=("second_step",)
)

_PICKS = frozenset("gather index_select getitem take take_along_dim embedding masked_select".split())
_SCALES = frozenset({"mul", "div"})
_KEEPS = frozenset(
    "to float double half type type_as cuda cpu detach clone contiguous view reshape expand expand_as squeeze unsqueeze "
    "flatten view_as reshape_as repeat".split()
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report attributes of the constructor that are replaced by a selection or a product of themselves."""
    instance = graph.instance
    if instance is None:
        return
    told: set[int] = set()
    for op in graph.returns:
        for name, initial in instance.attributes.items():
            bound = op.scope.get(f"self.{name}")
            if bound is None or bound.key == initial.key or _is_set_elsewhere(graph, name):
                continue
            for value in bound.alternatives:
                site = value.origin.site
                if site is not None and id(site.node) not in told and _is_made_of_itself(value, f"self.{name}"):
                    told.add(id(site.node))
                    yield RULE.finding(
                        site,
                        f"`self.{name}` is overwritten with `{excerpt(value)}`, and the next call finds what this batch "
                        "left; use a local name",
                        evidence=[Step(site, f"computed from `self.{name}` and from what this call is given")],
                    )


def _is_made_of_itself(value: Value, name: str) -> bool:
    """Whether a value is the attribute, picked by or multiplied with an input of the loss, and nothing else."""
    pending = [(value, False)]
    seen: set[tuple[int, bool]] = set()
    while pending:
        current, is_changed = pending.pop()
        if (current.key, is_changed) in seen:
            continue
        seen.add((current.key, is_changed))
        origin = current.origin
        if origin.name == "attribute" and origin.label == name:
            if is_changed:
                return True
        elif origin.name in _PICKS and len(origin.operands) > 1:
            pending.append((origin.operands[0], is_changed or _is_of_input(origin.operands[1:])))
        elif origin.name in _SCALES and len(origin.operands) == 2:
            left, right = origin.operands
            pending.append((left, is_changed or _is_of_input((right,))))
            if origin.name == "mul":
                pending.append((right, is_changed or _is_of_input((left,))))
        elif origin.name in _KEEPS and origin.operands:
            pending.append((origin.operands[0], is_changed))
    return False


def _is_of_input(values: tuple[Value, ...]) -> bool:
    """Whether one of these is a tensor that is computed from an argument of the loss."""
    return any(
        each.origin.name == "parameter" and each.origin.frame == 0 and each.is_tensor and each.role is not Role.CONFIG
        for value in values
        for each in ancestors([value])
    )


def _is_set_elsewhere(graph: Graph, name: str) -> bool:
    """Whether another method than the constructor and those of this call sets the attribute: a schedule, a reset."""
    instance = graph.instance
    assert instance is not None
    mine = {id(graph.function)} | graph.inlined
    return any(
        stored == name
        for base in instance.lineage
        for function in methods_of(base.unit, base.name)
        if id(function) not in mine and function.name.value != "__init__"
        for stored, _ in stores(function)
    )
