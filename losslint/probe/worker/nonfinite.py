"""Which line of the user's first makes a number that is not finite, forward or backward.

A TorchDispatchMode looks at the result of every operator; in the backward pass the running autograd node knows the
lines of its forward operator, because anomaly detection noted them. Slow, so it runs only once such a number was seen.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from .case import Case, objective
from .user_lines import Line, current_line

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
# They make numbers that are not finite on purpose, or hand on what was there.
_ON_PURPOSE = ("fill", "full", "empty", "copy", "where", "new_", "scalar_tensor", "lift", "detach", "clone", "masked")


class Origin(dict[str, Any]):
    """`op` and, where it is in the user's code, `filename`, `line` and `function`."""


class _FirstNonFinite(TorchDispatchMode):
    """Notes the first operator that turns finite numbers into others."""

    def __init__(self, where: Callable[[], Line | None]) -> None:
        super().__init__()
        self._where = where
        self.first: Origin | None = None
        self.any: Origin | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.first is None and not _is_finite(result) and not func.overloadpacket.__name__.startswith(_ON_PURPOSE):
            node: Any = torch._C._current_autograd_node()
            origin = Origin(op=node.name() if node is not None else str(func), **(self._where() or {}))
            if _is_finite((args, kwargs)):
                self.first = origin
            elif self.any is None:
                self.any = origin
        return result


def forward_origin(case: Case) -> Origin | None:
    """Where a call of the loss first leaves the finite numbers."""
    loss = case.fresh()
    values, _ = case.inputs()
    watch = _FirstNonFinite(lambda: current_line(case.is_users))
    with watch, torch.no_grad():
        case.call(loss, values)
    return watch.first or watch.any


def backward_origin(case: Case) -> Origin | None:
    """Where its backward pass does: the line of the forward operator whose gradient it is."""
    with warnings.catch_warnings(), torch.autograd.set_detect_anomaly(True, check_nan=False):
        warnings.simplefilter("ignore")
        evaluated = case.evaluate()
        total = objective(evaluated.output)
        if total is None or not evaluated.leaves:
            return None
        watch = _FirstNonFinite(lambda: _line_of_running_node(case.is_users))
        with watch:
            torch.autograd.grad(total, list(evaluated.leaves.values()), allow_unused=True)
    return watch.first or watch.any


def _line_of_running_node(is_users: Callable[[str], bool]) -> Line | None:
    node: Any = torch._C._current_autograd_node()
    trace = node.metadata.get("traceback_") if node is not None else None
    if trace is None:
        return None
    for frame in reversed(_FRAME.findall("".join(trace))):
        if is_users(frame[0]):
            return {"filename": frame[0], "line": int(frame[1]), "function": frame[2]}
    return None


def _is_finite(tree: Any) -> bool:
    for leaf in pytree.tree_leaves(tree):
        if isinstance(leaf, Tensor):
            if (leaf.is_floating_point() or leaf.is_complex()) and not bool(torch.isfinite(leaf.detach()).all()):
                return False
        elif isinstance(leaf, float) and leaf != leaf:
            return False
    return True
