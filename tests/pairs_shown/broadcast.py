from __future__ import annotations

import warnings
from types import ModuleType

import torch

from .seen import close, grad, leaf


def critic_returns_broadcast(m: ModuleType) -> bool:
    loss, features = m.PPOCriticLoss(3), torch.randn(4, 3)
    exact = loss.value_head(features).detach()
    return not close(loss(features, exact, exact), 0.0)


def quantile_levels_broadcast(m: ModuleType) -> bool:
    expected, targets = torch.zeros(1, 8, requires_grad=True), torch.linspace(-1, 1, 8).unsqueeze(0)
    (gradient,) = grad(m.QuantileHuberLoss(8)(expected, targets), expected)
    return close(gradient[0, 0], gradient[0, -1])


def policy_ratio_times_column(m: ModuleType) -> bool:
    log_probs, advantages = leaf(4), torch.tensor([[1.0], [-1.0], [2.0], [-2.0]])
    (gradient,) = grad(m.ppo_policy_loss(log_probs, log_probs.detach(), advantages), log_probs)
    return close(gradient, torch.zeros(4))


def depth_target_without_channel(m: ModuleType) -> bool:
    depth = torch.arange(8.0).view(2, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return not close(m.CollaborativeLoss().depth_loss(depth.unsqueeze(1), depth.unsqueeze(1), depth), 0.0)
