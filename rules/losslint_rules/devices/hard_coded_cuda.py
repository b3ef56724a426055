"""a loss that asks for CUDA whatever device its inputs are on

`.cuda()`, `device="cuda"` and `torch.cuda.FloatTensor` in a loss fail on a machine without a GPU, and on a machine with
several they put the tensor on the first one while the inputs are on another.

Asking whether an input is on a GPU is not enough: `if pred.is_cuda: weight = weight.cuda()` takes the current GPU, and
fails where `pred` is on another one. `weight.to(pred.device)` needs no test.

Only losses themselves are looked at: training steps, scripts and what trains a model may choose its device. Silent is
what a test of `torch.cuda.is_available()` or of a flag decides, and a device that a parameter gives.

## Bad

```python
import torch

def weighted_loss(pred, target):
    weight = torch.linspace(0, 1, pred.size(-1)).cuda()
    return (weight * (pred - target).abs()).mean()
```

## Good

```python
import torch

def weighted_loss(pred, target):
    weight = torch.linspace(0, 1, pred.size(-1), device=pred.device)
    return (weight * (pred - target).abs()).mean()
```

The fix writes the device of an input; it is unsafe, because the tensor is somewhere else then. A run confirms it: on a machine
without a GPU the loss does not run at all.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.devices import is_on_input
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.members import Instance
from losslint.semantics.module_state import state_of
from losslint.semantics.names import Unit
from losslint.semantics.spelling import excerpt, parenthesised, shortened
from losslint.semantics.values import Kind, Site, Value
from losslint_rules.devices.device_tests import asks_for_a_flag, asks_for_device, followed_by_current_gpu
from losslint_rules.devices.mixing import meets_input

RULE = Rule(code="LL503", name="hard-coded-cuda", severity=Severity.WARNING, doubted=True)

_TRAINS = ("argparse", "torch.optim", "torch.utils.data", "torch.utils.tensorboard", "tensorboardX", "wandb", "tqdm")
_STEPS = frozenset("train training step epoch fit main run test validate validation eval evaluate sample demo".split())


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report what asks for CUDA in a loss and in its constructor."""
    if not _is_plain_loss(graph):
        return
    for op in graph.ops:
        if not graph.matters(op.value):
            continue
        asks = _asks_for_cuda(op.value)
        if asks and not (asks_for_device(op) or asks_for_a_flag(op)):
            yield _finding(op.site, op)
        elif asks or _asks_for_either(op.value):
            followed = followed_by_current_gpu(op)
            if followed is not None and meets_input(graph, op.value) and not _is_there_already(op, followed):
                yield _follows(op, followed)
    if graph.instance is not None:
        for name, attribute in graph.instance.attributes.items():
            yield from (
                _finding(value.origin.site, None)
                for value in _unconditional(attribute)
                if _asks_for_cuda(value)
                and _moves_something(value, graph.instance)
                and value.origin.site is not None
                and _is_read(name, attribute, graph)
            )


def _is_plain_loss(graph: Graph) -> bool:
    """Whether this is a loss and no training step, in a file that does not train."""
    if (
        graph.function is None
        or not graph.parameters
        or graph.calls_backward
        or _STEPS & set(graph.symbol.rpartition(".")[2].lower().split("_"))
    ):
        return False
    if graph.instance is not None and graph.instance.method("training_step") is not None:
        return False
    return not _trains(graph.unit)


def _trains(unit: Unit) -> bool:
    if "set_device(" in unit.text or "init_process_group(" in unit.text:
        return True  # each process chooses its GPU
    return any(target == name or target.startswith(f"{name}.") for target in unit.imports.values() for name in _TRAINS)


def _asks_for_cuda(value: Value) -> bool:
    origin = value.origin
    if origin.label.startswith("torch.cuda.") and origin.label.endswith("Tensor") and origin.name != "library":
        return True
    if origin.name == "cuda":
        return len(origin.operands) == 1
    if origin.name == "unknown" and origin.label.endswith(".cuda()"):
        return len(origin.operands) == 1 and origin.operands[0].kind is Kind.MODULE
    return any(_is_cuda(argument) for argument in _devices(value))


