"""Repeating a call of a loss so that all that carries no gradient keeps the value it had at the first call.

Differences of such repeated calls are what the backward pass ought to give: to autograd, what `detach`, `.data` and
`torch.no_grad` produced is constant. The call also runs in float64 wherever the loss asks for float32.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from .user_lines import Line, current_line

_NARROW = frozenset({torch.float32, torch.float16, torch.bfloat16, torch.complex64})
_WIDE = frozenset({torch.float64, torch.complex128})
_TENSOR: Any = Tensor
_WIDER: dict[Any, Any] = {
    torch.float32: torch.float64,
    torch.complex64: torch.complex128,
    torch.FloatTensor: torch.DoubleTensor,
    "torch.FloatTensor": "torch.DoubleTensor",
    Tensor.float: Tensor.double,
    _TENSOR.cfloat: _TENSOR.cdouble,
}
_STOPS = frozenset({Tensor.detach, torch.detach, _TENSOR.data.__get__, _TENSOR.grad.__get__})
_SILENT_WRITES = frozenset({Tensor.detach_, _TENSOR.data.__set__})
_NUMBERS = frozenset({Tensor.item, Tensor.__float__, Tensor.tolist, Tensor.__int__, Tensor.__bool__})
_REAL_NUMBERS = frozenset({Tensor.item, Tensor.__float__, Tensor.tolist})
_APPLY = Function.apply.__func__.__code__  # type: ignore[attr-defined]
_SET_GRAD_ENABLED: Any = torch._C._set_grad_enabled


@dataclass
class Recording:
    """What one call met, in order: values that carry no gradient, writes to tensors, numbers taken out of tensors."""

    values: list[list[Tensor]] = field(default_factory=list)
    writes: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    numbers: list[Any] = field(default_factory=list)
    number_lines: list[Line | None] = field(default_factory=list)
    hook_lines: list[Line | None] = field(default_factory=list)
    narrowed_at: Line | None = None
    narrowed: bool = False


class StopGradients(TorchFunctionMode):
    """Records a call, or repeats a recorded one; `diverged` says that the call took another path than the recorded one.

    `freeze_numbers` keeps the numbers that `.item()`, `float()` and `.tolist()` took from differentiable tensors as well.
    """

    def __init__(
        self, is_users: Callable[[str], bool], replayed: Recording | None = None, freeze_numbers: bool = False
    ) -> None:
        super().__init__()
        self.recording = Recording() if replayed is None else replayed
        self.diverged = False
        self.grad_enabled = True
        self._replays = replayed is not None
        self._freeze_numbers = freeze_numbers
        self._is_users = is_users
        self._values = deque(self.recording.values)
        self._writes = deque(self.recording.writes)
        self._numbers = deque(self.recording.numbers)
        self._frozen: dict[int, tuple[Tensor, Tensor]] = {}

    def completed(self) -> bool:
        """Whether the repeated call met all that the recorded one had met, and nothing else."""
        return not (self.diverged or (self._replays and (self._values or self._writes)))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is _SET_GRAD_ENABLED:
            if not _in_custom_function():
                self.grad_enabled = bool(args[0])
            return func(*args, **kwargs)
        if func is F.gumbel_softmax and (kwargs.get("hard") or args[2:3] == (True,)):
            return self._hard_gumbel_softmax(args, kwargs)
        func, args, kwargs = _widened(func, args, kwargs)
        inputs = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        target = kwargs["out"] if isinstance(kwargs.get("out"), Tensor) else inputs[0] if inputs else None
        stops = self._stops(func, kwargs) or func in _SILENT_WRITES
        before = target.detach().clone() if target is not None and (stops or id(target) in self._frozen) else None
        version = _version(target)
        lives = any(each.requires_grad for each in inputs)
        result = func(*args, **kwargs)
        written = target is not None and (_version(target) != version or func in _SILENT_WRITES)
        self._note(func, inputs, lives, [result, target] if written else [result])
        if written and target is not None:
            self._written(target, before, stops)
            return result
        if func in _NUMBERS:
            return self._number(func, inputs, stops, result)
        if stops or (lives and _lost_gradient(result) and not _in_custom_function()):
            return self._stopped(result)
        return result

    def _stops(self, func: Any, kwargs: dict[str, Any]) -> bool:
        if not self.grad_enabled or torch.is_inference_mode_enabled():
            return True
        constant = func in _STOPS or (func is torch.autograd.grad and not kwargs.get("create_graph"))
        return constant and not _in_custom_function()

    def _stopped(self, result: Any) -> Any:
        """The result of an operation that no gradient goes through: as it was at the recorded call."""
        leaves, structure = pytree.tree_flatten(result)
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and not leaf.requires_grad]
        if not places:
            return result
        if not self._replays:
            self.recording.values.append([leaves[i].detach().clone() for i in places])
            return result
        recorded = self._values.popleft() if self._values else []
        if [each.shape for each in recorded] != [leaves[i].shape for i in places]:
            self.diverged = True
            return result
        for i, value in zip(places, recorded, strict=True):
            # What has not changed stays the view that it is: writes to it must reach what it is a view of.
            if value.dtype != leaves[i].dtype or not torch.equal(value, leaves[i]):
                fresh, leaves[i] = leaves[i], value.clone()
                self._frozen[id(leaves[i])] = (leaves[i], fresh)
        return pytree.tree_unflatten(leaves, structure)

    def _written(self, target: Tensor, before: Tensor | None, stops: bool) -> None:
        """A write that no gradient sees adds a constant to what carries a gradient, and replaces what carries none."""
        if stops and before is not None and not target.is_inference():
            after = target.detach()
            if not self._replays:
                self.recording.writes.append((before, after.clone()))
            elif not self._writes or self._writes[0][0].shape != after.shape:
                self.diverged = True
                return
            else:
                recorded_before, recorded_after = self._writes.popleft()
                if target.requires_grad and target.is_floating_point():
                    after.copy_(before + (recorded_after - recorded_before))
                else:
                    after.copy_(recorded_after)
        if before is not None and id(target) in self._frozen and target.is_floating_point():
            with torch.no_grad():
                self._frozen[id(target)][1].add_(target.detach() - before)

    def _number(self, func: Any, inputs: list[Tensor], stops: bool, result: Any) -> Any:
        real = func in _REAL_NUMBERS and bool(inputs) and inputs[0].requires_grad
        if not (stops or real):
            return result
        if not self._replays:
            self.recording.numbers.append(result)
            self.recording.number_lines.append(None if stops else current_line(self._is_users))
            return result
        recorded = self._numbers.popleft() if self._numbers else result
        return recorded if stops or self._freeze_numbers else result

    def _hard_gumbel_softmax(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One-hot numbers with the gradient of the soft ones. The `detach` inside torch's own is out of a mode's sight."""
        logits, tau, _, eps, dim = (args + (1.0, False, 1e-10, -1)[len(args) - 1 :])[:5]
        tau, dim = kwargs.get("tau", tau), kwargs.get("dim", dim)
        soft = F.gumbel_softmax(kwargs.get("logits", logits), tau=tau, hard=False, eps=eps, dim=dim)
        hard = torch.zeros_like(soft).scatter_(dim, soft.argmax(dim, keepdim=True), 1.0)
        correction = self._stopped((hard - soft).detach())
        return soft + correction

    def _note(self, func: Any, inputs: list[Tensor], lives: bool, results: list[Any]) -> None:
        """Remember hooks, and the first place where numbers that matter lose digits."""
        if self._replays:
            return
        if func is Tensor.register_hook:
            self.recording.hook_lines.append(current_line(self._is_users))
        matters = lives or (self.grad_enabled and not torch.is_grad_enabled())
        if self.recording.narrowed or not matters or not any(each.dtype in _WIDE for each in inputs):
            return
        found = [leaf for leaf in pytree.tree_leaves(results) if isinstance(leaf, Tensor) and leaf.dtype in _NARROW]
        if any(leaf.requires_grad or not torch.is_grad_enabled() for leaf in found):
            self.recording.narrowed = True
            self.recording.narrowed_at = current_line(self._is_users)


