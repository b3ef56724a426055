"""What a call leaves behind: changed arguments, a state the next step fails on, numbers that differ between calls."""

from __future__ import annotations

import random
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ..case import SEED, Case, objective, parameters, results
from ..loading import first_line
from ..nonfinite import backward_origin, forward_origin
from ..user_lines import Line, current_line, raised_at

LEARNING_RATE = 1e-3
_SAME = 1e-5
"""Relative; sums over threads differ by less."""
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')

Make = Callable[[], Callable[..., Any]]


# Arguments


def input_mutation(case: Case) -> dict[str, Any]:
    """Whether a call changes a tensor that it was given. `arguments` are those it changes, the line is the first write's."""
    found: dict[str, Any] = {"status": "unchanged", "reason": "", "arguments": [], "filename": None, "line": None}
    try:
        watch = _watched_call(case, is_leaf=True)
    except Exception:
        # Some losses differentiate with respect to their inputs.
        try:
            watch = _watched_call(case, is_leaf=False)
        except Exception as error:
            return found | {"status": "skipped", "reason": _text(error)}
    changed = watch.changed()
    if not changed:
        return found
    line = next((watch.lines[name] for name in watch.lines if name in changed), None)
    place = {"filename": line["filename"], "line": line["line"]} if line is not None else {}
    return found | {"status": "mutated", "arguments": changed} | place


def _watched_call(case: Case, is_leaf: bool) -> _Writes:
    loss = case.fresh()
    given: dict[str, list[Tensor]] = {}
    values: dict[str, Any] = {}
    for each in case.arguments:
        is_wanted = each.differentiable and not is_leaf
        values[each.name] = pytree.tree_map(lambda leaf, is_wanted=is_wanted: _copied(leaf, is_wanted), each.value)
        given[each.name] = [leaf for leaf in pytree.tree_leaves(values[each.name]) if isinstance(leaf, Tensor)]
    watch = _Writes(given, case.is_users)
    with torch.enable_grad(), watch:
        case.call(loss, values)
    return watch


def _copied(leaf: Any, is_wanted: bool) -> Any:
    """A copy that may be changed in place: no leaf of the graph."""
    if not isinstance(leaf, Tensor):
        return leaf
    copied = leaf.detach().clone()
    return copied.requires_grad_().clone() if is_wanted and copied.is_floating_point() else copied


