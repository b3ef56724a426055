"""Losses between a student and a teacher, and between two views."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DistillationLoss(nn.Module):
    """Soft and hard targets (Hinton et al. 2015)."""

    def __init__(self, temperature=4.0, alpha=0.7):
        super().__init__()
        self.temperature = temperature
        self.alpha = alpha

    def forward(self, student_logits, teacher_logits, labels):
        log_student = F.log_softmax(student_logits / self.temperature, dim=1)
        teacher = F.softmax(teacher_logits.detach() / self.temperature, dim=1)
        soft = F.kl_div(log_student, teacher, reduction="batchmean") * self.temperature**2
        hard = F.cross_entropy(student_logits, labels)
        return self.alpha * soft + (1 - self.alpha) * hard


class DINOLoss(nn.Module):
    """Cross entropy to a sharpened, centred teacher; the centre follows the teacher."""

    def __init__(self, out_dim=8, teacher_temp=0.5, student_temp=1.0, momentum=0.9):
        super().__init__()
        self.teacher_temp = teacher_temp
        self.student_temp = student_temp
        self.momentum = momentum
        self.register_buffer("center", torch.zeros(1, out_dim))

    def forward(self, student_output, teacher_output):
        """Both (N, 8)."""
        teacher = F.softmax((teacher_output.detach() - self.center) / self.teacher_temp, dim=-1)
        log_student = F.log_softmax(student_output / self.student_temp, dim=-1)
        loss = -(teacher * log_student).sum(dim=-1).mean()
        self.update(teacher_output)
        return loss

    @torch.no_grad()
    def update(self, teacher_output):
        mean = teacher_output.mean(dim=0, keepdim=True)
        self.center = self.momentum * self.center + (1 - self.momentum) * mean


class BarlowTwinsLoss(nn.Module):
    """Redundancy reduction between two views (N, D)."""

    def __init__(self, lambd=0.005, eps=1e-5):
        super().__init__()
        self.lambd = lambd
        self.eps = eps

    def forward(self, z_a, z_b):
        z_a = (z_a - z_a.mean(dim=0)) / torch.sqrt(z_a.var(dim=0, unbiased=False) + self.eps)
        z_b = (z_b - z_b.mean(dim=0)) / torch.sqrt(z_b.var(dim=0, unbiased=False) + self.eps)
        c = z_a.t() @ z_b / z_a.size(0)
        on_diagonal = (torch.diagonal(c) - 1).pow(2).sum()
        off_diagonal = (c - torch.diag(torch.diagonal(c))).pow(2).sum()
        return on_diagonal + self.lambd * off_diagonal


class VICRegLoss(nn.Module):
    """Variance, invariance and covariance terms (Bardes et al. 2022)."""

    def __init__(self, sim_weight=25.0, std_weight=25.0, cov_weight=1.0, eps=1e-4):
        super().__init__()
        self.sim_weight = sim_weight
        self.std_weight = std_weight
        self.cov_weight = cov_weight
        self.eps = eps

    def covariance(self, z):
        z = z - z.mean(dim=0)
        cov = z.t() @ z / max(z.size(0) - 1, 1)
        return (cov - torch.diag(torch.diagonal(cov))).pow(2).sum() / z.size(1)

    def forward(self, x, y):
        invariance = F.mse_loss(x, y)
        std_x = torch.sqrt(x.var(dim=0, unbiased=False) + self.eps)
        std_y = torch.sqrt(y.var(dim=0, unbiased=False) + self.eps)
        variance = F.relu(1 - std_x).mean() + F.relu(1 - std_y).mean()
        covariance = self.covariance(x) + self.covariance(y)
        return self.sim_weight * invariance + self.std_weight * variance + self.cov_weight * covariance


def relational_distance_loss(student, teacher):
    """Distances within the student's batch (N, D) agree with those within the teacher's."""
    with torch.no_grad():
        t = torch.cdist(teacher, teacher)
        t = t / t.mean().clamp(min=1e-6)
    s = torch.cdist(student, student)
    s = s / s.mean().clamp(min=1e-6)
    return F.smooth_l1_loss(s, t)


def attention_transfer_loss(student_features, teacher_features):
    """Attention maps of features (N, C, H, W) agree."""
    student = F.normalize(student_features.pow(2).mean(dim=1).flatten(1), dim=1)
    teacher = F.normalize(teacher_features.detach().pow(2).mean(dim=1).flatten(1), dim=1)
    return (student - teacher).pow(2).mean()


def negative_cosine_loss(prediction, projection):
    """BYOL and SimSiam: no gradient through the projection."""
    p = F.normalize(prediction, dim=-1)
    z = F.normalize(projection.detach(), dim=-1)
    return 2 - 2 * (p * z).sum(dim=-1).mean()
