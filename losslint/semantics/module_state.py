"""Whether a module provably has parameters or buffers, which have to move with what holds it."""

from __future__ import annotations

from collections.abc import Mapping

from losslint.semantics.members import Instance
from losslint.semantics.values import Kind, Value

_LAYERS = frozenset(
    (
        "Linear Bilinear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d BatchNorm1d BatchNorm2d "
        "BatchNorm3d LayerNorm GroupNorm Embedding LSTM GRU RNN MultiheadAttention PReLU"
    ).split()
)
_TENSORS = ("weight", "pos_weight")
_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})
_DEPTH = 4


def state_of(module: Value, built: Mapping[int, object], depth: int = _DEPTH) -> str | None:
    """A parameter or buffer that a module has, in words; None where it has none, or nothing is known of it.

    `built` holds the instances of the project's own classes by the key of their value.
    """
    if depth == 0:
        return None
    instance = built.get(module.key)
    if isinstance(instance, Instance):
        return _of_instance(instance, built, depth)
    if module.kind is not Kind.MODULE or module.origin.name != "module":
        return None
    name = module.origin.label.rpartition(".")[2]
    if name in _LAYERS:
        return f"the parameters of {name}"
    for given in _TENSORS:
        value = module.origin.keywords.get(given)
        if value is not None and value.is_tensor:
            return f"the buffer {given} of {name}"
    if name in _CONTAINERS:
        return next((each for part in members_of(module) if (each := state_of(part, built, depth - 1))), None)
    return None


def members_of(container: Value) -> tuple[Value, ...]:
    """The modules in a list, tuple, dict or container module."""
    if container.origin.name == "phi":
        return tuple(each for alternative in container.origin.operands for each in members_of(alternative))
    if container.origin.name == "comprehension":
        return tuple(each for operand in container.origin.operands for each in operand.alternatives)
    if isinstance(container.elements, tuple):
        return container.elements
    if isinstance(container.elements, Mapping):
        return tuple(container.elements.values())
    if container.kind is Kind.MODULE:
        parts = container.origin.operands
        return tuple(each for part in parts for each in ((part,) if part.kind is Kind.MODULE else members_of(part)))
    return container.origin.operands if container.origin.name in ("sequence", "mapping") else ()


def _of_instance(instance: Instance, built: Mapping[int, object], depth: int) -> str | None:
    for name, value in instance.attributes.items():
        if value.origin.name == "parameter_tensor":
            return f"its parameter {name}"
        if name in instance.buffers and value.is_tensor:
            return f"its buffer {name}"
        inner = state_of(value, built, depth - 1)
        if inner is not None:
            return inner
    return None
