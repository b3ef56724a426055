"""Losses on images."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class CharbonnierLoss(nn.Module):
    """A smooth L1."""

    def __init__(self, eps=1e-3, reduction="mean"):
        super().__init__()
        self.eps = eps
        self.reduction = reduction

    def forward(self, pred, target):
        loss = torch.sqrt((pred - target) ** 2 + self.eps**2)
        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss


class SSIMLoss(nn.Module):
    """One minus the structural similarity of images (N, C, H, W) in [0, 1], over a uniform window."""

    def __init__(self, window=3, c1=0.01**2, c2=0.03**2):
        super().__init__()
        self.window = window
        self.c1 = c1
        self.c2 = c2

    def forward(self, img, target):
        mu_x = F.avg_pool2d(img, self.window, stride=1)
        mu_y = F.avg_pool2d(target, self.window, stride=1)
        var_x = (F.avg_pool2d(img**2, self.window, stride=1) - mu_x**2).clamp(min=0)
        var_y = (F.avg_pool2d(target**2, self.window, stride=1) - mu_y**2).clamp(min=0)
        cov = F.avg_pool2d(img * target, self.window, stride=1) - mu_x * mu_y
        numerator = (2 * mu_x * mu_y + self.c1) * (2 * cov + self.c2)
        denominator = (mu_x**2 + mu_y**2 + self.c1) * (var_x + var_y + self.c2)
        return 1 - (numerator / denominator).mean()


class EdgeLoss(nn.Module):
    """Difference of the Laplacians of images (N, 1, H, W)."""

    def __init__(self, weight=0.1):
        super().__init__()
        self.weight = weight
        kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
        self.register_buffer("kernel", kernel.view(1, 1, 3, 3))

    def forward(self, pred, target):
        pixel = F.l1_loss(pred, target)
        edges = F.l1_loss(F.conv2d(pred, self.kernel, padding=1), F.conv2d(target, self.kernel, padding=1))
        return pixel + self.weight * edges


def total_variation_loss(image):
    """Differences of neighbours in an image (N, C, H, W)."""
    dy = (image[:, :, 1:, :] - image[:, :, :-1, :]).abs().mean()
    dx = (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().mean()
    return dy + dx


def masked_l1_loss(pred, target, mask):
    """L1 over what the mask keeps; pred and target (N, T, D), mask (N, T)."""
    mask = mask.unsqueeze(-1).expand_as(pred).to(pred.dtype)
    error = (pred - target).abs() * mask
    return error.sum() / mask.sum().clamp(min=1)


def scale_invariant_depth_loss(pred_depth, gt_depth, lam=0.5, eps=1e-3):
    """Eigen et al. 2014, on positive depths (N, 1, H, W)."""
    diff = torch.log(pred_depth.clamp(min=eps)) - torch.log(gt_depth.clamp(min=eps))
    diff = diff.flatten(1)
    return (diff.pow(2).mean(dim=1) - lam * diff.mean(dim=1).pow(2)).mean()


def psnr_loss(pred, target, eps=1e-8):
    """Negative peak signal-to-noise ratio of images (N, C, H, W) in [0, 1]."""
    mse = ((pred - target) ** 2).flatten(1).mean(dim=1)
    return (10 * torch.log10(mse + eps)).mean()
