"""The loss in float16 and bfloat16: the same inputs, rounded. Overflow starts at 65504 in float16."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ..case import Case
from ..observed import Observer
from ..outcome import outcome

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def measure(case: Case, observer: Observer) -> dict[str, Any]:
    """Outcomes by dtype; `unsupported` where torch lacks an operator on this device."""
    found = {}
    for name, dtype in DTYPES.items():
        result = outcome(_cast(case, dtype), name, observer)
        if result["status"] == "error" and "not implemented for" in (result["error"] or ""):
            result["status"] = "unsupported"
        found[name] = result
    return {"status": "ok", "dtypes": found}


def _cast(case: Case, dtype: torch.dtype) -> Case:
    def make() -> Any:
        loss = case.make()
        owner = getattr(loss, "__self__", loss)
        if isinstance(owner, torch.nn.Module):
            owner.to(dtype)
        return loss

    cast = case.mapped(lambda argument, tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)
    return type(case)(make, cast.arguments, case.is_users, case.by_name)


def has_floats(case: Case) -> bool:
    """Whether there is anything to cast."""
    leaves = pytree.tree_leaves([each.value for each in case.arguments])
    return any(isinstance(leaf, Tensor) and leaf.is_floating_point() for leaf in leaves)
