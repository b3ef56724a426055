"""What a context manager does to the code inside it: gradients, devices, exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics.names import dotted

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

_NO_GRADIENT = frozenset({"torch.no_grad", "torch.inference_mode"})


def swallows(node: cst.BaseExpression) -> bool:
    """`with contextlib.suppress(TypeError):` goes on after an exception."""
    return isinstance(node, cst.Call) and (dotted(node.func) or "").rpartition(".")[2] in ("suppress", "raises")


def cuts_gradient(frame: Frame, node: cst.BaseExpression) -> bool:
    """`with torch.no_grad():`, or the decorator."""
    if isinstance(node, cst.Call):
        qualified = frame.unit.qualified(node.func) or dotted(node.func)
        if qualified == "torch.set_grad_enabled":
            return bool(node.args) and isinstance(node.args[0].value, cst.Name) and node.args[0].value.value == "False"
        return qualified in _NO_GRADIENT
    return frame.unit.qualified(node) in _NO_GRADIENT


def sets_device(frame: Frame, node: cst.BaseExpression) -> bool:
    """`with torch.device("cuda"):` and `with x.device:`: factories make their tensors elsewhere."""
    if isinstance(node, cst.Call):
        return frame.unit.qualified(node.func) == "torch.device"
    return (dotted(node) or "").rpartition(".")[2] == "device"


def enables_gradient(frame: Frame, node: cst.BaseExpression) -> bool:
    """`with torch.enable_grad():`."""
    return isinstance(node, cst.Call) and frame.unit.qualified(node.func) == "torch.enable_grad"
