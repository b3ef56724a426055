"""A loss together with inputs that run through it: what every experiment is given."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

SEED = 20


@dataclass(frozen=True)
class Argument:
    """One argument of a loss.

    `value` is a tensor, a number, a string, or a list, tuple or dict of such. `role` is prediction, target, weight, mask
    or other; `kind` says what its numbers mean: logits, probability, simplex, log-probability, real, embedding, image, boxes,
    index, binary, binary-index, one-hot, signs, mask, positive, length, or value for what is no tensor. Gradients are
    asked of `differentiable` ones alone. `text` is Python source that makes the value after `torch.manual_seed(SEED)`,
    if there is any.
    """

    name: str
    value: Any
    role: str = "other"
    kind: str = "value"
    differentiable: bool = False
    text: str = ""


@dataclass(frozen=True)
class Evaluated:
    """One call: what came back, the scalar that is differentiated (None where nothing carries a gradient), the leaves."""

    output: Any
    objective: Tensor | None
    leaves: dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    """A loss that can be made again and again, and arguments it runs on.

    `make` gives the callable: a new instance of a module, made under a fixed seed, or the function itself.
    `is_users` says whether a file belongs to the project (and not to torch, say). Arguments whose name is empty are passed
    by position, the others by name where `by_name` says so.
    """

    make: Callable[[], Callable[..., Any]]
    arguments: tuple[Argument, ...]
    is_users: Callable[[str], bool]
    by_name: frozenset[str] = frozenset()

    def fresh(self) -> Callable[..., Any]:
        """A new instance, the same at every call."""
        seed()
        return self.make()

    def with_values(self, values: dict[str, Any]) -> Case:
        """The same case with other values for the arguments named."""
        changed = tuple(
            replace(each, value=values[each.name]) if each.name in values else each for each in self.arguments
        )
        return replace(self, arguments=changed)

    def mapped(self, change: Callable[[Argument, Tensor], Tensor]) -> Case:
        """The same case with every tensor changed; `change` gets the argument it belongs to and the tensor."""
        return replace(self, arguments=tuple(replace(each, value=_map(each, change)) for each in self.arguments))

    def inputs(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Fresh copies of all arguments by name, and the leaves among them that gradients are asked of, by path."""
        values: dict[str, Any] = {}
        leaves: dict[str, Tensor] = {}
        for each in self.arguments:
            wanted = each.differentiable
            value = pytree.tree_map(lambda leaf, wanted=wanted: _copy(leaf, wanted), each.value)
            values[each.name] = value
            leaves |= {path: leaf for path, leaf in _tensors(each.name, value) if leaf.requires_grad}
        return values, leaves

    def call(self, loss: Callable[..., Any], values: dict[str, Any]) -> Any:
        """Call the loss under a fixed seed."""
        positional = [values[each.name] for each in self.arguments if each.name not in self.by_name]
        named = {each.name: values[each.name] for each in self.arguments if each.name in self.by_name}
        seed()
        return loss(*positional, **named)

    def evaluate(self, loss: Callable[..., Any] | None = None) -> Evaluated:
        """Call a loss (a fresh one unless it is given) on fresh copies of the arguments."""
        loss = self.fresh() if loss is None else loss
        values, leaves = self.inputs()
        output = self.call(loss, values)
        return Evaluated(output, objective(output), leaves | parameters(loss))


def seed() -> None:
    """Start all of torch's and Python's generators at the same point."""
    torch.manual_seed(SEED)
    random.seed(SEED)


def parameters(loss: Callable[..., Any]) -> dict[str, Tensor]:
    """The trainable parameters of a loss that is a module, as `self.<name>`."""
    owner = getattr(loss, "__self__", loss)
    if not isinstance(owner, torch.nn.Module):
        return {}
    return {f"self.{name}": each for name, each in owner.named_parameters() if each.requires_grad}


def results(output: Any) -> list[Tensor]:
    """The float tensors of an output that may be a tensor, a tuple, a list or a dict. Where one is called a loss, only it."""
    if isinstance(output, dict):
        for key in ("loss", "total_loss", "total"):
            if isinstance(output.get(key), (Tensor, float)):
                output = output[key]
                break
    if isinstance(output, (int, float)) and not isinstance(output, bool):
        # A number is what is left of a tensor that was taken out of the graph.
        return [torch.tensor(float(output))]
    found = [leaf for leaf in pytree.tree_leaves(output) if isinstance(leaf, Tensor)]
    return [leaf for leaf in found if leaf.is_floating_point() or leaf.is_complex()]


def objective(output: Any) -> Tensor | None:
    """What is differentiated: a scalar output itself, else all its numbers weighed by fixed numbers in [0.5, 1.5]."""
    carrying = [each for each in results(output) if each.requires_grad]
    total: Tensor | None = None
    for each in carrying:
        real = torch.view_as_real(each) if each.is_complex() else each
        part = real.reshape(()) if real.numel() == 1 else (real * _weights(real)).sum()
        total = part if total is None else total + part
    return total


def _weights(like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(SEED)
    weights = torch.rand(like.shape, generator=generator, dtype=torch.float64) + 0.5
    return weights.to(dtype=like.dtype, device=like.device)


def _copy(leaf: Any, differentiable: bool) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    copied = leaf.detach().clone()
    return copied.requires_grad_() if differentiable and copied.is_floating_point() else copied


def _map(argument: Argument, change: Callable[[Argument, Tensor], Tensor]) -> Any:
    return pytree.tree_map(lambda leaf: change(argument, leaf) if isinstance(leaf, Tensor) else leaf, argument.value)


def _tensors(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    leaves, _ = pytree.tree_flatten_with_path(value)
    for path, leaf in leaves:
        if isinstance(leaf, Tensor):
            yield name + pytree.keystr(path), leaf
