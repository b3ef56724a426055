"""a constant tensor that is neither buffer nor parameter stays on the CPU

`self.weight = torch.tensor([...])` in the constructor of an nn.Module is a plain attribute: `module.to("cuda")` does not
move it, `state_dict()` does not hold it, and the first step on a GPU fails with "Expected all tensors to be on the same
device".

Reported is a tensor that the constructor makes and that the loss mixes with what comes from an input. Silent are tensors
that the loss moves (`self.weight.to(x)`), that serve as an index or a length, scalars, Python lists, tensors made on a
device that the constructor is given, and modules that override `_apply` or `to`.

## Bad

```python
import torch
import torch.nn.functional as F

class WeightedLoss(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = torch.tensor(weight)

    def forward(self, logits, target):
        return F.cross_entropy(logits, target, weight=self.weight)
```

## Good

```python
import torch
import torch.nn.functional as F

class WeightedLoss(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight), persistent=False)

    def forward(self, logits, target):
        return F.cross_entropy(logits, target, weight=self.weight)
```

The fix registers the buffer with `persistent=False`, so that old checkpoints still load; it is unsafe, because code that
assigns the attribute something else than a tensor fails then. A run confirms it on a GPU, or on a pretend device that has
CUDA's rules.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.members import Instance, attribute_stores
from losslint.semantics.spelling import excerpt
from losslint.semantics.syntax_walk import holds
from losslint.semantics.values import Kind, Site
from losslint_rules.devices.mixing import Mixture, mixtures

RULE = Rule(code="LL504", name="unregistered-tensor", severity=Severity.WARNING, doubted=True, confirmed_by=("device",))

_MOVES = ("_apply", "to", "cuda", "to_device")


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a plain tensor attribute of a module that meets an input."""
    instance = graph.instance
    if instance is None or not instance.is_torch_module or any(instance.method(name) for name in _MOVES):
        return
    for mixture in mixtures(graph):
        name = _attribute_with(instance, mixture)
        stores = list(attribute_stores(instance, name)) if name is not None else []
        if name is not None and len(stores) == 1:
            yield _finding(name, stores[0], mixture)


def _attribute_with(instance: Instance, mixture: Mixture) -> str | None:
    """The attribute that the constructor gave the tensor."""
    for name, value in instance.attributes.items():
        if value.kind is Kind.MODULE or any(each.origin.name == "parameter_tensor" for each in ancestors([value])):
            continue  # nn.NLLLoss(weight) keeps its weight as a buffer of its own, and a parameter moves with the module
        if name not in instance.buffers and any(
            each.origin is mixture.source.origin for each in ancestors([value]) if each.is_tensor
        ):
            return name
    return None


def _finding(name: str, store: Site, mixture: Mixture) -> Finding:
    made, meets = excerpt(mixture.source), excerpt(mixture.on_input)
    steps = [
        Step(store, f"`{made}` is made on the CPU, and `self.{name}` is no buffer that moves with the module"),
        Step(mixture.op.site, f"it meets `{meets}`, which is where the inputs are"),
    ]
    return RULE.finding(
        store,
        f"`self.{name}` is a plain attribute: it stays on the CPU when the module moves, cannot be mixed with "
        f"`{meets}` on a GPU, and is missing in the state_dict; register it as a buffer",
        evidence=with_calls(mixture.op, steps),
        rewrite=_rewrite(name, store),
    )


def _is_after_super(store: Site) -> bool:
    """Whether the constructor has called the one of nn.Module: before that there are no buffers."""
    for qualified, function in store.unit.parsed_functions():
        if not qualified.endswith("__init__"):
            continue
        called = False
        for statement in function.body.body:
            if holds(statement, store.node):
                return called
            called = called or "__init__(" in store.unit.code(statement)
    return False


def _rewrite(name: str, store: Site) -> Rewrite | None:
    """`self.w = x` becomes `self.register_buffer("w", x, persistent=False)`."""
    node = store.node
    if not isinstance(node, cst.Assign) or len(node.targets) != 1 or not _is_after_super(store):
        return None
    value = store.unit.code(node.value)
    return Rewrite(
        Applicability.UNSAFE,
        f"register `{name}` as a buffer that moves with the module",
        (Replacement(store, f'self.register_buffer("{name}", {value}, persistent=False)'),),
    )
