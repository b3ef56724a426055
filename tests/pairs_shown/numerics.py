from __future__ import annotations

from types import ModuleType

import torch

from .seen import breaks, leaf


def focal_log_of_sigmoid(m: ModuleType) -> bool:
    logits = torch.full((2, 1), 120.0, requires_grad=True)
    return breaks(m.BinaryFocalLossWithLogits()(logits, torch.ones(2, 1)), logits)


def contrastive_root_at_zero(m: ModuleType) -> bool:
    embeddings = torch.ones(2, 3, requires_grad=True)
    return breaks(m.OnlineContrastiveLoss(1.0)(embeddings, torch.tensor([0, 1])), embeddings)


def stft_log_of_silence(m: ModuleType) -> bool:
    wave = torch.zeros(1, 1024, requires_grad=True)
    return breaks(m.STFTLoss()(wave, torch.randn(1, 1024)), wave)


def spectral_magnitude_half_power(m: ModuleType) -> bool:
    spectrum = torch.zeros(1, 3, 4, 2, requires_grad=True)
    return breaks(m.MagnitudeLoss()(spectrum, torch.rand(1, 3, 4, 2), torch.ones(1)), spectrum)


def arcface_sine_of_zero_angle(m: ModuleType) -> bool:
    loss, features = m.ArcFaceLoss(2, 2), torch.tensor([[2.0, 0.0]], requires_grad=True)
    loss.product.weight.data = torch.eye(2)
    return breaks(loss(features, torch.tensor([0])), features)


def eigenvalues_by_arccosine(m: ModuleType) -> bool:
    pred = torch.diag(torch.tensor([3.0, 0.0, 0.0])).unsqueeze(0).requires_grad_()
    return breaks(m.EigenvalueLoss()(pred, torch.diag(torch.tensor([3.0, 2.0, 1.0])).unsqueeze(0)), pred)


def focal_fractional_gamma(m: ModuleType) -> bool:
    logits = torch.tensor([[60.0, 0.0]], requires_grad=True)
    return breaks(m.FocalLoss(gamma=0.5)(logits, torch.tensor([0])), logits)


def pixel_contrast_empty_denominator(m: ModuleType) -> bool:
    anchors = torch.tensor([[10.0, 0.0], [0.01, 0.0], [0.0, 0.01]], requires_grad=True)
    return breaks(m.PixelContrastLoss()(anchors, torch.tensor([0, 0, 0])), anchors)


def si_sdr_of_silent_target(m: ModuleType) -> bool:
    estimate = leaf(2, 100)
    return breaks(m.SISDRLoss()(estimate, torch.zeros(2, 100)), estimate)


def nan_times_mask(m: ModuleType) -> bool:
    pred, gt = leaf(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)
    gt[0, 0, 0, 0] = float("nan")
    return breaks(m.WeightedFieldLoss(3, [1.0, 2.0])(pred, gt), pred)


def exponential_branch_not_taken(m: ModuleType) -> bool:
    pred = torch.tensor([200.0], requires_grad=True)
    return breaks(m.ConstrainedRegressionLoss(0.0, 100.0)(pred, torch.tensor([50.0])), pred)
