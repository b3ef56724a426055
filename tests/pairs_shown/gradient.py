from __future__ import annotations

import warnings
from types import ModuleType

import torch
import torch.distributed as dist
from torch import nn

from .seen import close, dead, grad, leaf, raises


def image_gradient_of_argmax(m: ModuleType) -> bool:
    pred = leaf(1, 2, 5, 5)
    return dead(m.ImageGradientLoss()(pred, torch.rand(1, 1, 5, 5)), pred)


def log_probs_rebuilt_as_tensor(m: ModuleType) -> bool:
    log_prob, value, entropy = leaf(), leaf(), leaf()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dead(m.A3CLoss()([(1.0, log_prob, entropy, value)]), log_prob)


def critic_trained_by_policy_loss(m: ModuleType) -> bool:
    log_probs, baseline = leaf(3), leaf(3)
    return not dead(m.RoutingLosses().policy_loss(torch.rand(3), log_probs, baseline), baseline)


def truth_of_pos_weight(m: ModuleType) -> bool:
    criterion = m.BinaryCrossEntropyWithLogitsCriterion([1.0, 2.0])
    return raises(lambda: criterion(torch.zeros(2, 2), torch.ones(2, 2)), RuntimeError)


def gathered_features_without_gradient(m: ModuleType) -> bool:
    """One process is enough: what it gathers is its own."""
    images, texts, scale, loss = leaf(3, 4), leaf(3, 4, seed=1), torch.tensor(5.0), m.CLIPLoss()
    (alone,) = grad(loss(images, texts, scale), images)
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        (together,) = grad(loss(images, texts, scale), images)
    finally:
        dist.destroy_process_group()
    return not close(alone, together)


def penalty_gradient_without_graph(m: ModuleType) -> bool:
    critic = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    return not m.TableCriticLoss(critic).gradient_penalty(torch.rand(2, 3), torch.rand(2, 3)).requires_grad
