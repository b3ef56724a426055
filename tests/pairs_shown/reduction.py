from __future__ import annotations

from types import ModuleType

import torch
from torch import nn

from .seen import close, raises


def focal_of_mean_cross_entropy(m: ModuleType) -> bool:
    logits, target, loss = torch.tensor([[4.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]), m.FocalLoss()
    apart = (loss(logits[:1], target[:1]) + loss(logits[1:], target[1:])) / 2
    return not close(loss(logits, target), apart)


def gradient_penalty_per_pixel(m: ModuleType) -> bool:
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    critic[1].weight.data.fill_(1 / 12**0.5)
    return not close(
        m.GradientPenaltyLoss(critic).gradient_penalty(torch.rand(2, 3, 2, 2), torch.rand(2, 3, 2, 2)), 0.0
    )


def distillation_mean_over_bins(m: ModuleType) -> bool:
    pred, soft = torch.randn(3, 17), torch.randn(3, 17)
    p, q = torch.distributions.Categorical(logits=soft), torch.distributions.Categorical(logits=pred)
    return not close(m.knowledge_distillation_kl_div(pred, soft, 1.0), torch.distributions.kl_divergence(p, q))


def soft_bce_counts_ignored(m: ModuleType) -> bool:
    loss, logits = m.SoftBCEWithLogitsLoss(ignore_index=255), torch.tensor([1.0, -2.0, 0.0, 3.0])
    return not close(loss(logits, torch.tensor([1, 0, 255, 255])), loss(logits[:2], torch.tensor([1, 0])))


def smoothing_term_over_padding(m: ModuleType) -> bool:
    logits, loss = torch.randn(1, 4, 5), m.LabelSmoothingCrossEntropy()
    padded = loss(logits, torch.tensor([[1, 2, -100, -100]]))
    return not close(padded, loss(logits[:, :2], torch.tensor([[1, 2]])))


def masked_cross_entropy_time_mean(m: ModuleType) -> bool:
    pred, criterion = torch.randn(1, 4, 5), m.MaskedSoftmaxCELoss()
    label, length = torch.tensor([[1, 2, 0, 0]]), torch.tensor([2])
    short = m.loss_per_token(criterion, pred[:, :2], label[:, :2], length)
    return not close(m.loss_per_token(criterion, pred, label, length), short)


def padded_actions_in_mean(m: ModuleType) -> bool:
    loss = m.DiffusionPolicyLoss(lambda actions, steps: torch.zeros_like(actions))
    pad = torch.tensor([[False, False, True, True]])
    return not close(loss(torch.zeros(1, 4, 3), torch.ones(1, 4, 3), torch.tensor([5]), pad), 1.0)


def z_loss_over_ignored_labels(m: ModuleType) -> bool:
    logits = torch.randn(4, 6)
    _, padded = m.cross_entropy_loss(logits, torch.tensor([1, 2, -100, -100]), compute_z_loss=True, z_loss_multiplier=1)
    _, short = m.cross_entropy_loss(logits[:2], torch.tensor([1, 2]), compute_z_loss=True, z_loss_multiplier=1)
    return not close(padded, short)


def copy_loss_squeezes_batch(m: ModuleType) -> bool:
    scores = torch.full((1, 8), 1 / 8)
    return raises(lambda: m.CopyGeneratorLoss(5)(scores, torch.tensor([2]), torch.tensor([3])), IndexError)


def discriminative_norm_over_pixels(m: ModuleType) -> bool:
    loss = m.DiscriminativeLoss()
    row = torch.tensor([-1.0, 1.0]).repeat(8)
    few, many = row[:2].reshape(1, 1, 1, 2), row.reshape(1, 1, 1, 16)
    return not close(*(loss(e.repeat(1, 3, 1, 1), torch.ones(1, 1, e.shape[-1]).long()) for e in (few, many)))


def prototype_softmax_over_batch(m: ModuleType) -> bool:
    loss, features = m.PrototypeLoss(3, 4), torch.ones(2, 4)
    alone = loss.per_sample(features[:1], torch.tensor([0]))
    return not close(loss.per_sample(features, torch.tensor([0, 1]))[:1], alone)


def total_variation_per_channel(m: ModuleType) -> bool:
    return bool(m.tv_loss(torch.rand(2, 3, 4, 4)).shape != (2,))


def pixel_distillation_view(m: ModuleType) -> bool:
    preds = torch.tensor([9.0, 0.0, 0.0]).view(1, 3, 1, 1).repeat(1, 1, 3, 3)
    return bool(m.CriterionPixelWise()(preds, preds) > 0.1)


def mel_mask_from_wrong_axis(m: ModuleType) -> bool:
    x, target = torch.zeros(1, 5, 5), torch.zeros(1, 5, 5)
    x[:, :, 2:] = 7.0
    return not close(m.MaskedL1()(x, target, torch.tensor([2])), 0.0)


def vae_mean_plus_sum(m: ModuleType) -> bool:
    loss = m.VAELoss()
    ratios = []
    for size in (2, 4):
        _, reconstruction, divergence = loss(torch.ones(size, 3), torch.zeros(size, 3), *torch.ones(2, size, 4))
        ratios.append(divergence / reconstruction)
    return not close(*ratios)


def modularity_of_whole_batch(m: ModuleType) -> bool:
    assignment = torch.eye(2).repeat_interleave(2, 0)[None]
    adj = torch.block_diag(1 - torch.eye(2), 1 - torch.eye(2))[None]
    loss = m.ModularityPoolingLoss()
    return not close(loss(assignment, adj), loss(assignment.repeat(3, 1, 1), adj.repeat(3, 1, 1)))
