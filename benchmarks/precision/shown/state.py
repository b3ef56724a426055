"""Arguments that are changed in place, graphs that are kept."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .loading import shows, single_file, taken


def changed(name: str, **given: Any) -> str:
    """Every argument before and after one call."""
    path = {"L2Loss": "mmdet/models/losses/l2_loss.py", "MarginL2Loss": "mmdet/models/losses/margin_loss.py"}[name]
    made = taken("mmdet", path, name, BaseModule=nn.Module, **given)[name]
    loss = made(neg_pos_ub=1, pos_margin=0.1, neg_margin=0.1)
    pred, target = torch.rand(4, 3), torch.tensor([[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]])
    weight = torch.ones(4, 3)
    weight[0, 0] = 0
    before = [each.clone() for each in (pred, target, weight)]
    loss(pred, target, weight)
    same = [torch.equal(one, other) for one, other in zip(before, (pred, target, weight), strict=True)]
    assert same == [False, False, False]
    return f"mmdet {name}: pred, target and weight are changed by one call"


@shows("104e2d6e4eddaafa", "d9ca78004a78dcab", "3fed3fd73bbf27db")
def l2() -> str:
    """L2Loss."""
    kept = taken("mmdet", "mmdet/models/losses/utils.py", "reduce_loss", "weight_reduce_loss")

    def l2_loss(pred: Any, target: Any, weight: Any, reduction: str, avg_factor: Any) -> Any:
        return kept["weight_reduce_loss"]((pred - target) ** 2, weight, reduction, avg_factor)

    return changed("L2Loss", l2_loss=l2_loss)


@shows("48256c6db799f1cb", "81d3a116fc2c13a2", "da295e1c1f629a97")
def margin() -> str:
    """MarginL2Loss."""
    kept = taken("mmdet", "mmdet/models/losses/utils.py", "reduce_loss", "weight_reduce_loss")

    def mse_loss(pred: Any, target: Any, weight: Any, reduction: str, avg_factor: Any) -> Any:
        return kept["weight_reduce_loss"]((pred - target) ** 2, weight, reduction, avg_factor)

    return changed("MarginL2Loss", mse_loss=mse_loss)


@shows("14fa1fc2a28699e3")
def boundary_score() -> str:
    """A label map with an ignored pixel."""
    made = single_file("segloss", "segloss/src/bfl.py").BoundaryScoreLoss()
    label = torch.ones(1, 6, 6, dtype=torch.long)
    label[0, 0, 0] = 255
    made(torch.randn(1, 3, 6, 6), label)
    assert label[0, 0, 0] == 0
    return "segloss BoundaryScoreLoss: an ignored pixel is class 0 in the caller's labels afterwards, and counts"


@shows("0ae3e52bc42cf504")
def smoothed() -> str:
    """A distribution as the target."""
    path = "super_gradients/training/losses/label_smoothing_cross_entropy_loss.py"
    loss = taken("super-gradients", path, "_is_long", "onehot", "cross_entropy")["cross_entropy"]
    target = torch.tensor([[1.0, 0.0, 0.0]])
    loss(torch.randn(1, 3), target, smooth_eps=0.1, smooth_dist=torch.full((3,), 1 / 3))
    assert target[0, 0] < 1
    return f"super-gradients cross_entropy: the target (1, 0, 0) is {target[0].tolist()} afterwards"