def _widened(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The same operation in float64, where it was asked for in float32 or mixes both. What it writes to is left alone."""
    leaves, structure = pytree.tree_flatten((args, kwargs))
    wide = any(isinstance(leaf, Tensor) and leaf.dtype in _WIDE for leaf in leaves)
    name = getattr(func, "__name__", "")
    writes = name.startswith(("__set", "__i")) or (name.endswith("_") and not name.endswith("__"))
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            kept = (writes and i == 0) or leaf is kwargs.get("out")
            if wide and not kept and leaf.dtype in (torch.float32, torch.complex64):
                leaves[i] = leaf.to(_WIDER[leaf.dtype])
        elif isinstance(leaf, (torch.dtype, str, type)):
            leaves[i] = _WIDER.get(leaf, leaf)
    args, kwargs = pytree.tree_unflatten(leaves, structure)
    return _WIDER.get(func, func), args, kwargs


def _version(tensor: Tensor | None) -> int | None:
    return None if tensor is None or tensor.is_inference() else tensor._version


def _lost_gradient(result: Any) -> bool:
    """Whether float numbers came out of a differentiable operation's inputs without a gradient, as of `torch.tensor(x)`."""
    if not torch.is_grad_enabled():
        return False
    found = [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    return any(not leaf.requires_grad for leaf in found)


def _in_custom_function() -> bool:
    """Whether a `torch.autograd.Function` runs its forward: grad mode is off there, and its backward gives the gradient."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _APPLY:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
