"""Losses that keep torch's losses and activations as members, and that call methods rather than functions."""

import torch
import torch.nn as nn


class FocalWithMemberLoss(nn.Module):
    """Focal loss over the cross entropy of each sample. logits (N, C), labels (N,)."""

    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma
        self.ce = nn.CrossEntropyLoss(reduction="none")

    def forward(self, logits, labels):
        ce = self.ce(logits, labels)
        pt = (-ce).exp()
        return ((1 - pt) ** self.gamma * ce).mean()


class DeepSupervisionLoss(nn.Module):
    """Binary cross entropy and Dice at full and at half size. logits and target (N, 1, H, W)."""

    def __init__(self, dice_weight=1.0, smooth=1.0):
        super().__init__()
        self.dice_weight = dice_weight
        self.smooth = smooth
        self.bce = nn.BCEWithLogitsLoss()
        self.pool = nn.AvgPool2d(2, ceil_mode=True)

    def dice(self, logits, target):
        p = logits.sigmoid().flatten(1)
        t = target.flatten(1)
        overlap = (p * t).sum(1)
        return (1 - (2 * overlap + self.smooth) / (p.sum(1) + t.sum(1) + self.smooth)).mean()

    def forward(self, logits, target):
        loss = self.bce(logits, target) + self.dice_weight * self.dice(logits, target)
        for weight in (0.5, 0.25):
            logits, target = self.pool(logits), self.pool(target)
            loss += weight * self.bce(logits, target)
        return loss


class MutualLearningLoss(nn.Module):
    """Two networks learn from labels and from each other (Zhang et al. 2018)."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight
        self.ce = nn.CrossEntropyLoss()
        self.kl = nn.KLDivLoss(reduction="batchmean")
        self.softmax = nn.Softmax(dim=1)
        self.log_softmax = nn.LogSoftmax(dim=1)

    def forward(self, logits, peer_logits, labels):
        supervised = self.ce(logits, labels)
        mimicry = self.kl(self.log_softmax(logits), self.softmax(peer_logits.detach()))
        return supervised + self.weight * mimicry


class ShiftedContrastiveLoss(nn.Module):
    """Supervised contrastive loss with the softmax written out. features (N, D), labels (N,)."""

    def __init__(self, temperature=0.1, eps=1e-8):
        super().__init__()
        self.temperature = temperature
        self.eps = eps

    def forward(self, features, labels):
        features = features / features.norm(dim=1, keepdim=True).clamp(min=1e-6)
        logits = features @ features.t() / self.temperature
        logits = logits - logits.amax(dim=1, keepdim=True).detach()
        others = 1 - torch.eye(len(labels)).to(logits.device)
        mask = (labels.unsqueeze(0) == labels.unsqueeze(1)).to(logits.dtype) * others
        log_prob = logits - torch.log((logits.exp() * others).sum(1, keepdim=True) + self.eps)
        return -((mask * log_prob).sum(1) / mask.sum(1).clamp(min=1)).mean()


class ClassBalancedLoss(nn.Module):
    """Cross entropy under weights from how often a class occurs (Cui et al. 2019)."""

    def __init__(self, counts=(10.0, 50.0, 20.0, 5.0, 80.0), beta=0.99):
        super().__init__()
        counts = torch.tensor(counts)
        weights = (1 - beta) / (1 - beta**counts)
        self.register_buffer("weights", weights / weights.mean())

    def forward(self, logits, labels):
        """logits: (N, 5), labels: (N,)."""
        log_p = logits.log_softmax(-1)
        picked = log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        weight = self.weights[labels]
        return -(weight * picked).sum() / weight.sum()


class MultiTaskLoss(nn.Module):
    """A mask, a depth and a normal term; depth counts where it was measured, which is where it is positive."""

    def __init__(self, depth_weight=0.5, normal_weight=0.5):
        super().__init__()
        self.depth_weight = depth_weight
        self.normal_weight = normal_weight
        self.bce = nn.BCEWithLogitsLoss(reduction="mean")
        self.l1 = nn.L1Loss(reduction="none")

    def forward(self, mask_logits, mask_target, depth, depth_target, normals, normals_target):
        """mask_logits, mask_target, depth, depth_target: (N, 1, H, W), normals, normals_target: (N, 3, H, W)."""
        mask_loss = self.bce(mask_logits, mask_target)
        measured = (depth_target > 0).float()
        depth_loss = (self.l1(depth, depth_target) * measured).sum() / (measured.sum() + 1e-6)
        cosine = nn.functional.cosine_similarity(normals, normals_target, dim=1)
        normal_loss = (1 - cosine).mean()
        return mask_loss + self.depth_weight * depth_loss + self.normal_weight * normal_loss


def wasserstein_critic_loss(real_scores, fake_scores, drift=1e-3):
    """The critic's scores of real data exceed those of fakes; the drift keeps them near 0."""
    return fake_scores.mean() - real_scores.mean() + drift * real_scores.pow(2).mean()
