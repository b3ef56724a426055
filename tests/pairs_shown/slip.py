from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from .seen import close, dead, leaf, raises


def relativistic_loss_overwritten(m: ModuleType) -> bool:
    losses, fakes = m.RelativisticLosses(lambda images: images.mean(dim=1, keepdim=True)), torch.zeros(2, 3)
    return close(losses.generator(torch.zeros(2, 3), fakes), losses.generator(torch.ones(2, 3), fakes))


def class_weights_never_used(m: ModuleType) -> bool:
    logits, target = torch.randn(1, 2, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long)
    return close(m.DiceFocalLoss([1.0, 9.0])(logits, target), m.DiceFocalLoss([9.0, 1.0])(logits, target))


def probabilities_of_unbound_name(m: ModuleType) -> bool:
    true = torch.zeros(1, 1, 2, 2, dtype=torch.long)
    return raises(lambda: m.dice_loss(true, torch.zeros(1, 3, 2, 2)), UnboundLocalError)


def margin_hard_coded(m: ModuleType) -> bool:
    rows, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    return close(m.HardTripletLoss(margin=0.1)(rows, labels), m.HardTripletLoss(margin=1.0)(rows, labels))


def masked_fill_result_dropped(m: ModuleType) -> bool:
    rows, tokens = torch.eye(2), torch.tensor([[5, 6], [5, 6]])
    loss, _ = m.InBatchRetrievalLoss()(rows, rows, tokens)
    return bool(loss > 0.1)


def alpha_replaced_by_batch(m: ModuleType) -> bool:
    loss, logits = m.FocalLoss([1.0, 2.0, 3.0]), torch.zeros(1, 3)
    first = loss(logits, torch.tensor([2]))
    return raises(lambda: loss(logits, torch.tensor([1])), RuntimeError) or not close(
        first, loss(logits, torch.tensor([2]))
    )


def teacher_distils_itself(m: ModuleType) -> bool:
    student = leaf(2, 3)
    return dead(m.DistillationLoss().soft_loss(student, torch.randn(2, 3)), student)


def perceptual_composite_forgotten(m: ModuleType) -> bool:
    def layers(value: float) -> dict[str, Tensor]:
        return {"relu1": torch.full((1, 2), value)}

    loss = m.InpaintingLoss(None)
    return close(
        loss.perceptual(layers(1.0), layers(0.0), layers(0.0)), loss.perceptual(layers(1.0), layers(5.0), layers(0.0))
    )


def transition_correction_accumulates(m: ModuleType) -> bool:
    loss, out, target = m.ReweightingRevisionLoss(), torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    matrices = torch.tensor([[0.8, 0.2], [0.3, 0.7]]), torch.tensor([[0.1, -0.1], [-0.2, 0.2]])
    once, twice = loss(out, *matrices, target), loss(out.repeat(2, 1), *matrices, target.repeat(2))
    return not close(once, twice)


def focal_positional_arguments(m: ModuleType) -> bool:
    gt, pr = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.7, 0.3]]]])
    expected = m.categorical_focal_loss(gt, pr, alpha=0.25, gamma=3.0)
    return not close(m.CategoricalFocalLoss(alpha=0.25, gamma=3.0)(gt, pr), expected)
