"""Losses of generative models."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Normal


class BetaVAELoss(nn.Module):
    """Reconstruction and divergence of a Gaussian autoencoder, over the batch."""

    def __init__(self, beta=4.0):
        super().__init__()
        self.beta = beta

    def forward(self, recon, target, mu, logvar):
        batch_size = mu.size(0)
        logvar = torch.clamp(logvar, min=-20.0, max=10.0)
        recon_loss = F.mse_loss(recon, target, reduction="sum") / batch_size
        kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)
        return recon_loss + self.beta * kld.mean()


class VectorQuantizerLoss(nn.Module):
    """Codebook and commitment terms of a VQ-VAE."""

    def __init__(self, commitment=0.25):
        super().__init__()
        self.commitment = commitment

    def forward(self, latent, quantized):
        codebook_loss = F.mse_loss(quantized, latent.detach())
        commitment_loss = F.mse_loss(latent, quantized.detach())
        return codebook_loss + self.commitment * commitment_loss


class HingeGANLoss(nn.Module):
    """Hinge loss of a discriminator, and the loss of its generator."""

    def forward(self, real_logits, fake_logits):
        real = F.relu(1.0 - real_logits).mean()
        fake = F.relu(1.0 + fake_logits).mean()
        return 0.5 * (real + fake)


def gradient_penalty_loss(images, weight, lambda_gp=10.0):
    """A critic that is linear in the images (N, D) must have a gradient of norm one there."""
    points = images.detach().requires_grad_(True)
    scores = torch.tanh(points @ weight.reshape(-1)[:1].expand(points.shape[1]))
    (gradient,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
    norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return lambda_gp * ((norm - 1) ** 2).mean()


def sampled_kl_loss(mu, logvar, target_mu):
    """A divergence between Gaussians that is estimated with a sample."""
    std = torch.exp(0.5 * logvar.clamp(-10.0, 10.0))
    z = Normal(mu, std).rsample()
    log_q = Normal(mu, std).log_prob(z)
    log_p = -0.5 * (z - target_mu) ** 2 - 0.9189385332046727
    return (log_q - log_p).sum(dim=-1).mean()


def nonsaturating_generator_loss(fake_logits):
    """-log(sigmoid) of the discriminator's logits."""
    return -F.logsigmoid(fake_logits).mean()


def noise_prediction_loss(predicted_noise, noise, snr, max_snr=5.0):
    """Diffusion loss (N, C, H, W) with a capped weight (N,) a sample, which is a signal-to-noise ratio."""
    per_sample = F.mse_loss(predicted_noise, noise, reduction="none").flatten(1).mean(dim=1)
    weight = snr.abs().clamp(max=max_snr) / snr.abs().clamp(min=1e-3)
    return (weight * per_sample).mean()
