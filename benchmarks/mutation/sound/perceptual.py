"""Losses on lists of feature maps."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def gram(features):
    """Correlations of channels, over their number."""
    n, c, h, w = features.shape
    flat = features.view(n, c, h * w)
    return torch.bmm(flat, flat.transpose(1, 2)) / (c * h * w)


class StyleLoss(nn.Module):
    """Difference of Gram matrices, weighted by layer."""

    def __init__(self, layer_weights=(1.0, 0.5)):
        super().__init__()
        self.register_buffer("layer_weights", torch.tensor(layer_weights))

    def forward(self, pred_features, target_features):
        """Both are images (N, C, H, W)."""
        first = F.mse_loss(gram(pred_features), gram(target_features.detach()))
        pooled = F.avg_pool2d(pred_features, 2)
        second = F.mse_loss(gram(pooled), gram(F.avg_pool2d(target_features, 2).detach()))
        return (torch.stack([first, second]) * self.layer_weights).sum()


class MultiScaleLoss(nn.Module):
    """L1 over a pyramid of images (N, C, H, W), each level with half the weight of the one before."""

    def __init__(self, levels=2, decay=0.5):
        super().__init__()
        self.levels = levels
        self.decay = decay

    def forward(self, pred, target):
        loss = F.l1_loss(pred, target)
        weight = 1.0
        for _ in range(self.levels):
            pred = F.avg_pool2d(pred, 2, ceil_mode=True)
            target = F.avg_pool2d(target, 2, ceil_mode=True)
            weight = weight * self.decay
            loss = loss + weight * F.l1_loss(pred, target)
        return loss


class CombinedLoss(nn.Module):
    """Three losses under learned weights (Kendall et al. 2018)."""

    def __init__(self):
        super().__init__()
        self.log_vars = nn.Parameter(torch.zeros(3))
        self.criterions = nn.ModuleList([nn.L1Loss(), nn.MSELoss(), nn.SmoothL1Loss()])

    def forward(self, pred, target):
        losses = torch.stack([criterion(pred, target) for criterion in self.criterions])
        return (torch.exp(-self.log_vars) * losses + self.log_vars).sum()


class RunningScaleLoss(nn.Module):
    """Squared error over its running mean, so that it stays near one."""

    def __init__(self, momentum=0.99, eps=1e-6):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.register_buffer("scale", torch.ones(()))

    def forward(self, pred, target):
        loss = F.mse_loss(pred, target)
        self.scale = self.momentum * self.scale + (1 - self.momentum) * loss.detach()
        return loss / (self.scale + self.eps)
