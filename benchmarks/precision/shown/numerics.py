"""Logs of zero, divisions by zero, roots of zero, overflow."""

from __future__ import annotations

import importlib
import sys
import types

import torch
from torch import nn

from .loading import file, shows, single_file, taken


@shows("0dacaa20e1526fdf")
def smp_focal() -> str:
    """All pixels are ignored."""
    for name in ("segmentation_models_pytorch", "segmentation_models_pytorch.losses"):
        package = types.ModuleType(name)
        package.__path__ = [str(file("segmentation-models-pytorch", name.replace(".", "/")))]
        sys.modules[name] = package
    focal = importlib.import_module("segmentation_models_pytorch.losses.focal")
    loss = focal.FocalLoss("binary", ignore_index=255)(torch.randn(2, 1, 4, 4), torch.full((2, 1, 4, 4), 255))
    assert loss.isnan()
    return f"smp FocalLoss, every pixel ignored: {loss.item()}"


def bi_tempered(name: str, path: str) -> str:
    """t1 = t2 = 1 and one logit far ahead."""
    logits = torch.tensor([[0.0, 200.0]], requires_grad=True)
    loss = single_file(name, path).bi_tempered_logistic_loss(logits, torch.tensor([[1.0, 0.0]]), 1.0, 1.0)
    loss.backward()
    assert logits.grad is not None
    assert loss.isinf()
    assert logits.grad.isnan().any()
    return f"{name} bi-tempered loss, t1 = t2 = 1, logits (0, 200): {loss.item()}, gradient {logits.grad.tolist()}"


@shows("4f9961a1012341ca")
def toolbelt_bi_tempered() -> str:
    """The copy in pytorch-toolbelt."""
    return bi_tempered("pytorch-toolbelt", "pytorch_toolbelt/losses/bitempered_loss.py")


@shows("07476d452a86e5fd")
def optimizer_bi_tempered() -> str:
    """The copy in pytorch-optimizer."""
    return bi_tempered("pytorch-optimizer", "pytorch_optimizer/loss/bi_tempered.py")


@shows("43ed0b6ddf91b244")
def spectral_convergence() -> str:
    """A silent target."""
    loss = taken("auraloss", "auraloss/freq.py", "SpectralConvergenceLoss")["SpectralConvergenceLoss"]()
    found = loss(torch.rand(1, 5, 6), torch.zeros(1, 5, 6))
    assert found.isinf()
    return f"auraloss SpectralConvergenceLoss, silent target: {found.item()}"


@shows("cde54a252614dbbe")
def p2s_norm() -> str:
    """The norm as P2SGradLoss writes it, of a zero embedding."""
    embedding = torch.zeros(1, 3, requires_grad=True)
    embedding.pow(2).sum(1).pow(0.5).sum().backward()
    assert embedding.grad is not None
    assert embedding.grad.isnan().all()
    return f"P2SGrad norm, zero embedding: gradient {embedding.grad.tolist()}"


@shows("7883cdebc86d8fd9")
def registrator() -> str:
    """Nothing of the warped image is left in view."""
    found = torch.rand(1, 1, 4, 4).masked_select(torch.zeros(1, 1, 4, 4) > 0.9).mean()
    assert found.isnan()
    return f"kornia registrator, nothing overlaps: {found.item()}"


@shows("df7880754c6e12c3")
def gold() -> str:
    """No token counts, reduction="mean"."""
    loss = taken("trl", "trl/experimental/gold/gold_trainer.py", "GOLDTrainer.generalized_jsd_loss")
    logits, labels = torch.randn(1, 2, 5), torch.full((1, 2), -100)
    found, beside = (
        loss["generalized_jsd_loss"](logits, logits + 1, labels=labels, reduction=each)
        for each in ("mean", "batchmean")
    )
    assert found.isnan()
    assert beside == 0
    return f"GOLDTrainer.generalized_jsd_loss, every label -100: mean {found.item()}, batchmean {beside.item()}"


@shows("e427b6ee8b98a876", "2f7b2b6f358e3daa")
def truncated_completion() -> str:
    """A sample of which the prompt fills the whole length, in either trainer."""
    seen = []
    for name in ("cpo", "orpo"):
        method = f"{name.upper()}Trainer.get_batch_logps"
        loss = taken(
            "trl",
            f"trl/experimental/{name}/{name}_trainer.py",
            method,
            selective_log_softmax=lambda x, y: x.log_softmax(-1).gather(-1, y.unsqueeze(-1)).squeeze(-1),
        )["get_batch_logps"]
        labels = torch.tensor([[-100, 1, 2], [-100, -100, -100]])
        found = loss(torch.randn(2, 3, 4), labels, average_log_prob=True)
        assert found.isnan().tolist() == [False, True]
        seen.append(f"{method} {found.tolist()}")
    return f"trl, second sample without a completion: {'; '.join(seen)}"


