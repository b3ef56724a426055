"""What the pages of the usage rules say of torch, tried in torch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from losslint_rules.usage.deprecated_reduction import legacy_reduction

LOGITS = torch.tensor([[0.3, -1.2, 2.5], [1.0, 0.5, -0.2]])
LABELS = torch.tensor([2, 0])
RIGHT = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0]])


def test_a_softmax_before_cross_entropy_leaves_a_floor() -> None:
    ten = torch.zeros(1, 10).index_fill(1, torch.tensor([3]), 200.0)
    assert F.cross_entropy(ten.softmax(1), torch.tensor([3])).item() == pytest.approx(1.4612, abs=1e-3)
    assert F.cross_entropy(LOGITS.log_softmax(1), LABELS) == pytest.approx(F.cross_entropy(LOGITS, LABELS).item())


def test_a_sigmoid_before_bce_with_logits_leaves_a_floor() -> None:
    big = torch.tensor([200.0, -200.0])
    each = F.binary_cross_entropy_with_logits(big.sigmoid(), torch.tensor([1.0, 0.0]), reduction="none")
    assert each.tolist() == pytest.approx([0.3133, 0.6931], abs=1e-3)
    assert F.multilabel_soft_margin_loss(big.sigmoid()[None], torch.tensor([[1.0, 0.0]])).item() > 0.3


def test_nll_and_ctc_of_probabilities_are_negative() -> None:
    assert -1 <= F.nll_loss(LOGITS.softmax(1), LABELS).item() < 0
    torch.manual_seed(0)
    logits = torch.randn(10, 1, 5)
    assert F.ctc_loss(logits.softmax(2), torch.tensor([[1, 2]]), torch.tensor([10]), torch.tensor([2])).item() < 0


def test_kl_div_of_the_wrong_operands_is_negative_or_nan() -> None:
    p, q = LOGITS.softmax(1), LOGITS.flip(1).softmax(1)
    assert F.kl_div(p, q, reduction="batchmean").item() < 0
    assert math.isnan(F.kl_div(p.log(), q.log(), reduction="batchmean").item())
    assert math.isnan(F.kl_div(p, q.log(), reduction="batchmean").item())
    right = F.kl_div(p.log(), q, reduction="batchmean")
    assert F.kl_div(p.log(), q.log(), reduction="batchmean", log_target=True).item() == pytest.approx(right.item())


def test_bce_leaves_its_range_and_cuts_its_log_off() -> None:
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(torch.ones(2) + 1e-6, torch.ones(2))
    score = torch.tensor([-200.0], requires_grad=True)
    loss = F.binary_cross_entropy(score.sigmoid(), torch.ones(1))
    loss.backward()
    assert loss.item() == 100 and score.grad is not None and score.grad.item() == 0


@pytest.mark.parametrize(
    "name", ["margin_ranking_loss", "cosine_embedding_loss", "hinge_embedding_loss", "soft_margin_loss"]
)
def test_a_target_of_zero_gives_no_gradient(name: str) -> None:
    pred = torch.tensor([[0.2, 0.7]], requires_grad=True)
    target = torch.zeros(1) if name == "cosine_embedding_loss" else torch.zeros(1, 2)
    pair = (pred, torch.tensor([[0.5, 0.1]])) if name in ("margin_ranking_loss", "cosine_embedding_loss") else (pred,)
    getattr(F, name)(*pair, target).backward()
    assert pred.grad is not None and pred.grad.abs().max().item() < 1e-7


def test_the_cross_entropy_of_one_class_is_zero() -> None:
    assert F.cross_entropy(LOGITS[:, :1], torch.zeros(2, dtype=torch.long)).item() == 0
    assert F.cross_entropy(LOGITS[:, :1], torch.rand(2, 1)).item() == 0


RAISES: dict[str, Callable[[], object]] = {
    "constructor": lambda: nn.MSELoss(LOGITS, LOGITS),
    "constructor with weight": lambda: nn.CrossEntropyLoss(LOGITS, LABELS),
    "1 - bool": lambda: 1 - (LOGITS > 0),
    "-bool": lambda: -(LOGITS > 0),
    "float - bool": lambda: LOGITS - (LOGITS > 0),
    "bce of bool": lambda: F.binary_cross_entropy(LOGITS.sigmoid(), LOGITS > 0),
    "bce of int": lambda: F.binary_cross_entropy(LOGITS.sigmoid(), (LOGITS > 0).long()),
    "bce with logits of bool": lambda: F.binary_cross_entropy_with_logits(LOGITS, LOGITS > 0),
    "bce with logits of int": lambda: F.binary_cross_entropy_with_logits(LOGITS, (LOGITS > 0).long()),
    "cross entropy of int32": lambda: F.cross_entropy(LOGITS, LABELS.int()),
    "cross entropy of one-hot int64": lambda: F.cross_entropy(LOGITS, F.one_hot(LABELS, 3)),
    "cross entropy of float labels": lambda: F.cross_entropy(LOGITS, LABELS.float()),
    "nll of float": lambda: F.nll_loss(LOGITS.log_softmax(1), LABELS.float()),
    "nll of bool": lambda: F.nll_loss(LOGITS.log_softmax(1), LABELS > 0),
    "gaussian nll of a log": lambda: F.gaussian_nll_loss(LOGITS, LOGITS, LOGITS),
    "gather of -100": lambda: LOGITS.gather(1, torch.tensor([[-100], [0]])),
    "gather of -1": lambda: LOGITS.gather(1, torch.tensor([[-1], [0]])),
    "one_hot of -1": lambda: F.one_hot(torch.tensor([-1]), 3),
    "one_hot of 255": lambda: F.one_hot(torch.tensor([255]), 3),
    "scatter of -1": lambda: LOGITS.scatter(1, torch.tensor([[-1], [0]]), 1.0),
    "index of -100": lambda: LOGITS[torch.tensor([-100])],
}


@pytest.mark.parametrize("name", RAISES)
def test_what_is_said_to_raise_raises(name: str) -> None:
    with pytest.raises((RuntimeError, IndexError, ValueError)):
        RAISES[name]()


def test_what_is_not_reported_works() -> None:
    assert F.mse_loss(LOGITS, (LOGITS > 0).long()).isfinite()
    assert F.cross_entropy(LOGITS, LABELS.to(torch.uint8)).isfinite()
    assert LOGITS[torch.tensor([-1])].equal(LOGITS[1:])


@pytest.mark.parametrize("size_average", [None, True, False])
@pytest.mark.parametrize("reduce", [None, True, False])
def test_reduction_is_what_torch_makes_of_the_old_options(size_average: bool | None, reduce: bool | None) -> None:
    """The ground on which the fix is safe: value and gradient are the same for every combination."""
    if size_average is None and reduce is None:
        return
    found = []
    reduction = legacy_reduction(size_average, reduce)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for options in ({"size_average": size_average, "reduce": reduce}, {"reduction": reduction}):
            pred = LOGITS.double().requires_grad_()
            loss = F.smooth_l1_loss(pred, torch.ones_like(pred), **options)
            module = nn.SmoothL1Loss(**options)(pred, torch.ones_like(pred))
            assert module.equal(loss)
            loss.sum().backward()
            found.append((loss.detach(), pred.grad))
    (old, old_gradient), (new, new_gradient) = found
    assert old.equal(new) and old_gradient is not None and new_gradient is not None and old_gradient.equal(new_gradient)


def test_draws_and_gradients_without_a_graph() -> None:
    mu = torch.zeros(3, requires_grad=True)
    assert not torch.distributions.Normal(mu, 1.0).sample().requires_grad
    assert torch.distributions.Normal(mu, 1.0).rsample().requires_grad
    torch.normal(mu, torch.ones(3)).sum().backward()
    assert mu.grad is not None and mu.grad.abs().sum() == 0
    (plain,) = torch.autograd.grad((mu**3).sum(), mu, retain_graph=True)
    (graphed,) = torch.autograd.grad((mu**3).sum(), mu, create_graph=True)
    assert not plain.requires_grad and graphed.requires_grad


def test_a_softmax_without_dim_guesses() -> None:
    with pytest.warns(UserWarning, match="Implicit dimension"):
        assert F.softmax(torch.rand(2, 3, 4)).sum(0).allclose(torch.ones(3, 4))
    with pytest.warns(UserWarning, match="Implicit dimension"):
        assert F.softmax(torch.rand(2, 3)).sum(1).allclose(torch.ones(2))
