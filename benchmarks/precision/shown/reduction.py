"""Means over what was ignored, zeros without a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .loading import backward_fails, shows, single_file, taken


def halves(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], rows: torch.Tensor, labels: torch.Tensor) -> str:
    """The loss of some rows, and with as many ignored ones added; `labels` ends in the ignored label."""
    alone = loss(rows, labels[:-1])
    beside = loss(
        torch.cat([rows, torch.randn_like(rows)]), torch.cat([labels[:-1], labels[-1:].expand(labels[:-1].shape)])
    )
    assert torch.allclose(beside * 2, alone)
    return f"{alone.item():.4f}, with as many ignored ones beside {beside.item():.4f}"


IGNORED = torch.tensor([0, 1, 2, 1, 255])
BINARY = torch.tensor([0.0, 1.0, 1.0, 0.0, 255.0]).view(-1, 1)


@shows("2605c33948d3d9c2")
def toolbelt_bi_tempered() -> str:
    """Class indices; ignored ones have to be classes here, since they are put into one_hot first."""
    loss = single_file("pytorch-toolbelt", "pytorch_toolbelt/losses/bitempered_loss.py").BiTemperedLogisticLoss
    labels = torch.tensor([0, 1, 1, 0, 2])
    return "toolbelt BiTemperedLogisticLoss: " + halves(loss(0.8, 1.4, ignore_index=2), torch.randn(4, 3), labels)


@shows("694ae34d958d2976")
def toolbelt_binary_bi_tempered() -> str:
    """Binary targets."""
    loss = single_file("pytorch-toolbelt", "pytorch_toolbelt/losses/bitempered_loss.py").BinaryBiTemperedLogisticLoss
    return "toolbelt BinaryBiTemperedLogisticLoss: " + halves(
        loss(0.8, 1.4, ignore_index=255), torch.randn(4, 1), BINARY
    )


@shows("f2f5268d50875b1c")
def optimizer_binary_bi_tempered() -> str:
    """The copy in pytorch-optimizer."""
    loss = single_file("pytorch-optimizer", "pytorch_optimizer/loss/bi_tempered.py").BinaryBiTemperedLogisticLoss
    return "pytorch-optimizer BinaryBiTemperedLogisticLoss: " + halves(
        loss(0.8, 1.4, ignore_index=255), torch.randn(4, 1), BINARY
    )


@shows("b47bd7f91470ce77")
def balanced() -> str:
    """Balanced cross entropy."""
    path = "pytorch_toolbelt/losses/balanced_bce.py"
    name = "balanced_binary_cross_entropy_with_logits"
    loss = taken("pytorch-toolbelt", path, name)[name]
    return f"toolbelt {name}: " + halves(lambda x, y: loss(x, y, ignore_index=255), torch.randn(4, 1), BINARY)


@shows("06a30c18c7e61339")
def softmax_focal() -> str:
    """Focal loss over classes."""
    path = "pytorch_toolbelt/losses/functional.py"
    loss = taken("pytorch-toolbelt", path, "softmax_focal_loss_with_logits")["softmax_focal_loss_with_logits"]
    return "toolbelt softmax_focal_loss_with_logits: " + halves(
        lambda x, y: loss(x, y, ignore_index=255), torch.randn(4, 3), IGNORED
    )


@shows("af5b56c75b210a78")
def toolbelt_soft_bce() -> str:
    """Binary cross entropy."""
    loss = single_file("pytorch-toolbelt", "pytorch_toolbelt/losses/soft_bce.py").SoftBCEWithLogitsLoss
    return "toolbelt SoftBCEWithLogitsLoss: " + halves(loss(ignore_index=255), torch.randn(4, 1), BINARY)


@shows("775228b5d9972457")
def smp_soft_bce() -> str:
    """The copy in smp."""
    loss = single_file("segmentation-models-pytorch", "segmentation_models_pytorch/losses/soft_bce.py")
    return "smp SoftBCEWithLogitsLoss: " + halves(
        loss.SoftBCEWithLogitsLoss(ignore_index=255), torch.randn(4, 1), BINARY
    )


def label_smoothed(name: str, path: str) -> str:
    """Cross entropy with smoothed labels, beside torch's own."""
    loss = taken(name, path, "label_smoothed_nll_loss")["label_smoothed_nll_loss"]

    def soft(logits: torch.Tensor, labels: torch.Tensor) -> Any:
        return loss(logits.log_softmax(1), labels, 0.1, ignore_index=255, dim=1)

    logits = torch.randn(4, 3)
    labels = torch.tensor([0, 1, 255, 255])
    torchs = nn.functional.cross_entropy(logits, labels, ignore_index=255, label_smoothing=0.1)
    assert torch.allclose(soft(logits, labels) * 2, torchs)
    seen = f"torch's own for two ignored of four {torchs.item():.4f}, this {soft(logits, labels).item():.4f}"
    return f"{name} label_smoothed_nll_loss: {halves(soft, logits, IGNORED)}; {seen}"


