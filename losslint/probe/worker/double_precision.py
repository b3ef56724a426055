"""Losses and their arguments in float64, in which differences are fine enough to compare derivatives with."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from .case import Case

_DEAR_INSTANCE = 0.05
"""Seconds from which on making a new instance for every evaluation is too slow."""


def instances(case: Case) -> Callable[[], Callable[..., Any]]:
    """Gives an instance in float64 and in its first state, time and again."""

    def made() -> Callable[..., Any]:
        loss = case.fresh()
        owner = getattr(loss, "__self__", loss)
        if isinstance(owner, torch.nn.Module):
            owner.double()
        return loss

    began = time.monotonic()
    with default_type(torch.float32):
        first = made()
    owner = getattr(first, "__self__", first)
    if time.monotonic() - began <= _DEAR_INSTANCE or not isinstance(owner, torch.nn.Module):

        def fresh() -> Callable[..., Any]:
            with default_type(torch.float32):
                return made()

        return fresh
    tensors = {name: each.detach().clone() for name, each in owner.state_dict().items()}
    plain = [(module, _plain_attributes(module)) for module in owner.modules()]

    def restored() -> Callable[..., Any]:
        owner.load_state_dict(tensors)
        for module, attributes in plain:
            vars(module).update(copy.deepcopy(attributes))
        return first

    return restored


def _plain_attributes(module: torch.nn.Module) -> dict[str, Any]:
    """What a module keeps beside its parameters, buffers and submodules: counters, averages, lists of such."""
    kinds = (bool, int, float, str, type(None), Tensor)
    return {
        name: copy.deepcopy(value)
        for name, value in vars(module).items()
        if not name.startswith("_") and all(isinstance(leaf, kinds) for leaf in pytree.tree_leaves(value))
    }


def doubled(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.double() if tensor.is_floating_point() else tensor


@contextmanager
def default_type(wanted: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(wanted)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
