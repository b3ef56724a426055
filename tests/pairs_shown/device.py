from __future__ import annotations

from functools import partial
from types import ModuleType

import torch
from torch import Tensor

from .seen import asks_for_a_gpu, off_device, raises

rand = partial(torch.rand, device="meta")


def labels(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.long, device="meta")


def class_weights_plain_attribute(m: ModuleType) -> bool:
    return off_device(lambda: m.ResidueLoss([3, 5]).to("meta")(rand(2, 2, 4), labels(2, 4)))


def effective_number_weights_on_cpu(m: ModuleType) -> bool:
    return off_device(lambda: m.class_balanced_loss(labels(4), rand(4, 3), [3, 5, 7]))


def feature_weights_plain_attribute(m: ModuleType) -> bool:
    loss = m.ForecastLoss([1.0] * 4, [1.0] * 4, [1.0] * 5).to("meta")
    return off_device(lambda: loss(rand(2, 3, 5, 4), rand(2, 3, 5, 4)))


def penalty_factor_on_cpu(m: ModuleType) -> bool:
    return off_device(lambda: m.TopReturnLoss()(rand(20), rand(20)))


def ordinal_importance_on_cpu(m: ModuleType) -> bool:
    return off_device(lambda: m.condor_negloglikeloss(rand(4, 3), m.levels_from_labels(labels(4), 4)))


def semantic_loss_constants_on_cpu(m: ModuleType) -> bool:
    return off_device(lambda: m.SemanticLoss()(rand(4, 3)))


def span_loss_hard_coded_cuda(m: ModuleType) -> bool:
    """On the CPU: there is no GPU to move to, or nothing else is on it."""
    positions, logits = torch.zeros(2, 3, dtype=torch.long), torch.rand(2, 7)
    return raises(lambda: m.get_loss(positions, positions, torch.ones(2, 3), logits, logits))


def ssim_window_on_default_gpu(m: ModuleType) -> bool:
    def second() -> Tensor:
        images = torch.rand(1, 3, 16, 16, device="cuda:1")
        return m.SSIMLoss()(images, images)

    return asks_for_a_gpu(second)


def irreducible_loss_buffer_on_cpu(m: ModuleType) -> bool:
    return off_device(
        lambda: m.RHOLossDownsampler([0.0] * 4, device="meta").inform_samples(labels(2), rand(2, 3), labels(2))
    )


def adversarial_target_on_first_gpu(m: ModuleType) -> bool:
    return asks_for_a_gpu(lambda: m.PatchAdversarialLoss()(torch.rand(2, 1, device="cuda:1"), True, True))


def letter_criterions_in_list(m: ModuleType) -> bool:
    return off_device(lambda: m.LetterLoss([[1.0] * 4] * 3).to("meta")(rand(2, 3, 4), labels(2, 3)))


def anchors_of_detector_on_cpu(m: ModuleType) -> bool:
    return off_device(lambda: m.AnchorSizeLoss([[10, 13], [16, 30]], 8).to("meta")(rand(5, 2, 2), rand(5, 2)))


def metric_weights_without_device(m: ModuleType) -> bool:
    return off_device(lambda: m.PropertyLoss([1.0, 2.0]).to("meta")(rand(4, 2), rand(4, 2)))
