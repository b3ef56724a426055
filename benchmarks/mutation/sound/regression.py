"""Losses on real numbers."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class GaussianNLLLoss(nn.Module):
    """Negative log-likelihood under a predicted mean and log variance."""

    def __init__(self, min_logvar=-10.0, max_logvar=10.0):
        super().__init__()
        self.min_logvar = min_logvar
        self.max_logvar = max_logvar

    def forward(self, mean, logvar, target):
        logvar = logvar.clamp(self.min_logvar, self.max_logvar)
        return 0.5 * (logvar + (target - mean) ** 2 * torch.exp(-logvar)).mean()


class QuantileLoss(nn.Module):
    """Pinball loss of several quantiles."""

    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        self.register_buffer("quantiles", torch.tensor(quantiles))

    def forward(self, preds, target):
        """preds: (N, 3), target: (N,)."""
        errors = target.unsqueeze(1) - preds
        loss = torch.max((self.quantiles - 1) * errors, self.quantiles * errors)
        return loss.sum(dim=1).mean()


class WingLoss(nn.Module):
    """Wing loss for landmarks (Feng et al. 2018)."""

    def __init__(self, omega=10.0, epsilon=2.0):
        super().__init__()
        self.omega = omega
        self.epsilon = epsilon
        self.constant = omega - omega * math.log(1 + omega / epsilon)

    def forward(self, pred, target):
        distance = (pred - target).abs()
        near = self.omega * torch.log1p(distance / self.epsilon)
        return torch.where(distance < self.omega, near, distance - self.constant).mean()


class BalancedMSELoss(nn.Module):
    """Squared error under weights a dimension, which make up for how often each is measured."""

    def __init__(self, weight=(1.0, 2.0, 0.5, 1.5, 1.0)):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, pred, target, mask):
        """pred, target and mask: (N, 5)."""
        mask = mask.to(pred.dtype)
        error = (pred - target) ** 2 * self.weight * mask
        return error.sum() / mask.sum().clamp(min=1)


def huber(input, target, delta=1.0, reduction="mean"):
    error = torch.abs(input - target)
    quadratic = torch.clamp(error, max=delta)
    loss = 0.5 * quadratic**2 + delta * (error - quadratic)
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def huber_regression_loss(input, target, delta=1.0):
    """Huber loss of one prediction (N, 1) a target (N,)."""
    return huber(input.squeeze(1), target, delta=delta, reduction="none").mean()


def log_cosh_loss(pred, target):
    """log(cosh(error)), without overflow."""
    error = pred - target
    return (error + F.softplus(-2.0 * error) - math.log(2.0)).mean()


def poisson_loss(log_rate, counts):
    """Poisson likelihood of counts, without the constant."""
    log_rate = log_rate.clamp(max=20.0)
    return (torch.exp(log_rate) - counts * log_rate).mean()


def rotation_loss(pred_quaternion, target_quaternion):
    """Angle between rotations; quaternions are (N, 4)."""
    p = F.normalize(pred_quaternion, dim=-1)
    t = F.normalize(target_quaternion, dim=-1)
    cosine = (p * t).sum(dim=-1).abs()
    return 2 * torch.acos(cosine.clamp(max=1 - 1e-6)).mean()


def relative_error_loss(pred, target, eps=1e-6):
    """Norm of the error over that of the target, by sample."""
    error = torch.linalg.vector_norm((pred - target).flatten(1), dim=1)
    size = torch.linalg.vector_norm(target.flatten(1), dim=1)
    return (error / (size + eps)).mean()
