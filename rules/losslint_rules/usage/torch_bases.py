"""What is known of a class by its bases outside the project: nn.Module, bases that read no attributes, and unknown ones."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.names import Unit, dotted
from losslint.semantics.operators.torch_names import torch_names

_MODULES = frozenset({"torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"})
_LOSSES = frozenset({"torch.nn.modules.loss._Loss", "torch.nn.modules.loss._WeightedLoss"})
_PYTHONS = frozenset({"object", "abc.ABC", "ABC", "typing.Generic", "Generic", "typing.Protocol", "Protocol"})
_NO_MODULES = frozenset({"Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer"})


def reads_nothing(graph: Graph) -> bool:
    """Whether no base outside the project can read an attribute of the loss, or ask it to take a parameter."""
    return all(base in _MODULES | _LOSSES | _PYTHONS for base in graph.foreign)


def is_module(graph: Graph) -> bool:
    """Whether the loss is an nn.Module, and nothing else that is not known."""
    return any(_is_torchs(base) for base in graph.foreign) and all(
        _is_torchs(base) or base in _PYTHONS for base in graph.foreign
    )


def _is_torchs(base: str) -> bool:
    return base in _LOSSES or (base.startswith("torch.nn.") and base.rpartition(".")[2][:1].isupper())


def registered_as(node: cst.BaseExpression, unit: Unit) -> str:
    """What nn.Module keeps a new value as: "module", "parameter", "buffer", or nothing."""
    if not isinstance(node, cst.Call):
        return ""
    qualified = unit.qualified(node.func) or ""
    space, _, name = qualified.rpartition(".")
    if space == "torch.nn" and name[:1].isupper() and name in (torch_names(space) or ()):
        return {"Parameter": "parameter", "Buffer": "buffer"}.get(name, "" if name in _NO_MODULES else "module")
    called = node.func.value if isinstance(node.func, cst.Name) else ""
    return "module" if _is_module_class(called, unit, 8) else ""


def _is_module_class(name: str, unit: Unit, hops: int) -> bool:
    cls = unit.classes.get(name)
    if cls is None or hops == 0:
        return False
    bases = [argument.value for argument in cls.bases]
    return any(
        _is_torchs(unit.qualified(base) or "") or _is_module_class(dotted(base) or "", unit, hops - 1) for base in bases
    )
