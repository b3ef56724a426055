"""a tensor made without device= meets the inputs

`torch.zeros(n)`, `torch.eye(n)`, `torch.arange(n)` and `torch.tensor([...])` make their tensor on the CPU. As soon as the
inputs are on a GPU, the operator that brings the two together fails with "Expected all tensors to be on the same device".
Tests on a machine without a GPU never see it.

Reported is a tensor that provably has a dimension and meets a tensor that comes from an input: in arithmetic, a matrix
product, cat, a loss of torch, gather, or as a CPU tensor that a GPU tensor indexes. Silent are what CUDA allows (scalars,
CPU indices into a GPU tensor, copies by `x[1:3] = ...`), tensors moved by `.to(...)`, `type_as` or `.cuda()`, paths
that ask for the device, and those of a setting without which the tensor is moved.

## Bad

```python
import torch

def off_diagonal_loss(features, target):
    similarity = features @ features.t()
    return ((similarity - torch.eye(features.size(0))) ** 2).mean() + (features - target).abs().mean()
```

## Good

```python
import torch

def off_diagonal_loss(features, target):
    similarity = features @ features.t()
    identity = torch.eye(features.size(0), device=features.device)
    return ((similarity - identity) ** 2).mean() + (features - target).abs().mean()
```

The fix adds `device=`, and is safe: on the CPU nothing changes. Constants that a module keeps belong into a buffer
(unregistered-tensor). A run confirms it on a GPU, or on a pretend device that has CUDA's rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.devices import is_on_input
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.devices.mixing import Mixture, is_constant, mixtures

RULE = Rule(
    code="LL502", name="factory-without-device", severity=Severity.WARNING, doubted=True, confirmed_by=("device",)
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a factory call of the loss whose tensor meets an input."""
    makers = {id(op.origin): op for op in graph.ops}
    for mixture in mixtures(graph):
        maker = makers.get(id(mixture.source.origin))
        if maker is not None:
            yield _finding(maker, mixture)
        elif is_constant(mixture.source):
            yield _constant(mixture)


def _constant(mixture: Mixture) -> Finding:
    site = mixture.source.origin.site
    assert site is not None
    made, meets = excerpt(mixture.source), excerpt(mixture.on_input)
    return RULE.finding(
        site,
        f"`{made}` is made on the CPU when the module is imported and cannot be mixed with `{meets}` when the inputs are on "
        "a GPU; move it where it is used",
        evidence=with_calls(mixture.op, [Step(mixture.op.site, f"it meets `{meets}`, which is where the inputs are")]),
    )


def _finding(maker: Op, mixture: Mixture) -> Finding:
    made, meets = excerpt(mixture.source), excerpt(mixture.on_input)
    steps = [
        Step(maker.site, f"`{made}` is made on the CPU"),
        Step(mixture.op.site, f"and meets `{meets}`, which is where the inputs are"),
    ]
    return RULE.finding(
        maker.site,
        f"`{made}` is made on the CPU and cannot be mixed with `{meets}` when the inputs are on a GPU; give it a `device=`",
        evidence=with_calls(maker, steps),
        rewrite=_rewrite(maker, mixture.on_input),
    )


def _rewrite(maker: Op, partner: Value) -> Rewrite | None:
    """`torch.zeros(n)` becomes `torch.zeros(n, device=x.device)`, x being a name bound there to what is on the device."""
    call = maker.site.node
    name = _placed_name(maker.scope, partner)
    if name is None or not isinstance(call, cst.Call) or not call.args or not _takes_device(maker):
        return None
    if any(argument.star or (argument.keyword and argument.keyword.value == "device") for argument in call.args):
        return None
    last = call.args[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=cst.SimpleWhitespace(""))
    code = maker.site.unit.code(call.with_changes(args=[*call.args[:-1], last]))
    return Rewrite(
        Applicability.SAFE,
        f"make the tensor on the device of `{name}`",
        (Replacement(maker.site, f"{code.rstrip().removesuffix(')')}, device={name}.device)"),),
    )


def _takes_device(maker: Op) -> bool:
    """Whether the constructor has a `device=`: from_numpy and FloatTensor have none, or none but the CPU."""
    return maker.name != "from_numpy" and not maker.origin.label.endswith("Tensor")


def _placed_name(scope: Mapping[str, Value], partner: Value) -> str | None:
    """A plain name that is bound, where the tensor is made, to the partner or to what it is computed from."""
    names: dict[int, str] = {}
    for name, value in scope.items():
        if name.isidentifier() and value.is_tensor and is_on_input(value):
            names.setdefault(value.key, name)
    return next((names[value.key] for value in ancestors([partner]) if value.key in names), None)
