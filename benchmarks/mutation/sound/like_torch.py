"""Losses of torch.nn.functional, written out."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def cross_entropy_loss(logits, target, weight=None, ignore_index=-100):
    """Cross entropy of logits (N, C) over the sum of the weights of what is not ignored. target: (N,)"""
    log_p = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    valid = target != ignore_index
    index = target.masked_fill(~valid, 0)
    picked = log_p.gather(1, index.unsqueeze(1)).squeeze(1)
    scale = valid.to(log_p.dtype)
    if weight is not None:
        scale = scale * weight[index]
    return -(picked * scale).sum() / scale.sum().clamp(min=1e-6)


def shifted_cross_entropy_loss(logits, target):
    """Cross entropy of logits (N, C) with the exponentials written out; target (N,)."""
    logits = logits - logits.amax(dim=1, keepdim=True).detach()
    log_total = torch.log(torch.exp(logits).sum(dim=1))
    picked = logits.gather(1, target.unsqueeze(1)).squeeze(1)
    return (log_total - picked).mean()


def bce_with_logits_loss(logits, target, pos_weight=1.0):
    """Binary cross entropy in a stable form."""
    positive = F.softplus(-logits)
    negative = F.softplus(logits)
    return (pos_weight * target * positive + (1 - target) * negative).mean()


def bce_loss(probs, target, eps=1e-6):
    """Binary cross entropy of probabilities."""
    probs = probs.clamp(eps, 1 - eps)
    return -(target * torch.log(probs) + (1 - target) * torch.log(1 - probs)).mean()


def kl_div_loss(log_prob, target_prob):
    """Divergence of distributions (N, C), over the batch; a target of 0 adds nothing."""
    safe = torch.where(target_prob > 0, target_prob, torch.ones_like(target_prob))
    return (target_prob * (torch.log(safe) - log_prob)).sum() / log_prob.size(0)


def smooth_l1(pred, target, beta=1.0):
    error = (pred - target).abs()
    return torch.where(error < beta, 0.5 * error**2 / beta, error - 0.5 * beta)


class SmoothL1Loss(nn.Module):
    """Smooth L1 of boxes (N, 4) under a weight (N,) a box."""

    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def forward(self, pred, target, weight):
        loss = smooth_l1(pred, target, self.beta).mean(dim=1)
        return (loss * weight).sum() / weight.sum().clamp(min=1e-6)


class CosineLoss(nn.Module):
    """Cosine embedding loss; y is 1 for pairs that belong together and 0 for others."""

    def __init__(self, margin=0.2):
        super().__init__()
        self.margin = margin

    def forward(self, x1, x2, y):
        return F.cosine_embedding_loss(x1, x2, 2 * y - 1, margin=self.margin)


class CosineSimilarityLoss(nn.Module):
    """One minus the cosine of vectors (N, D)."""

    def __init__(self, eps=1e-6):
        super().__init__()
        self.eps = eps

    def forward(self, output, target):
        dot = (output * target).sum(dim=1)
        norms = output.norm(dim=1) * target.norm(dim=1)
        return (1 - dot / norms.clamp(min=self.eps)).mean()


class MarginRankingLoss(nn.Module):
    """A better score beats a worse one by a margin."""

    def __init__(self, margin=0.5):
        super().__init__()
        self.margin = margin

    def forward(self, better, worse):
        return F.relu(worse - better + self.margin).mean()


class MultiMarginLoss(nn.Module):
    """Hinge of all wrong classes to the right one. scores (N, C), labels (N,)."""

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, scores, labels):
        right = scores.gather(1, labels.unsqueeze(1))
        violation = F.relu(self.margin + scores - right)
        other = torch.ones_like(scores).scatter(1, labels.unsqueeze(1), 0.0)
        return (violation * other).sum(dim=1).mean() / scores.size(1)


class WeightedBCELoss(nn.Module):
    """Multi-label binary cross entropy, under a weight a class."""

    def __init__(self, pos_weight=(1.0, 2.0, 3.0, 1.0, 0.5)):
        super().__init__()
        self.register_buffer("pos_weight", torch.tensor(pos_weight))

    def forward(self, logits, target):
        """logits and target: (N, 5)."""
        return F.binary_cross_entropy_with_logits(logits, target, pos_weight=self.pos_weight)


class ConsistencyLoss(nn.Module):
    """Cross entropy plus the divergence between two views of a sample."""

    def __init__(self, weight=0.5):
        super().__init__()
        self.weight = weight

    def forward(self, logits, logits_augmented, labels):
        supervised = F.cross_entropy(logits, labels)
        first = F.log_softmax(logits, dim=1)
        second = F.log_softmax(logits_augmented, dim=1)
        divergence = F.kl_div(second, first.detach(), log_target=True, reduction="batchmean")
        return supervised + self.weight * divergence
