"""The classic losses of fixtures/losses are sound: scalar, finite, differentiable and finite at extremes; and silent."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from linted import linted

FOLDER = Path(__file__).parent.parent / "fixtures" / "losses"
Tensors = tuple[torch.Tensor, ...]


def load(name: str, symbol: str) -> Callable[..., torch.Tensor]:
    """A loss of a fixture file; classes are built with their defaults."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, symbol)
    return found() if isinstance(found, type) else found


def features(*values: torch.Tensor) -> list[torch.Tensor]:
    return list(values)


def lists(loss: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The content and style loss takes lists of feature maps."""
    return lambda generated, content, style: loss([generated], [content], [style])


N, C, D, H, W = 4, 5, 8, 6, 7
CASES: dict[str, tuple[str, str, Callable[[float], tuple[Tensors, Tensors]]]] = {
    "binary_focal": ("binary_focal", "BinaryFocalLoss", lambda s: ((torch.randn(N, 1) * s,), (torch.ones(N, 1),))),
    "multiclass_focal": (
        "multiclass_focal",
        "FocalLoss",
        lambda s: ((torch.randn(N, C) * s,), (torch.tensor([0, 1, -100, 4]),)),
    ),
    "multiclass_focal all ignored": (
        "multiclass_focal",
        "FocalLoss",
        lambda s: ((torch.randn(N, C) * s,), (torch.full((N,), -100),)),
    ),
    "huber": ("huber", "HuberLoss", lambda s: ((torch.randn(N, D) * s,), (torch.randn(N, D),))),
    "margin_ranking": (
        "margin_ranking",
        "PairwiseRankingLoss",
        lambda s: ((torch.randn(N) * s, torch.randn(N) * s), ()),
    ),
    "all_pairs": (
        "margin_ranking",
        "all_pairs_ranking_loss",
        lambda s: ((torch.randn(N) * s,), (torch.tensor([0.0, 1, 2, 3]),)),
    ),
    "all_pairs tied": (
        "margin_ranking",
        "all_pairs_ranking_loss",
        lambda s: ((torch.randn(N) * s,), (torch.zeros(N),)),
    ),
    "triplet": (
        "triplet",
        "TripletLoss",
        lambda s: ((torch.randn(N, D) * s, torch.randn(N, D) * s, torch.randn(N, D) * s), ()),
    ),
    "batch_hard": (
        "triplet",
        "BatchHardTripletLoss",
        lambda s: ((torch.randn(N, D) * s,), (torch.tensor([0, 0, 1, 1]),)),
    ),
    "info_nce": ("contrastive", "InfoNCE", lambda s: ((torch.randn(N, D) * s, torch.randn(N, D) * s), ())),
    "contrastive": (
        "contrastive",
        "contrastive_loss",
        lambda s: ((torch.randn(N, D) * s, torch.randn(N, D) * s), (torch.tensor([0.0, 1, 0, 1]),)),
    ),
    "dice": ("dice", "DiceLoss", lambda s: ((torch.randn(N, 1, H, W) * s,), (torch.ones(N, 1, H, W),))),
    "dice background": ("dice", "DiceLoss", lambda s: ((torch.randn(N, 1, H, W) * s,), (torch.zeros(N, 1, H, W),))),
    "multiclass_dice": (
        "dice",
        "multiclass_dice_loss",
        lambda s: ((torch.randn(N, C, H, W) * s,), (torch.randint(C, (N, H, W)),)),
    ),
    "vae": (
        "vae",
        "VAELoss",
        lambda s: (
            (torch.randn(N, D) * s, torch.randn(N, C) * s, torch.randn(N, C).clamp(-9, 9)),
            (torch.randn(N, D),),
        ),
    ),
    "content_style": (
        "content_style",
        "ContentStyleLoss",
        lambda s: ((torch.randn(N, C, H, W) * s,), (torch.randn(N, C, H, W), torch.randn(N, C, H, W))),
    ),
    "multi_term": ("multi_term", "DepthLoss", lambda s: ((torch.randn(N, 1, H, W) * s,), (torch.randn(N, 1, H, W),))),
    "scheduled": (
        "scheduled",
        "WarmupConsistencyLoss",
        lambda s: ((torch.randn(N, C) * s,), (torch.randint(C, (N,)), torch.randn(N, C))),
    ),
}


def called(name: str, scale: float) -> tuple[Callable[..., torch.Tensor], Tensors, Tensors]:
    file, symbol, inputs = CASES[name]
    torch.manual_seed(0)
    loss = load(file, symbol)
    if file == "vae":
        plain = loss
        loss = lambda recon, mu, logvar, x: plain(recon, x, mu, logvar)  # noqa: E731
    if file == "scheduled":
        loss.set_epoch(5)  # type: ignore[attr-defined]
    predictions, targets = inputs(scale)
    return (lists(loss) if file == "content_style" else loss), predictions, targets


@pytest.mark.parametrize("scale", [0.0, 1.0, 200.0])
@pytest.mark.parametrize("name", CASES)
def test_scalar_finite_and_differentiable_at_generic_and_extreme_points(name: str, scale: float) -> None:
    loss, predictions, targets = called(name, scale)
    predictions = tuple(each.clone().requires_grad_() for each in predictions)
    value = loss(*predictions, *targets)
    assert value.ndim == 0
    assert torch.isfinite(value)
    for gradient in torch.autograd.grad(value, predictions):
        assert torch.isfinite(gradient).all()
        if scale == 1.0 and name not in ("multiclass_focal all ignored", "all_pairs tied"):
            assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_right_in_float64(name: str) -> None:
    loss, predictions, targets = called(name, 1.0)
    doubled = tuple(each.double().requires_grad_() for each in predictions)
    fixed = tuple(each.double() if each.is_floating_point() else each for each in targets)
    assert torch.autograd.gradcheck(lambda *moving: loss(*moving, *fixed), doubled, fast_mode=True)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_silent(path: Path) -> None:
    assert [
        (each.code, each.message) for each in linted(path.read_bytes(), path) if each.severity.value != "info"
    ] == []
