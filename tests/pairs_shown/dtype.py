from __future__ import annotations

from types import ModuleType

import numpy as np
import torch

from .seen import breaks, dead, finite, raises


def survival_clamp_in_half(m: ModuleType) -> bool:
    starts, pairs = (
        torch.zeros(1, dtype=torch.bfloat16),
        torch.tensor([20.0, 0.0], dtype=torch.bfloat16).requires_grad_(),
    )
    index, mask = torch.zeros(2, dtype=torch.long), torch.tensor([True, True])
    return breaks(m.MarginalPairConsistencyLoss()(starts, pairs, index, mask), pairs)


def one_minus_bool_mask(m: ModuleType) -> bool:
    overlaps = torch.tensor([0.1, 0.45, 0.9])
    return raises(lambda: m.ImageFocalLoss()(torch.zeros(3, 2), overlaps, torch.zeros(3).long()), RuntimeError)


def bce_of_sigmoid_under_autocast(m: ModuleType) -> bool:
    logits = torch.full((1, 1, 2, 2), 200.0, requires_grad=True)
    return dead(m.RefinedMaskLoss().uncertain_loss(logits, torch.zeros(1, 1, 2, 2)), logits)


def link_prediction_eps_in_half(m: ModuleType) -> bool:
    z, edge = torch.tensor([[5.0], [-5.0]], dtype=torch.float16), torch.tensor([[0], [1]])
    return not finite(m.GAELoss()(z, edge, edge))


def score_mask_overflows_half(m: ModuleType) -> bool:
    queries, candidates = torch.ones(1, 2, dtype=torch.half), torch.ones(1, 3, 2, dtype=torch.half)
    mask = torch.tensor([[True, True, False]])
    return raises(lambda: m.CandidateRankingLoss()(queries, candidates, mask, torch.tensor([0])), RuntimeError)


def matching_cost_overflows_half(m: ModuleType) -> bool:
    logits = torch.full((2, 120_000), 5.0, dtype=torch.half)
    return not finite(m.MatchedMaskLoss()(logits, torch.zeros(1, 120_000)))


def float_labels_as_index(m: ModuleType) -> bool:
    return raises(lambda: m.ACWLoss()(torch.zeros(1, 3, 2, 2), torch.ones(1, 2, 2)), RuntimeError)


def focal_clamp_in_half(m: ModuleType) -> bool:
    sure = torch.ones(1, 1, 2, dtype=torch.half)
    return not finite(m.EfficientDetFocalLoss()(sure, torch.zeros(1, 1, 2)))


def int32_labels(m: ModuleType) -> bool:
    _, labels = m.mask_tokens(np.ones((2, 8), dtype=np.int32), 0, 0.5, np.random.default_rng(0))
    return raises(lambda: m.MaskedLanguageModelLoss(5)(torch.zeros(2, 8, 5), labels), RuntimeError)