@shows("10e3eeb39c54273e")
def toolbelt_soft_ce() -> str:
    """SoftCrossEntropyLoss of pytorch-toolbelt, "drop-in replacement for nn.CrossEntropyLoss"."""
    return label_smoothed("pytorch-toolbelt", "pytorch_toolbelt/losses/functional.py")


@shows("f49bf0fd58338bae")
def smp_soft_ce() -> str:
    """SoftCrossEntropyLoss of smp."""
    return label_smoothed("segmentation-models-pytorch", "segmentation_models_pytorch/losses/_functional.py")


@shows("8b73f36680187977")
def mmseg_focal() -> str:
    """The reduction of sigmoid_focal_loss; only the elementwise loss, compiled for a GPU, is stood in for."""
    kept = taken("mmsegmentation", "mmseg/models/losses/utils.py", "reduce_loss", "weight_reduce_loss")

    def elementwise(x: torch.Tensor, y: torch.Tensor, *_: Any) -> torch.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(x, nn.functional.one_hot(y, 3).float(), reduction="none")

    found = taken(
        "mmsegmentation",
        "mmseg/models/losses/focal_loss.py",
        "sigmoid_focal_loss",
        _sigmoid_focal_loss=elementwise,
        weight_reduce_loss=kept["weight_reduce_loss"],
    )["sigmoid_focal_loss"]

    def loss(x: torch.Tensor, y: torch.Tensor) -> Any:
        valid = (y != 255).view(-1, 1)
        return found(x, torch.where(y == 255, 0, y), None, valid_mask=valid)

    return "mmseg sigmoid_focal_loss: " + halves(loss, torch.randn(4, 3), IGNORED)


@shows("aa333f8e381fbf58")
def hard_examples() -> str:
    """Every pixel is ignored."""
    made = taken("mmsegmentation", "mmseg/models/losses/ohem_cross_entropy_loss.py", "OhemCrossEntropy")[
        "OhemCrossEntropy"
    ]
    score = torch.randn(1, 3, 2, 2, requires_grad=True)
    return "mmseg OhemCrossEntropy: " + backward_fails(made()(score, torch.full((1, 2, 2), 255)))


@shows("8521b80106857e5f")
def multi_class_focal() -> str:
    """Every sample has ignore_index, a class here since the labels index the probabilities first."""
    made = single_file("pytorch-focalloss", "torch_focalloss/losses.py").MultiClassFocalLoss
    logits = torch.randn(2, 3, requires_grad=True)
    return "MultiClassFocalLoss: " + backward_fails(made(ignore_index=1)(logits, torch.tensor([1, 1])))


@shows("32d4bd90a7d99d21")
def binary_soft_f1() -> str:
    """Every element is ignored."""
    made = single_file("pytorch-toolbelt", "pytorch_toolbelt/losses/soft_f1.py").BinarySoftF1Loss
    preds = torch.randn(4, requires_grad=True)
    return "BinarySoftF1Loss: " + backward_fails(made(ignore_index=255)(preds, torch.full((4,), 255)))


@shows("3713cd66a8d00634")
def soft_f1() -> str:
    """A batch without samples."""
    made = single_file("pytorch-toolbelt", "pytorch_toolbelt/losses/soft_f1.py").SoftF1Loss
    preds = torch.randn(0, 3, requires_grad=True)
    return "SoftF1Loss: " + backward_fails(made(ignore_index=255)(preds, torch.zeros(0, dtype=torch.long)))
