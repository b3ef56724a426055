"""a module is assigned before nn.Module's constructor has run

`nn.Module.__setattr__` keeps modules, parameters and buffers in tables that `nn.Module.__init__` makes. Before it has
run there are none: "cannot assign module before Module.__init__() call". Numbers, strings and plain tensors are allowed.
Where no constructor calls it at all, a loss that registers nothing can be built, and fails when it is called: it has no
`_backward_hooks`.

Reported for classes whose bases are known: torch's own, and those of the project that lead to them.

## Bad

```python
import torch.nn as nn

class PerceptualLoss(nn.Module):
    def __init__(self, weight=1.0):
        self.criterion = nn.L1Loss()
        self.weight = weight
        super().__init__()

    def forward(self, pred, target):
        return self.weight * self.criterion(pred, target)
```

## Good

```python
import torch.nn as nn

class PerceptualLoss(nn.Module):
    def __init__(self, weight=1.0):
        super().__init__()
        self.criterion = nn.L1Loss()
        self.weight = weight

    def forward(self, pred, target):
        return self.weight * self.criterion(pred, target)
```

No fix is offered: what comes before the call may be meant for the base's constructor.

A run confirms it by the AttributeError.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule
from losslint.semantics.graph import Graph
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import nodes_of, walk
from losslint.semantics.values import Site
from losslint_rules.usage.definitions import constructors, decorator_names
from losslint_rules.usage.torch_bases import is_module, registered_as

RULE = Rule(code="LL726", name="attribute-before-super-init", severity=Severity.ERROR)

_REGISTERS = {
    "register_buffer": "buffer",
    "register_parameter": "parameter",
    "register_module": "module",
    "add_module": "module",
}
_OWN_WAYS = ("__new__", "__call__", "__setattr__", "__getattr__")


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report what a constructor registers too early, and a constructor that never calls its base's."""
    if not is_module(graph) or _has_own_ways(graph):
        return
    for owner, constructor in constructors(graph):
        calls = _calls_base(constructor, graph)
        if not calls and owner != graph.owner:
            continue
        early = next(_early(constructor, graph), None)
        if early is not None:
            node, kind = early
            then = "has run" if calls else "has run, and none is called here"
            yield RULE.finding(
                Site(graph.unit, node),
                f"`{graph.unit.code(node).strip()}` registers a {kind} before nn.Module's constructor {then}, which raises "
                "AttributeError; call `super().__init__()` first",
            )
        elif not calls:
            yield RULE.finding(
                Site(graph.unit, constructor.name),
                f"the constructor of `{owner}` never calls `super().__init__()`, so calling the loss raises AttributeError: "
                "nn.Module has not made its tables of hooks, modules and parameters; call it first",
            )


def _has_own_ways(graph: Graph) -> bool:
    """Dataclasses, metaclasses, and classes that are made, called or assigned to in a way of their own."""
    for base in graph.lineage:
        node = base.unit.classes[base.name]
        if "dataclass" in decorator_names(node) or node.keywords:
            return True
        if any(f"{base.name}.{name}" in base.unit.functions for name in _OWN_WAYS):
            return True
    return False


def _calls_base(function: Function, graph: Graph) -> bool:
    return any(_is_base_call(node, graph) for node in nodes_of(function))


def _is_base_call(node: cst.CSTNode, graph: Graph) -> bool:
    """`super().__init__()`, `Base.__init__(self)`, or a method of the class that does it."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    name = node.func.attr.value
    if name == "__init__":
        return True
    methods = (base.unit.functions.get(f"{base.name}.{name}") for base in graph.lineage)
    return any(method is not None and "__init__(" in graph.unit.code(method) for method in methods)


def _early(constructor: Function, graph: Graph) -> Iterator[tuple[cst.CSTNode, str]]:
    """What is registered in the statements before the one that calls the base's constructor."""
    if not constructor.params.params:
        return
    this = constructor.params.params[0].name.value
    for statement in constructor.body.body:
        if any(_is_base_call(node, graph) for node in walk(statement)):
            return
        if isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            continue
        for node in walk(statement):
            kind = _registered(node, this, graph)
            if kind:
                yield node, kind


def _registered(node: cst.CSTNode, this: str, graph: Graph) -> str:
    match node:
        case cst.Assign(targets=targets, value=value):
            return registered_as(value, graph.unit) if any(_is_own(each.target, this) for each in targets) else ""
        case cst.AnnAssign(target=target, value=cst.BaseExpression() as value):
            return registered_as(value, graph.unit) if _is_own(target, this) else ""
        case cst.Call(func=cst.Attribute(attr=cst.Name(value=name)) as called) if _is_own(called, this):
            return _REGISTERS.get(name, "")
    return ""


def _is_own(node: cst.BaseExpression, this: str) -> bool:
    return isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value == this
