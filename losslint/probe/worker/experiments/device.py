"""The loss on a GPU: a tensor that stays on the CPU makes the first step fail there, and no test on a CPU shows it.

On the pretend GPU, or a real one with `--device cuda`. It must run in a process of its own, before that process's first
backward pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from .. import pretend_gpu
from ..case import Case, objective, results
from ..loading import first_line
from ..user_lines import raised_at

_MISMATCHES = (
    "on the same device",
    "can't convert cuda",
    "should be either on cpu or on the same device",
    "device type tensor to numpy",
)


def measure(case: Case, device: str = "pretend") -> dict[str, Any]:
    """`status`: passed, mismatch (with the user's line), unknown (something else went wrong) or skipped."""
    if device == "cuda":
        if not torch.cuda.is_available():
            return {"device": "cuda", "status": "skipped", "reason": "torch sees no GPU"}
        return _measured(
            case, "cuda", lambda tensor: tensor.detach().cuda().requires_grad_(tensor.requires_grad), nullcontext()
        )
    if not pretend_gpu.available():
        return {"device": "pretend-cuda", "status": "skipped", "reason": "this torch has no Python devices"}
    pretend_gpu.set_up()
    return _measured(case, pretend_gpu.NAME, pretend_gpu.on_gpu, pretend_gpu.pretending())


def _measured(
    case: Case, target: str, move: Callable[[Tensor], Tensor], within: AbstractContextManager[None]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "device": "cuda" if target == "cuda" else "pretend-cuda",
        "status": "passed",
        "reason": "",
        "filename": None,
        "line": None,
        "output_device": None,
        "forward_passed": False,
        "backward_passed": False,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _run(case, target, move, within, found)
    except Exception as error:
        line = raised_at(error, case.is_users)
        is_mismatch = any(words in str(error) for words in _MISMATCHES)
        if is_mismatch and line is not None and _asks_for_a_gpu(line["filename"]):
            is_mismatch = False
            error = RuntimeError("the file asks torch.cuda.is_available(), and was imported where there is none")
        found |= {
            "status": "mismatch" if is_mismatch else "unknown",
            "reason": first_line(error) if is_mismatch else f"{type(error).__name__}: {first_line(error)}",
            "filename": line["filename"] if line else None,
            "line": line["line"] if line else None,
        }
    return found


def _run(
    case: Case,
    target: str,
    move: Callable[[Tensor], Tensor],
    within: AbstractContextManager[None],
    found: dict[str, Any],
) -> None:
    loss = case.fresh()
    values, _ = case.inputs()
    values = {
        name: pytree.tree_map(lambda leaf: move(leaf) if isinstance(leaf, Tensor) else leaf, value)
        for name, value in values.items()
    }
    moved = [
        leaf for leaf in pytree.tree_leaves(list(values.values())) if isinstance(leaf, Tensor) and leaf.requires_grad
    ]
    with within:
        owner = getattr(loss, "__self__", loss)
        if isinstance(owner, torch.nn.Module):
            owner.to(target)
            moved += [each for each in owner.parameters() if each.requires_grad]
        output = case.call(loss, values)
        found["forward_passed"] = True
        devices = {each.device.type for each in results(output)}
        found["output_device"] = "cpu" if devices == {"cpu"} else "cuda"
        total = objective(output)
        if total is not None and moved:
            torch.autograd.grad(total, moved, allow_unused=True)
        found["backward_passed"] = True


def _asks_for_a_gpu(filename: str) -> bool:
    """Whether a file chose its device when it was imported, on a machine that may have none."""
    try:
        return "is_available" in Path(filename).read_text("utf-8", "replace")
    except OSError:
        return False
