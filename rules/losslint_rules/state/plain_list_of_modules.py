"""modules in a plain list or dict, whose parameters and buffers are not registered

`self.losses = [nn.CrossEntropyLoss(weight=w), CentreLoss()]` hides the modules from the one that holds them: `to("cuda")` does not
move their buffers, `parameters()` does not give their parameters to the optimizer, `state_dict()` does not hold them.

Reported is a member that provably has parameters or buffers: a layer, a loss with a weight tensor, a class of the project that
registers some. Losses without state may stand in a list. Silent are members that are attributes, or part of a container
module, as well, and a list of one, which is how a module is hidden on purpose.

## Bad

```python
import torch
from torch import nn

class CombinedLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.losses = [nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0])), nn.MultiMarginLoss()]

    def forward(self, logits, target):
        return sum(loss(logits, target) for loss in self.losses)
```

## Good

```python
import torch
from torch import nn

class CombinedLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.losses = nn.ModuleList([nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0])), nn.MultiMarginLoss()])

    def forward(self, logits, target):
        return sum(loss(logits, target) for loss in self.losses)
```

The fix writes nn.ModuleList or nn.ModuleDict; it is unsafe, because checkpoints get new keys and the optimizer new
parameters. A run confirms it on a GPU, or on a pretend device, where a buffer stays on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.members import Instance, attribute_stores
from losslint.semantics.module_state import members_of, state_of
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Site, Value

RULE = Rule(
    code="LL603", name="plain-list-of-modules", severity=Severity.WARNING, doubted=True, confirmed_by=("device",)
)

_TAKES_CARE = ("_apply", "to", "cuda", "parameters", "named_parameters", "state_dict")
_REGISTERS = ("add_module(", "register_module(", "setattr(self")


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report lists and dicts of modules that hold state and are registered nowhere."""
    instance = graph.instance
    if instance is None or graph.function is None or not instance.is_torch_module:
        return
    containers = {
        name: value
        for name, value in instance.attributes.items()
        if value.kind in (Kind.SEQUENCE, Kind.MAPPING) and not _hides_one(value)
    }
    if not containers or _registers(instance):
        return
    code = graph.unit.code(graph.function)
    for name, value in containers.items():
        if f"self.{name}" in code:
            yield from _findings(instance, name, value)


def _registers(instance: Instance) -> bool:
    constructor = instance.method("__init__")
    if constructor is None or any(instance.method(name) for name in _TAKES_CARE):
        return True
    return constructor.owner.unit.mentions(constructor.function, *_REGISTERS)


def _hides_one(value: Value) -> bool:
    """`self.teacher = [teacher]` hides a module on purpose."""
    return value.origin.name == "sequence" and len(value.origin.operands) == 1


def _findings(instance: Instance, name: str, value: Value) -> Iterator[Finding]:
    registered = {
        each.key
        for attribute in instance.attributes.values()
        if attribute.kind is Kind.MODULE
        for each in ancestors([attribute])
    }
    for member in members_of(value):
        state = None if member.key in registered else state_of(member, instance.built)
        stores = [store for store in attribute_stores(instance, name) if isinstance(store.node, cst.Assign)]
        if state is not None and stores and member.origin.site is not None:
            yield _finding(name, stores[0], member, state)
            return


def _finding(name: str, store: Site, member: Value, state: str) -> Finding:
    assert member.origin.site is not None
    return RULE.finding(
        store,
        f"`self.{name}` is a plain container and registers nothing, but `{excerpt(member)}` has state ({state}): it does not "
        "move with the module and is missing in parameters() and state_dict(); use nn.ModuleList or nn.ModuleDict",
        evidence=[Step(member.origin.site, f"this module has state: {state}")],
        rewrite=_rewrite(store),
    )


def _rewrite(store: Site) -> Rewrite | None:
    """`self.losses = [...]` becomes `self.losses = nn.ModuleList([...])`."""
    assert isinstance(store.node, cst.Assign)
    value = store.node.value
    kind = "ModuleDict" if isinstance(value, cst.Dict) else "ModuleList"
    spelled = store.unit.spell(f"torch.nn.{kind}")
    if spelled is None or not isinstance(value, cst.List | cst.Dict | cst.ListComp) or not _members_written(value):
        return None
    code = f"{spelled}({store.unit.code(value)})"
    return Rewrite(Applicability.UNSAFE, f"use {spelled}", (Replacement(Site(store.unit, value), code),))


def _members_written(value: cst.List | cst.Dict | cst.ListComp) -> bool:
    """Whether the container is not one that is filled later, and a dict has names for keys."""
    if isinstance(value, cst.Dict):
        return bool(value.elements) and all(
            isinstance(each, cst.DictElement) and isinstance(each.key, cst.SimpleString) for each in value.elements
        )
    return isinstance(value, cst.ListComp) or bool(value.elements)
