from __future__ import annotations

from types import ModuleType

import torch
from torch.nn import functional

from .seen import close, finite, grad


def giou_subtracts_intersection(m: ModuleType) -> bool:
    inner, outer = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    return not close(m.BoxLoss("giou")(inner, outer), 1 - 0.25)


def giou_unclamped_extents(m: ModuleType) -> bool:
    inverted, target = torch.tensor([[274.0, 274.0, 126.0, 126.0]]), torch.tensor([[140.0, 140.0, 260.0, 260.0]])
    return bool(m.giou_loss(inverted, target) < 0)


def contrastive_label_swapped(m: ModuleType) -> bool:
    loss, a, genuine = m.SignatureContrastiveLoss(), torch.zeros(1, 4), torch.ones(1)
    return bool(loss(a, a + 0.1, genuine) > loss(a, a + 0.2, genuine))


def triplet_diagonal_becomes_hardest(m: ModuleType) -> bool:
    anchors = torch.eye(4)
    return bool(m.FarthestPatchTripletLoss(margin=3.0)(anchors, -anchors) == 0)


def generalized_dice_weights_cancel(m: ModuleType) -> bool:
    logits = torch.tensor([[[2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]])
    target = torch.tensor([[[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]])
    return close(*(m.GeneralizedDiceLoss(kind)(logits, target) for kind in ("square", "uniform")))


def dice_without_the_two(m: ModuleType) -> bool:
    mask = torch.ones(2, 1, 20, 20)
    return bool(m.BinaryDiceLoss()(mask, mask) > 0.1)


def dice_score_returned_as_loss(m: ModuleType) -> bool:
    target = torch.tensor([1.0, 1.0, 0.0, 0.0])
    return bool(m.dice_loss(target, target) > m.dice_loss(1 - target, target))


def vae_kl_logvar_as_sigma(m: ModuleType) -> bool:
    value = m.kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3))
    return not finite(value) or not close(value, 0.0 * value)


def vgae_kl_logstd_not_doubled(m: ModuleType) -> bool:
    logstd = torch.zeros(3, 2, requires_grad=True)
    loss = m.VGAELoss(torch.eye(3))
    return not close(grad(loss.kl(torch.zeros(3, 2), logstd), logstd)[0], torch.zeros(3, 2))


def wgan_critic_parenthesis(m: ModuleType) -> bool:
    loss = m.WassersteinLosses(lambda images: images.mean(dim=1))
    real, fake = torch.zeros(2, 3), torch.zeros(2, 3)
    return bool(loss.critic_loss(real, fake + 1) < loss.critic_loss(real, fake))


def focal_modulates_by_log_prob(m: ModuleType) -> bool:
    logits, label = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    return bool(m.MultiClassFocalLoss(3)(logits, label) > functional.cross_entropy(logits, label))


def tversky_terms_swapped(m: ModuleType) -> bool:
    target = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    misses, extras = torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    loss = m.TverskyLoss(alpha=0.9, beta=0.1)
    return bool(loss(misses, target) > loss(extras, target))


def distillation_kl_of_probabilities(m: ModuleType) -> bool:
    logits = torch.randn(1, 3, 2, 2)
    return not close(m.SegmentationDistillation().kd(logits, logits), 0.0)


def softmax_before_cross_entropy(m: ModuleType) -> bool:
    loss, _ = m.PairClassifier().validation_loss(50 * torch.eye(4), torch.arange(4))
    return bool(loss > 0.5)


def focal_alpha_on_both_sides(m: ModuleType) -> bool:
    loss, logits = m.SigmoidFocalLoss(alpha=0.25), torch.zeros(1, 1)
    return close(loss(logits, torch.ones(1, 1), 1), loss(logits, torch.zeros(1, 1), 1))


def bce_pos_weight_scales_everything(m: ModuleType) -> bool:
    logits, target, weight = torch.tensor([1.5, -0.5]), torch.tensor([0.3, 0.6]), torch.tensor([4.0])
    expected = functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
    return not close(m.SoftBCEWithLogits(pos_weight=4.0)(logits, target), expected)


def total_counted_into_itself(m: ModuleType) -> bool:
    outputs = {"boxes": torch.ones(2, 4), "objectness": torch.zeros(2), "words": torch.zeros(1, 3, 5)}
    losses = m.DenseCaptioningLoss()(outputs, torch.zeros(2, 4), torch.ones(2), torch.tensor([[1, 2, 0]]))
    total = losses.pop("total_loss")
    return not close(total, sum(losses.values()))


def huber_one_sided(m: ModuleType) -> bool:
    return not close(m.huber_loss(torch.tensor([-10.0]), 1.0), torch.tensor([9.5]))


def ranking_labels_zero_and_one(m: ModuleType) -> bool:
    first, second = torch.tensor([[0.9]]), torch.tensor([[0.1]])
    wrong = m.RankPoseLoss().rank_loss(first, second, m.rank_labels(torch.zeros(1, 1), torch.ones(1, 1)))
    return close(wrong, 0.1)


def vae_half_applies_to_one(m: ModuleType) -> bool:
    return not close(m.VariationalLoss().divergence(torch.zeros(1, 3), torch.ones(1, 3)), torch.zeros(1))


def quantile_sign_below(m: ModuleType) -> bool:
    return bool(m.QuantileLoss()(torch.full((1, 2, 3), 5.0), torch.zeros(1, 2)) < 0)