def _moves_something(value: Value, instance: Instance) -> bool:
    """Whether what the constructor moves is a tensor, or a module that has one: a LogSoftmax has none."""
    is_moved = value.origin.name in ("cuda", "to", "type", "unknown") and bool(value.origin.operands)
    moved = value.origin.operands[0] if is_moved else value
    return moved.is_tensor or state_of(moved, instance.built) is not None


def _devices(value: Value) -> Iterator[Value]:
    """What an operator is given besides its tensor, and what the devices among it are made of."""
    for argument in (*value.origin.operands[1:], *value.origin.keywords.values()):
        yield argument
        if argument.origin.label == "torch.device()":
            yield from argument.origin.operands[:1]


def _is_cuda(value: Value) -> bool:
    """`"cuda"`, `torch.device("cuda")` or a type such as torch.cuda.FloatTensor, written out."""
    if value.origin.name == "library":
        return value.origin.label.startswith("torch.cuda.") and value.origin.label.endswith("Tensor")
    if value.origin.name == "unknown" and value.origin.label == "torch.device()" and value.origin.operands:
        return _is_cuda(value.origin.operands[0])
    return isinstance(value.constant, str) and not value.is_default and value.constant.startswith("cuda")


def _asks_for_either(value: Value) -> bool:
    """`"cuda" if x.is_cuda else "cpu"` as a device, written there or a name for it."""
    return any(
        any(_is_cuda(each) for each in argument.alternatives) and len(argument.alternatives) > 1
        for argument in _devices(value)
    )


def _unconditional(value: Value) -> Iterator[Value]:
    """What a value is made of on every path of the constructor."""
    pending, seen = [value], 0
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        if current.origin.name != "phi":
            yield current
            pending.extend((*current.origin.operands, *current.origin.keywords.values()))


def _is_read(name: str, attribute: Value, graph: Graph) -> bool:
    """Whether the loss computes with an attribute; a module it calls leaves its name in what it returns."""
    taken = [value for op in graph.ops for value in (*op.operands, *op.keywords.values())]
    modules = [op.origin.module for op in graph.ops if op.origin.module is not None]
    used = (*ancestors(taken), *modules)
    return any(value.key == attribute.key or value.origin.label == f"self.{name}()" for value in used)


def _is_there_already(op: Op, followed: str) -> bool:
    """Whether what is moved is computed from the tensor that is asked, by more than its sizes."""
    pending, seen = list(op.operands[:1]) if op.name in ("cuda", "to") else [], 0
    while pending and seen < 40:
        value = pending.pop()
        seen += 1
        if value.origin.name == "parameter" and value.origin.label == followed:
            return True
        if value.is_tensor or value.kind is Kind.UNKNOWN:
            pending.extend(each for each in value.origin.operands if each.kind is not Kind.NUMBER)
    return False


def _follows(op: Op, followed: str) -> Finding:
    shown = excerpt(op.value)
    return RULE.finding(
        op.site,
        f"`{shown}` goes to the current GPU, and `{followed}` may be on another one: with several GPUs the two do not meet; "
        f"take `{followed}.device`",
        evidence=with_calls(op, ()),
    )


def _finding(site: Site, op: Op | None) -> Finding:
    shown = shortened(site.unit.code(site.node), 60)
    return RULE.finding(
        site,
        f"`{shown}` asks for CUDA wherever the inputs are: it fails without a GPU, and with several it may be another one; "
        "take the device of an input",
        evidence=with_calls(op, ()) if op is not None else (),
        rewrite=_rewrite(op) if op is not None else None,
    )


def _rewrite(op: Op) -> Rewrite | None:
    """`x.cuda()` becomes `x.to(pred.device)`, pred being an input of the loss."""
    call = op.site.node
    if op.name != "cuda" or not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute) or call.args:
        return None
    moved = op.operands[0]
    names = [
        name
        for name, value in op.scope.items()
        if name.isidentifier() and value.origin.name == "parameter" and value.is_tensor and is_on_input(value)
    ]
    if not names or names[0] == excerpt(moved):
        return None
    receiver = parenthesised(op.site.unit.code(call.func.value))
    return Rewrite(
        Applicability.UNSAFE,
        f"take the device of `{names[0]}`",
        (Replacement(op.site, f"{receiver}.to({names[0]}.device)"),),
    )
