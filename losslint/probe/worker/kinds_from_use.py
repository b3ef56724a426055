"""What the numbers of an argument mean, seen from the first operator that takes them, or else from how they look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

# What hands its input on with the meaning of the numbers unchanged.
_PASSING = frozenset(
    """view reshape flatten permute transpose swapaxes squeeze unsqueeze contiguous float double half to type type_as detach clone
    __getitem__ expand expand_as view_as gather index_select masked_select clamp clip clamp_min clamp_max t movedim long int
    chunk split unbind narrow select ravel repeat roll take_along_dim""".split()
)
# Operator -> what it says of its arguments, by position or keyword.
_SAYS: dict[str, tuple[tuple[int, str, str], ...]] = {
    "sigmoid": ((0, "input", "logits"),),
    "softmax": ((0, "input", "logits"),),
    "log_softmax": ((0, "input", "logits"),),
    "logsigmoid": ((0, "input", "logits"),),
    "logsumexp": ((0, "input", "logits"),),
    "gumbel_softmax": ((0, "logits", "logits"),),
    "cross_entropy": ((0, "input", "logits"), (1, "target", "class")),
    "binary_cross_entropy_with_logits": ((0, "input", "logits"), (1, "target", "unit")),
    "binary_cross_entropy": ((0, "input", "probability"), (1, "target", "unit")),
    "nll_loss": ((0, "input", "log-probability"), (1, "target", "index")),
    "kl_div": ((0, "input", "log-probability"), (1, "target", "simplex")),
    "log": ((0, "input", "probability"),),
    "one_hot": ((0, "tensor", "index"),),
    "gather": ((2, "index", "index"),),
    "scatter": ((2, "index", "index"),),
    "scatter_": ((2, "index", "index"),),
    "embedding": ((0, "input", "index"),),
    "normalize": ((0, "input", "embedding"),),
    "cosine_similarity": ((0, "x1", "embedding"), (1, "x2", "embedding")),
}


class KindsFromUse(TorchFunctionMode):
    """While it is on, `kinds` collects what operators say of the tensors that were named."""

    def __init__(self, named: dict[str, Any]) -> None:
        super().__init__()
        self.kinds: dict[str, set[str]] = {}
        self._kept: list[Tensor] = []
        self._names: dict[int, str] = {}
        for name, value in named.items():
            self._follow(name, pytree.tree_leaves(value))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        called = getattr(func, "__name__", "")
        for position, keyword, kind in _SAYS.get(called, ()):
            given = args[position] if len(args) > position else kwargs.get(keyword)
            name = self._names.get(id(given))
            if name is not None:
                self.kinds.setdefault(name, set()).add(_resolved(kind, given))
        result = func(*args, **kwargs)
        if called in _PASSING and args and id(args[0]) in self._names:
            self._follow(self._names[id(args[0])], pytree.tree_leaves(result))
        return result

    def _follow(self, name: str, leaves: Iterable[Any]) -> None:
        for leaf in leaves:
            if isinstance(leaf, Tensor):
                # Kept alive, so that no other tensor takes its id.
                self._kept.append(leaf)
                self._names[id(leaf)] = name


def _resolved(kind: str, given: Tensor) -> str:
    if kind == "class":
        return "simplex" if given.is_floating_point() else "index"
    if kind == "unit":
        return "binary"
    return kind


def agreement(kind: str, seen: set[str]) -> int:
    """1 where a kind fits what was seen, -1 where it contradicts it, 0 where nothing is known."""
    if not seen:
        return 0
    return 1 if any(kind in _FITTING.get(each, (each,)) for each in seen) else -1


_FITTING = {
    "logits": ("logits", "real", "embedding"),
    "probability": ("probability", "simplex", "positive", "image"),
    "log-probability": ("log-probability",),
    "index": ("index", "binary-index"),
    "binary": ("binary", "probability", "simplex", "one-hot", "binary-index"),
    "simplex": ("simplex", "one-hot"),
    "embedding": ("embedding", "real", "logits"),
}


def kind_of(value: Any) -> str:
    """The kind of a given value, as its numbers look."""
    tensors = [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, Tensor)]
    if not tensors:
        return "value"
    first = tensors[0]
    if first.dtype == torch.bool:
        return "mask"
    if not first.is_floating_point() and not first.is_complex():
        return "index"
    if first.is_complex() or first.numel() == 0:
        return "real"
    if bool(((first == 0) | (first == 1)).all()):
        return "binary"
    if bool(((first >= 0) & (first <= 1)).all()):
        return "probability"
    return "real"