@shows("7ff48279c63b74ab")
def log_one_minus_exp() -> str:
    """A log-probability of -1e-8: the branch that is not taken is log1p(-1)."""
    value = torch.tensor([-1e-8], requires_grad=True)
    found = taken("trl", "trl/experimental/orpo/orpo_trainer.py", "log1mexp")["log1mexp"](value)
    found.sum().backward()
    assert value.grad is not None
    assert found.isfinite()
    assert value.grad.isnan()
    return f"trl log1mexp(-1e-8): {found.item()}, gradient {value.grad.item()}"


@shows("9f29fe4dcc3620eb")
def swav() -> str:
    """Scores that lie 12 apart at the default temperature of 0.1."""
    swav_loss = single_file("lightning-bolts", "pl_bolts/models/self_supervised/swav/loss.py").SWAVLoss
    loss = swav_loss(0.1, (0,), (2,), 3, 0.5, 0, 1)
    scores = torch.tensor([[0.0, 12.0], [12.0, 0.0]]).repeat(2, 1).requires_grad_()
    found = loss(scores, torch.zeros(4, 2), torch.zeros(2, 2), 2)[0]
    found.backward()
    assert scores.grad is not None
    assert not found.isfinite()
    assert scores.grad.isnan().any()
    return f"SWAVLoss, scores 12 apart: {found.item()}, gradient {scores.grad[2].tolist()}"


@shows("ac545c45aaf42f88", "eeb6bd51a62ef950", "ed70d6aa3530fe0a")
def residual_log_likelihood() -> str:
    """A raw sigma of -110, with either distribution."""

    class Flow(nn.Module):
        def log_prob(self, x: torch.Tensor) -> torch.Tensor:
            return -x.abs().sum(-1)

    made = taken("mmpose", "mmpose/models/losses/regression_loss.py", "RLELoss", RealNVP=Flow)["RLELoss"]
    seen = []
    for distribution in ("laplace", "gaussian"):
        sigma = torch.full((1, 1, 2), -110.0, requires_grad=True)
        loss = made(q_distribution=distribution)(torch.zeros(1, 1, 2), sigma, torch.zeros(1, 1, 2))
        loss.sum().backward()
        assert sigma.grad is not None
        assert loss.isinf().all()
        assert sigma.grad.isnan().all()
        seen.append(f"{distribution} {loss.flatten().tolist()}, gradient {sigma.grad.flatten().tolist()}")
    return f"mmpose RLELoss, sigma -110: {'; '.join(seen)}"


@shows("2ab5b3b0c2a3a4b8")
def virtual_outliers() -> str:
    """Energy weights that are all negative, as nn.Linear's own initialisation gives for some seeds."""
    energy = taken("pytorch-ood", "pytorch_ood/loss/vos.py", "VOSRegLoss._energy")["_energy"]
    weights = nn.Linear(3, 1)
    nn.init.constant_(weights.weight, -0.1)
    logits = torch.randn(2, 3, requires_grad=True)
    found = energy(types.SimpleNamespace(weights_energy=weights), logits)
    found.sum().backward()
    assert logits.grad is not None
    assert found.isinf().all()
    assert logits.grad.isnan().any()
    return f"VOSRegLoss energy, negative weights: {found.tolist()}, gradient {logits.grad[0].tolist()}"


@shows("8c82e8aa28e973c4")
def relativistic() -> str:
    """A real image that scores 100 above the fake one."""
    scores = torch.tensor([-100.0], requires_grad=True)
    found = single_file("relativistic_loss", "relativistic_loss/loss.py").logistic_f(scores)
    found.sum().backward()
    assert scores.grad is not None
    assert found.isinf()
    assert scores.grad.isnan()
    return f"relativistic_loss logistic_f(-100): {found.item()}, gradient {scores.grad.item()}"


@shows("bae85437cd21bb1f")
def free_anchor_bound() -> str:
    """The clamp's upper bound lets 1 through."""
    path = "mmdet/models/dense_heads/free_anchor_retina_head.py"
    bound = 1 - taken("mmdet", path, "EPS")["EPS"]
    found = torch.tensor(1.0).clamp(max=bound)
    assert found == 1
    assert torch.log(1 - found).isinf()
    return f"mmdet FreeAnchor, 1.0 clamped to 1 - EPS: {found.item()}, log(1 - it) {torch.log(1 - found).item()}"
