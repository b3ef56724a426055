"""Overlap losses for segmentation."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class TverskyLoss(nn.Module):
    """Dice with its own weight for each kind of mistake; logits and target are (N, C, H, W)."""

    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, logits, target):
        p = torch.sigmoid(logits).flatten(2)
        t = target.flatten(2)
        hit = (p * t).sum(-1)
        false_alarm = (p * (1 - t)).sum(-1)
        miss = ((1 - p) * t).sum(-1)
        index = (hit + self.smooth) / (hit + self.alpha * false_alarm + self.beta * miss + self.smooth)
        return 1 - index.mean()


class MaskedDiceLoss(nn.Module):
    """Dice over the pixels that `valid` keeps. probs, target and valid: (N, 1, H, W)."""

    def __init__(self, eps=1e-6):
        super().__init__()
        self.eps = eps

    def forward(self, probs, target, valid):
        valid = valid.to(probs.dtype)
        intersection = (probs * target * valid).sum(dim=(1, 2, 3))
        union = (probs * valid).sum(dim=(1, 2, 3)) + (target * valid).sum(dim=(1, 2, 3))
        return (1 - 2 * intersection / (union + self.eps)).mean()


def log_cosh_dice_loss(logits, target, smooth=1.0):
    """A smoothed Dice, over the softmax of logits (N, C, H, W) and a one-hot target of the same shape."""
    probs = F.softmax(logits, dim=1)
    overlap = 2 * torch.sum(probs * target, dim=(2, 3)) + smooth
    total = torch.sum(probs + target, dim=(2, 3)) + smooth
    dice = torch.mean(1 - overlap / total)
    return dice + F.softplus(-2 * dice) - 0.6931471805599453


def boundary_weighted_bce(logits, target, weight):
    """Binary cross entropy with a weight a pixel, over the sum of the weights."""
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)
