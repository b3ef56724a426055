"""Losses on embeddings."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class NTXentLoss(nn.Module):
    """SimCLR's loss over both views of a batch."""

    def __init__(self, temperature=0.5):
        super().__init__()
        self.temperature = temperature

    def forward(self, z_i, z_j):
        n = z_i.shape[0]
        z = F.normalize(torch.cat([z_i, z_j], dim=0), dim=1)
        similarity = z @ z.t() / self.temperature
        itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
        similarity = similarity.masked_fill(itself, -1e4)
        index = torch.arange(n, device=z.device)
        labels = torch.cat([index + n, index])
        return F.cross_entropy(similarity, labels)


class CenterLoss(nn.Module):
    """Squared distance of features (N, D) to the running centre of their class."""

    def __init__(self, num_classes=10, feat_dim=8, momentum=0.9):
        super().__init__()
        self.num_classes = num_classes
        self.momentum = momentum
        self.register_buffer("centers", torch.zeros(num_classes, feat_dim))

    def forward(self, features, labels):
        distance = (features - self.centers[labels]).pow(2).sum(dim=1)
        one_hot = F.one_hot(labels, self.num_classes).to(features.dtype)
        count = one_hot.sum(dim=0).unsqueeze(1)
        mean = one_hot.t() @ features.detach() / count.clamp(min=1)
        updated = self.momentum * self.centers + (1 - self.momentum) * mean
        self.centers = torch.where(count > 0, updated, self.centers)
        return 0.5 * distance.mean()


class ProxyAnchorLoss(nn.Module):
    """Proxies attract the samples of their class (Kim et al. 2020)."""

    def __init__(self, num_classes=10, embed_dim=8, margin=0.1, alpha=8.0):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(num_classes, embed_dim))
        self.num_classes = num_classes
        self.margin = margin
        self.alpha = alpha

    def forward(self, embeddings, labels):
        cosine = F.normalize(embeddings, dim=1) @ F.normalize(self.proxies, dim=1).t()
        positive = F.one_hot(labels, self.num_classes).bool()
        pull = (-self.alpha * (cosine - self.margin)).masked_fill(~positive, -1e4)
        push = (self.alpha * (cosine + self.margin)).masked_fill(positive, -1e4)
        seen = positive.any(dim=0).sum().clamp(min=1)
        pull_loss = F.softplus(torch.logsumexp(pull, dim=0)).sum() / seen
        push_loss = F.softplus(torch.logsumexp(push, dim=0)).mean()
        return pull_loss + push_loss


def soft_margin_triplet_loss(anchor, positive, negative):
    """Triplet loss without a margin to choose."""
    near = F.pairwise_distance(anchor, positive)
    far = F.pairwise_distance(anchor, negative)
    return F.softplus(near - far).mean()


def angular_margin_loss(features, weights, labels, margin=0.2, scale=16.0):
    """ArcFace: an angle is added to that of the true class. features (N, D), weights (C, D), labels (N,)."""
    cosine = F.normalize(features, dim=1) @ F.normalize(weights, dim=1).t()
    theta = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
    one_hot = F.one_hot(labels, weights.size(0)).to(cosine.dtype)
    logits = scale * torch.cos(theta + margin * one_hot)
    return F.cross_entropy(logits, labels)


def distance_weighted_loss(embeddings, labels, margin=1.0):
    """All pairs of a batch: those of a class are pulled together, others pushed apart up to the margin."""
    distances = torch.cdist(embeddings, embeddings)
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    pull = distances[same & ~itself].pow(2).sum()
    push = F.relu(margin - distances[~same]).pow(2).sum()
    return (pull + push) / max(len(labels) * (len(labels) - 1), 1)
