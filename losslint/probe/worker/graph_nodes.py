"""Autograd's nodes as a sum is walked down: what is linear, with which factor, and what lies below."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

# Linear in all of their tensors; Mul, Div and Where are so in one.
LINEAR = frozenset(
    "Add Sub Rsub Neg Stack Cat Mean Sum Squeeze Unsqueeze View UnsafeView ReshapeAlias Alias Expand Permute Transpose T "
    "Clone ToCopy Select Slice Index MaskedSelect MaskedFill".split()
)

Node = Any
Edge = tuple[Node, int]


def edge_of(tensor: Tensor) -> Edge:
    return tensor.grad_fn, tensor.output_nr


def children(node: Node) -> list[Edge]:
    return [(child, number) for child, number in node.next_functions if child is not None]


def kind_of(node: Node) -> str:
    """`Mean` for MeanBackward1."""
    name: str = node.name()
    return name.rpartition("::")[2].partition("Backward")[0]


def is_arithmetic(node: Node) -> bool:
    """A sum with constants or a multiple: it says less of a term than what it is applied to."""
    kind = kind_of(node)
    if kind in ("Mul", "Div"):
        return constant_of(node) is not None
    return kind in ("Add", "Sub", "Rsub", "Neg")


def constant_of(node: Node) -> float | None:
    """The number that a tensor is multiplied with or divided by."""
    other = node._saved_other if node.next_functions[0][0] is not None else node._saved_self
    return (
        float(other.detach()) if isinstance(other, Tensor) and other.numel() == 1 and not other.is_complex() else None
    )


def factor(node: Node, index: int) -> float:
    kind = kind_of(node)
    if kind == "Neg":
        return -1.0
    if kind in ("Add", "Sub") and index == 1:
        return float(node._saved_alpha) * (-1.0 if kind == "Sub" else 1.0)
    if kind == "Rsub" and index == 0:
        return -float(node._saved_alpha)
    if kind in ("Mul", "Div"):
        constant = constant_of(node)
        if constant is not None:
            return constant if kind == "Mul" else 1.0 / constant if constant else math.inf
    return 1.0