class _Writes(TorchDispatchMode):
    """Notes the user's line at which each of the tensors given first differs from what it was."""

    def __init__(self, given: dict[str, list[Tensor]], is_users: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_users = is_users
        self._before = {
            name: [(each, each.detach().clone()) for each in tensors if each.layout == torch.strided]
            for name, tensors in given.items()
        }
        self._owners = {
            each.untyped_storage().data_ptr(): name for name, pairs in self._before.items() for each, _ in pairs
        }
        self._owners.pop(0, None)
        self.lines: dict[str, Line | None] = {}

    def changed(self) -> list[str]:
        """The names of what differs now."""
        return [name for name in self._before if self._differs(name)]

    def _differs(self, name: str) -> bool:
        return not all(_is_same(now.detach(), before) for now, before in self._before[name])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        owners = [self._owners.get(each.untyped_storage().data_ptr()) for each in _written(func, args, kwargs)]
        result = func(*args, **kwargs)
        for name in owners:
            if name is not None and name not in self.lines and self._differs(name):
                self.lines[name] = current_line(self._is_users)
        return result


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The arguments of an operator that it writes to."""
    written: list[Any] = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written += pytree.tree_leaves(args[position] if position < len(args) else kwargs.get(argument.name))
    return [each for each in written if isinstance(each, Tensor) and each.layout == torch.strided]


def _is_same(now: Tensor, before: Tensor) -> bool:
    """Bit by bit, so that what is not a number equals itself."""
    if now.shape != before.shape or now.dtype != before.dtype:
        return False
    return torch.equal(_bytes(now), _bytes(before))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.resolve_conj().resolve_neg().contiguous().flatten().view(torch.uint8)


# The second step


def second_step(case: Case) -> dict[str, Any]:
    """Two steps of training on one instance: whether the second fails where the first did not."""
    # Autograd then tells, of an operator whose backward raises, where its forward is.
    with warnings.catch_warnings(record=True) as told, torch.autograd.set_detect_anomaly(True, check_nan=False):
        warnings.simplefilter("always")
        return _two_steps(case, told)


def _two_steps(case: Case, told: list[warnings.WarningMessage]) -> dict[str, Any]:
    found: dict[str, Any] = {"status": "passed", "reason": "", "filename": None, "line": None}
    loss = case.fresh()
    try:
        first = _step(case, loss)
    except Exception as error:
        return found | {"status": "skipped", "reason": f"the first step fails: {_text(error)}"}
    if first is None:
        return found | {"status": "skipped", "reason": "the result carries no gradient"}
    if not all(first):
        return found | {"status": "skipped", "reason": "the first step is not finite"}
    try:
        second = _step(case, loss)
    except Exception as error:
        line = raised_at(error, case.is_users) or _forward_line(told, case.is_users)
        return found | {"status": "failed", "reason": _text(error)} | _place(line)
    if second is None:
        return found | {"status": "failed", "reason": "the second result carries no gradient"}
    if not all(second):
        what, origin = ("gradient", backward_origin) if second[0] else ("value", forward_origin)
        place = _place(origin(replace(case, make=_stepped(case))))
        return found | {"status": "failed", "reason": f"its {what} is not finite"} | place
    return found


def _step(case: Case, loss: Callable[..., Any]) -> tuple[bool, bool] | None:
    """Forward, backward, an update of the loss's own parameters. Whether value and gradient are finite; None without one."""
    values, leaves = case.inputs()
    own = parameters(loss)
    for parameter in own.values():
        parameter.grad = None
    output = case.call(loss, values)
    total = objective(output)
    if total is None:
        return None
    total.backward()
    gradients = [each.grad for each in (leaves | own).values() if each.grad is not None]
    with torch.no_grad():
        for parameter in own.values():
            if parameter.grad is not None:
                parameter.sub_(LEARNING_RATE * parameter.grad)
                parameter.grad = None
    return _are_finite(results(output)), _are_finite(gradients)


def _forward_line(told: list[warnings.WarningMessage], is_users: Callable[[str], bool]) -> Line | None:
    for each in told:
        for filename, line, function in reversed(_FRAME.findall(str(each.message))):
            if is_users(filename):
                return {"filename": filename, "line": int(line), "function": function}
    return None


def _stepped(case: Case) -> Make:
    """How an instance is made that has one step behind it."""

    def make() -> Callable[..., Any]:
        loss = case.make()
        _step(case, loss)
        return loss

    return make


def _are_finite(tensors: list[Tensor]) -> bool:
    return all(bool(torch.isfinite(each.detach()).all()) for each in tensors)


def _place(line: Any) -> dict[str, Any]:
    return {"filename": line.get("filename"), "line": line.get("line")} if line else {}


# Randomness


def determinism(case: Case) -> dict[str, Any]:
    """Whether new instances give the same result on the same inputs, with one seed and with different ones."""
    found = {"status": "deterministic", "reason": "", "changes": ""}
    try:
        first = _seeded(case, SEED)
        if not _are_alike(first, _seeded(case, SEED)):
            return found | {"status": "random", "changes": "same seed differs"}
        if not all(_are_alike(first, _seeded(case, SEED + offset)) for offset in (1, 2)):
            return found | {"status": "random", "changes": "different seeds differ"}
    except Exception as error:
        return found | {"status": "skipped", "reason": _text(error)}
    if not first:
        return found | {"status": "skipped", "reason": "it returns no float tensor"}
    return found


def _seeded(case: Case, seed: int) -> list[Tensor]:
    """The results of a new instance; the seed is set once it is made."""
    loss = case.fresh()

    def seeded(*positional: Any, **named: Any) -> Any:
        torch.manual_seed(seed)
        random.seed(seed)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(seed)
        return loss(*positional, **named)

    values, _ = case.inputs()
    return [each.detach().clone() for each in results(case.call(seeded, values))]


def _are_alike(ones: list[Tensor], others: list[Tensor]) -> bool:
    return len(ones) == len(others) and all(
        one.shape == other.shape and torch.allclose(one, other, rtol=_SAME, equal_nan=True)
        for one, other in zip(ones, others, strict=True)
    )


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
