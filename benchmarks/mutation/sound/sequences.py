"""Losses over sequences, rankings and policies."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class MaskedTokenLoss(nn.Module):
    """Cross entropy over tokens that are no padding. logits (N, T, V), target (N, T)."""

    def __init__(self, pad_index=0, z_weight=1e-4):
        super().__init__()
        self.pad_index = pad_index
        self.z_weight = z_weight

    def forward(self, logits, target):
        logits = logits.flatten(0, 1)
        target = target.flatten()
        keep = (target != self.pad_index).to(logits.dtype)
        nll = F.cross_entropy(logits, target, ignore_index=self.pad_index, reduction="none")
        z = torch.logsumexp(logits, dim=-1).pow(2)
        loss = (nll + self.z_weight * z) * keep
        return loss.sum() / keep.sum().clamp(min=1)


class PPOLoss(nn.Module):
    """Clipped policy objective with an entropy bonus."""

    def __init__(self, clip_ratio=0.2, entropy_weight=0.01):
        super().__init__()
        self.clip_ratio = clip_ratio
        self.entropy_weight = entropy_weight

    def forward(self, logits, chosen_log_prob, old_log_prob, advantages):
        """logits: (N, C), the others: (N,)."""
        log_probs = F.log_softmax(logits, dim=-1)
        ratio = torch.exp((chosen_log_prob - old_log_prob.detach()).clamp(max=10.0))
        advantages = advantages.detach()
        clipped = ratio.clamp(1 - self.clip_ratio, 1 + self.clip_ratio) * advantages
        policy = -torch.min(ratio * advantages, clipped).mean()
        entropy = -(log_probs.exp() * log_probs).sum(dim=-1).mean()
        return policy - self.entropy_weight * entropy


class ValueLoss(nn.Module):
    """Clipped squared error of a critic."""

    def __init__(self, clip_range=0.2):
        super().__init__()
        self.clip_range = clip_range

    def forward(self, values, old_values, returns):
        """values: (N,), old_values: (N,), returns: (N,)."""
        old_values = old_values.detach()
        clipped = old_values + (values - old_values).clamp(-self.clip_range, self.clip_range)
        return 0.5 * torch.max((values - returns) ** 2, (clipped - returns) ** 2).mean()


def return_loss(predicted_return, observed_return, weight):
    """Squared error of predicted returns under a weight an episode.

    predicted_return: (N,), observed_return: (N,), weight: (N,).
    """
    error = (predicted_return - observed_return) ** 2
    return (error * weight).sum() / weight.sum().clamp(min=1e-6)


def time_to_event_loss(log_hazard, duration):
    """Exponential survival times; log_hazard: (N,), duration: (N,)."""
    log_hazard = log_hazard.clamp(-20.0, 20.0)
    return (torch.exp(log_hazard) * duration - log_hazard).mean()


class ListNetLoss(nn.Module):
    """Cross entropy between the top-one distributions of lists: scores and relevance (N, L)."""

    def forward(self, scores, relevance):
        target = F.softmax(relevance, dim=1)
        return -(target * F.log_softmax(scores, dim=1)).sum(dim=1).mean()


def info_nce_with_queue(query, positive_key, queue, temperature=0.2):
    """MoCo's loss. query and positive_key (N, D), queue (K, D)."""
    query = F.normalize(query, dim=1)
    positive_key = F.normalize(positive_key.detach(), dim=1)
    queue = F.normalize(queue.detach(), dim=1)
    positive = (query * positive_key).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, query @ queue.t()], dim=1) / temperature
    labels = torch.zeros(logits.shape[0], dtype=torch.long, device=logits.device)
    return F.cross_entropy(logits, labels)


def cox_loss(risk, time, event):
    """Negative partial likelihood; risk, time and event (N,)."""
    order = torch.argsort(time, descending=True)
    risk = risk[order]
    event = event[order].to(risk.dtype)
    log_risk = torch.logcumsumexp(risk, dim=0)
    return -((risk - log_risk) * event).sum() / event.sum().clamp(min=1)


def si_sdr_loss(estimate, reference, eps=1e-8):
    """Negative scale-invariant ratio of signal to distortion; signals (N, T)."""
    scale = (estimate * reference).sum(-1, keepdim=True) / (reference.pow(2).sum(-1, keepdim=True) + eps)
    signal = scale * reference
    noise = estimate - signal
    ratio = (signal.pow(2).sum(-1) + eps) / (noise.pow(2).sum(-1) + eps)
    return -10 * torch.log10(ratio).mean()


def log_spectral_loss(pred_magnitude, target_magnitude, eps=1e-5):
    """Spectral convergence and the distance of log magnitudes; magnitudes (N, F, T) are positive."""
    difference = torch.linalg.vector_norm((target_magnitude - pred_magnitude).flatten(1), dim=1)
    size = torch.linalg.vector_norm(target_magnitude.flatten(1), dim=1)
    convergence = (difference / size.clamp(min=eps)).mean()
    log_distance = F.l1_loss(torch.log(pred_magnitude.clamp(min=eps)), torch.log(target_magnitude.clamp(min=eps)))
    return convergence + log_distance
