"""Variations of cross entropy."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelSmoothingCrossEntropy(nn.Module):
    """Cross entropy against labels of which a part is spread over all classes. logits (N, C), target (N,)."""

    def __init__(self, smoothing=0.1, ignore_index=-100):
        super().__init__()
        self.smoothing = smoothing
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        log_probs = F.log_softmax(logits, dim=-1)
        valid = target != self.ignore_index
        index = target.masked_fill(~valid, 0)
        nll = -log_probs.gather(-1, index.unsqueeze(-1)).squeeze(-1)
        uniform = -log_probs.mean(dim=-1)
        loss = (1 - self.smoothing) * nll + self.smoothing * uniform
        loss = loss.masked_fill(~valid, 0.0)
        return loss.sum() / valid.sum().clamp(min=1)


class AsymmetricLoss(nn.Module):
    """Multi-label loss that forgets easy negatives (Ridnik et al. 2021)."""

    def __init__(self, gamma_neg=4.0, gamma_pos=1.0, clip=0.05, eps=1e-6):
        super().__init__()
        self.gamma_neg = gamma_neg
        self.gamma_pos = gamma_pos
        self.clip = clip
        self.eps = eps

    def forward(self, logits, target):
        p = torch.sigmoid(logits)
        shifted = (1 - p + self.clip).clamp(max=1)
        positive = target * torch.log(p.clamp(min=self.eps)) * (1 - p) ** self.gamma_pos
        negative = (1 - target) * torch.log(shifted.clamp(min=self.eps)) * (1 - shifted) ** self.gamma_neg
        return -(positive + negative).sum(dim=1).mean()


class SymmetricCrossEntropyLoss(nn.Module):
    """Cross entropy in both directions, for noisy labels (Wang et al. 2019)."""

    def __init__(self, alpha=0.1, beta=1.0):
        super().__init__()
        self.alpha = alpha
        self.beta = beta

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels)
        pred = F.softmax(logits, dim=1).clamp(min=1e-7, max=1.0)
        one_hot = F.one_hot(labels, logits.size(1)).to(pred.dtype).clamp(min=1e-4, max=1.0)
        rce = -(pred * torch.log(one_hot)).sum(dim=1)
        return self.alpha * ce + self.beta * rce.mean()


def poly_loss(logits, target, epsilon=1.0):
    """Cross entropy with a corrected first coefficient (Leng et al. 2022)."""
    ce = F.cross_entropy(logits, target, reduction="none")
    pt = torch.exp(-ce)
    return (ce + epsilon * (1 - pt)).mean()


def soft_target_loss(logits, soft_target):
    """Cross entropy against a distribution, as mixup makes them."""
    return torch.sum(-soft_target * F.log_softmax(logits, dim=-1), dim=-1).mean()


def entropy_minimisation_loss(logits):
    """The entropy of predictions (N, C)."""
    log_p = F.log_softmax(logits, dim=1)
    return -(log_p.exp() * log_p).sum(dim=1).mean()
