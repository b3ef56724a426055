"""Directions to differentiate along, and further points to do it at, that stay in the domain of what numbers mean."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Leaf:
    """Something derivatives are taken of: its value (float64) and what its numbers mean (see Argument)."""

    name: str
    value: Tensor
    kind: str


def tangent(leaf: Leaf, normal: Tensor) -> Tensor:
    """A direction that stays in the leaf's domain, of the size of its numbers, from standard normal numbers."""
    value = leaf.value
    if leaf.kind in ("probability", "log-probability"):
        share = value if leaf.kind == "probability" else value.exp()
        dim = _distribution_dim(share)
        if dim is not None:
            centred = normal - (share * normal).sum(dim, keepdim=True)
            return share * centred if leaf.kind == "probability" else centred
        return normal * ((share * (1 - share)).clamp_min(0) if leaf.kind == "probability" else value)
    if leaf.kind == "positive":
        return normal * value
    return normal * _size(value)


def _size(value: Tensor) -> float:
    """The root mean square of the numbers; 1 where all are 0."""
    return (float(value.square().mean().sqrt()) if value.numel() else 0.0) or 1.0


def nearby(leaf: Leaf, normal: Tensor) -> Tensor:
    """A small step to another point of the leaf's domain, from standard normal numbers."""
    value, bounded = leaf.value, normal.clamp(-2, 2)
    if leaf.kind in ("probability", "log-probability"):
        share = value if leaf.kind == "probability" else value.exp()
        dim = _distribution_dim(share)
        if dim is not None:
            moved = share * (0.1 * bounded).exp()
            moved = moved / moved.sum(dim, keepdim=True) * share.sum(dim, keepdim=True)
            return (moved if leaf.kind == "probability" else moved.log()) - value
        if leaf.kind == "probability":
            return 0.2 * bounded * (share * (1 - share)).clamp_min(0)
    return 0.1 * bounded * (value if leaf.kind in ("positive", "log-probability") else 0.5 * _size(value))


def _distribution_dim(share: Tensor) -> int | None:
    """The dimension, the last or that of classes, along which the numbers sum to 1; None where there is none."""
    for dim in (-1, 1):
        if share.dim() > max(dim, 0) and share.shape[dim] > 1:
            sums = share.sum(dim)
            if sums.numel() and bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-4)):
                return dim
    return None
