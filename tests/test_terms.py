"""The terms of a final sum: their values and gradients against hand computations, and what must not be taken apart."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402, N812
from torch import Tensor  # noqa: E402

from losslint.probe.worker.case import Argument, Case  # noqa: E402
from losslint.probe.worker.experiments.terms import MOST_TERMS, measure  # noqa: E402


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def prediction(name: str, value: Any, kind: str = "real") -> Argument:
    return Argument(name, value, "prediction", kind, differentiable=True)


X = prediction("x", drawn(6, 4))
Y = prediction("y", drawn(6, 4, seed=1))
T = Argument("t", drawn(6, 4, seed=2), "target", "real")
BINARY = Argument("t", (drawn(6, 4, seed=3) > 0).float(), "target", "binary")
LABELS = Argument("t", torch.tensor([0, 1, 2, 3, 0, 1]), "target", "index")


def measured(make: Callable[[], Callable[..., Any]], *arguments: Argument) -> dict[str, Any]:
    found = measure(Case(make, arguments, lambda file: file == __file__))
    json.dumps(found, allow_nan=False)
    return found


def split(loss: Callable[..., Any], *arguments: Argument) -> list[dict[str, Any]]:
    found = measured(lambda: loss, *arguments)
    assert found["status"] == "split"
    return found["terms"]


def by_hand(term: Callable[..., Tensor], *arguments: Argument) -> tuple[float, float]:
    """The value of a term and the norm of its gradient."""
    values = [each.value.clone().requires_grad_(each.differentiable) for each in arguments]
    result = term(*values)
    result.backward()
    return float(result.detach()), math.sqrt(
        sum(float((each.grad**2).sum()) for each in values if each.grad is not None)
    )


def assert_terms(found: list[dict[str, Any]], arguments: tuple[Argument, ...], *terms: Callable[..., Tensor]) -> None:
    expected = [by_hand(term, *arguments) for term in terms]
    assert [each["value"] for each in found] == pytest.approx([value for value, _ in expected], rel=1e-5)
    assert [each["gradient_norm"] for each in found] == pytest.approx([norm for _, norm in expected], rel=1e-5)
    values, norms = sum(abs(value) for value, _ in expected), sum(norm for _, norm in expected)
    assert [each["value_share"] for each in found] == pytest.approx([abs(v) / values for v, _ in expected], rel=1e-5)
    assert [each["gradient_share"] for each in found] == pytest.approx([n / norms for _, n in expected], rel=1e-5)


def squares(x: Tensor, t: Tensor) -> Tensor:
    return ((x - t) ** 2).mean()


# Sums of scalars


def weighted(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    first = F.mse_loss(x, t)
    second = (y**4).mean()
    third = x.abs().sum()
    return first + 0.5 * second - third  # the sum


def test_weights_and_signs_are_applied() -> None:
    found = split(weighted, X, Y, T)
    assert_terms(
        found,
        (X, Y, T),
        lambda x, y, t: squares(x, t),
        lambda x, y, t: 0.5 * (y**4).mean(),
        lambda x, y, t: -x.abs().sum(),
    )
    assert [each["name"] for each in found] == ["first", "second", "third"]
    assert [each["weight"] for each in found] == [1.0, 0.5, -1.0]
    lines = [each["line"] - weighted.__code__.co_firstlineno for each in found]
    assert lines == [1, 2, 3]
    assert {each["filename"] for each in found} == {__file__}


def listed(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return sum([F.mse_loss(x, t), F.l1_loss(y, t)]) / 2


def stacked_sum(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return 0.5 * torch.stack([F.mse_loss(x, t), F.l1_loss(y, t)]).sum()


def stacked_mean(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return torch.stack([F.mse_loss(x, t), F.l1_loss(y, t)]).mean()


def concatenated(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return torch.cat([F.mse_loss(x, t)[None], F.l1_loss(y, t).reshape(1)]).mean()


def looped(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    total = 0.0
    for term in (F.mse_loss(x, t), F.l1_loss(y, t)):
        total = total + term
    return total * torch.tensor(0.5)


def in_place(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    loss = F.mse_loss(x, t)
    loss += F.l1_loss(y, t)
    loss /= 2
    return loss


def added(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return torch.add(0.5 * F.mse_loss(x, t), F.l1_loss(y, t), alpha=0.5).squeeze()


def subtracted(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return -torch.sub(-0.5 * F.mse_loss(x, t), F.l1_loss(y, t), alpha=0.5)


def filled_in(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    losses = torch.zeros(2)
    losses[0] = F.mse_loss(x, t)
    losses[1] = F.l1_loss(y, t)
    return losses.mean()


def cast(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return (0.5 * (F.mse_loss(x, t).double() + F.l1_loss(y, t).double())).float()


def with_constant(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return 0.5 * F.mse_loss(x, t) + (3.0 + 0.5 * F.l1_loss(y, t)) + t.mean()


def within_a_module(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return 0.5 * (nn.MSELoss()(x, t) + nn.L1Loss()(y, t))


SUMS = [
    listed, stacked_sum, stacked_mean, concatenated, looped, in_place, added, subtracted, filled_in, cast, with_constant,
    within_a_module,
]  # fmt: skip


@pytest.mark.parametrize("loss", SUMS, ids=lambda loss: loss.__name__)
def test_all_ways_to_write_a_sum(loss: Callable[..., Tensor]) -> None:
    found = split(loss, X, Y, T)
    assert_terms(found, (X, Y, T), lambda x, y, t: 0.5 * squares(x, t), lambda x, y, t: 0.5 * (y - t).abs().mean())
    assert [each["weight"] for each in found] == [0.5, 0.5]
    assert not any(each["complementary"] for each in found)


def test_a_loop_s_terms_are_numbered() -> None:
    def loss(x: list[Tensor], t: Tensor) -> Tensor:
        total = 0.0
        for each in x:
            total += F.mse_loss(each, t)
        return total

    found = split(loss, prediction("x", [drawn(6, 4), drawn(6, 4, seed=5)]), T)
    assert [each["name"] for each in found] == ["F.mse_loss(each, t)", "F.mse_loss(each, t) (2)"]


def test_a_returned_term_has_the_caller_s_name() -> None:
    def content(x: Tensor, t: Tensor) -> Tensor:
        return F.mse_loss(x, t)

    def loss(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        near = content(x, t)
        return near + content(y, t)

    assert [each["name"] for each in split(loss, X, Y, T)] == ["near", "content(y, t)"]


def test_a_term_used_twice_is_one() -> None:
    def loss(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        data = F.mse_loss(x, t)
        return data + F.l1_loss(y, t) + 2 * data

    found = split(loss, X, Y, T)
    assert_terms(found, (X, Y, T), lambda x, y, t: (y - t).abs().mean(), lambda x, y, t: 3 * squares(x, t))


def test_a_term_within_another_counts_for_itself() -> None:
    def loss(x: Tensor, t: Tensor) -> Tensor:
        data = F.mse_loss(x, t)
        return data + data.exp()

    found = split(loss, X, T)
    assert_terms(found, (X, T), squares, lambda x, t: squares(x, t).exp())


def test_long_sums_keep_the_largest_terms() -> None:
    def loss(x: Tensor) -> Tensor:
        data = (x**2).mean()
        return sum(data * weight for weight in range(1, 2001))

    (term,) = measured(lambda: loss, X)["terms"]
    assert term["weight"] == 2001000

    def many(x: Tensor) -> Tensor:
        return sum((x**2 * weight).mean() for weight in range(1, 2001))

    found = measured(lambda: many, X)
    assert len(found["terms"]) == MOST_TERMS
    assert found["reason"] == f"the {MOST_TERMS} largest of 2000 terms"
    assert found["terms"][-1]["weight"] == 2000


# Elementwise sums


def test_a_mean_of_a_sum_is_a_sum_of_means() -> None:
    def loss(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        data = (x - t) ** 2
        smooth = y[:1].abs()
        return (data + 0.1 * smooth).mean()

    found = split(loss, X, Y, T)
    assert_terms(found, (X, Y, T), lambda x, y, t: squares(x, t), lambda x, y, t: 0.1 * y[0].abs().mean())
    assert [each["name"] for each in found] == ["data", "smooth"]
    assert [each["weight"] for each in found] == pytest.approx([1.0, 0.1])


def test_masked_means() -> None:
    def loss(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        each = (x - t) ** 2 + y.exp()
        return (each * t).sum() / t.sum()

    found = split(loss, X, Y, BINARY)
    assert_terms(
        found,
        (X, Y, BINARY),
        lambda x, y, t: ((x - t) ** 2 * t).sum() / t.sum(),
        lambda x, y, t: (y.exp() * t).sum() / t.sum(),
    )


def test_what_a_mask_selects_away_may_be_infinite() -> None:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        far = x.exp().masked_fill(x > 0, math.inf)  # losslint: ignore[LL211] -- on purpose
        return (far + y.exp())[x <= 0].mean()  # losslint: ignore[LL206, LL211] -- the batch has both

    assert all(isinstance(each["value"], float) for each in split(loss, X, Y))


def test_unreduced_results_are_averaged() -> None:
    def loss(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return (x - t) ** 2 + y.exp()  # losslint: ignore[LL301] -- on purpose

    found = measured(lambda: loss, X, Y, T)
    assert_terms(found["terms"], (X, Y, T), lambda x, y, t: squares(x, t), lambda x, y, t: y.exp().mean())
    assert found["total"] == pytest.approx(sum(each["value"] for each in found["terms"]))


def test_inputs_themselves_are_terms() -> None:
    found = split(lambda x, y: (x - y).mean(), X, Y)
    assert_terms(found, (X, Y), lambda x, y: x.mean(), lambda x, y: -y.mean())
    assert [each["name"] for each in found] == ["x", "y"]


# One term


def square_of_a_difference(x: Tensor, y: Tensor) -> Tensor:
    return ((x - y) ** 2).mean()


def root_of_squares(x: Tensor, y: Tensor) -> Tensor:
    return torch.sqrt((x**2).sum() + (y**2).sum())


def one_minus_dice(x: Tensor, t: Tensor) -> Tensor:
    p = torch.sigmoid(x)
    return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def divergence_of_torch(x: Tensor, t: Tensor) -> Tensor:
    return F.kl_div(F.log_softmax(x, dim=1), torch.softmax(t, dim=1), reduction="batchmean")


def triplet_of_torch(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    return 2 * F.triplet_margin_loss(x, y, t)


def either_branch(x: Tensor, t: Tensor) -> Tensor:
    return torch.where(x > 0, (x - t) ** 2, (x - t).abs()).mean()


SINGLE = [
    (square_of_a_difference, X, Y), (root_of_squares, X, Y), (one_minus_dice, X, BINARY), (divergence_of_torch, X, T),
    (triplet_of_torch, X, Y, T), (either_branch, X, T),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "arguments"), [(loss, given) for loss, *given in SINGLE])
def test_what_is_one_term(loss: Callable[..., Tensor], arguments: list[Argument]) -> None:
    found = measured(lambda: loss, *arguments)
    assert found["status"] == "single"
    (term,) = found["terms"]
    assert term["value_share"] == term["gradient_share"] == 1.0
    assert term["gradient_norm"] == pytest.approx(by_hand(loss, *arguments)[1], rel=1e-5)


def test_a_constant_is_no_term() -> None:
    found = measured(lambda: one_minus_dice, X, BINARY)
    assert found["total"] == pytest.approx(1 + found["terms"][0]["value"])
    assert found["terms"][0]["weight"] == -1.0


class TimesThree(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 3 * x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return 3 * gradients[0]


def test_own_functions_are_terms() -> None:
    found = split(lambda x, t: TimesThree.apply(x.exp().mean()) + 0.5 * TimesThree.apply(squares(x, t)), X, T)
    assert_terms(found, (X, T), lambda x, t: 3 * x.exp().mean(), lambda x, t: 1.5 * squares(x, t))
    assert found[0]["name"] == "TimesThree.apply(x.exp().mean())"


# Halves of one thing


def entropy_by_hand(x: Tensor, t: Tensor) -> Tensor:
    p = torch.sigmoid(x)
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


def cross_entropy_by_hand(x: Tensor, t: Tensor) -> Tensor:
    return (torch.logsumexp(x, dim=1) - x[torch.arange(len(t)), t]).mean()


def stable_entropy_by_hand(x: Tensor, t: Tensor) -> Tensor:
    return F.softplus(x).sum() - (x * t).sum()


def log_softmax_by_hand(x: Tensor, t: Tensor) -> Tensor:
    log_p = x - torch.logsumexp(x, dim=1, keepdim=True)
    return -(log_p * F.one_hot(t, 4)).sum(1).mean()


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (entropy_by_hand, BINARY),
        (stable_entropy_by_hand, T),
        (cross_entropy_by_hand, LABELS),
        (log_softmax_by_hand, LABELS),
    ],
)
def test_halves_are_marked(loss: Callable[..., Tensor], target: Argument) -> None:
    found = split(loss, X, target)
    assert len(found) == 2
    assert all(each["complementary"] for each in found)


def test_a_small_weight_makes_a_term_of_its_own() -> None:
    found = split(lambda x, t: F.mse_loss(x, t) + 1e-9 * F.mse_loss(x[1:], x[:-1]), X, T)
    assert not any(each["complementary"] for each in found)
    assert found[1]["gradient_share"] < 1e-8


# Modules and results of other kinds


class Regularised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.tensor([1.0, 2.0, 2.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        return ((x.detach() - self.centre) ** 2).mean() + 0.25 * self.centre.norm()


def test_parameters_have_gradients_too() -> None:
    found = measured(Regularised, X)["terms"]
    assert found[1]["value"] == pytest.approx(0.75)
    assert found[1]["gradient_norm"] == pytest.approx(0.25)


def parts(x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    return F.mse_loss(x, t), F.l1_loss(y, t)


def total_first(x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, ...]:
    first, second = parts(x, y, t)
    return first + second, first, second


def in_a_dict(x: Tensor, y: Tensor, t: Tensor) -> dict[str, Tensor]:
    first, second = parts(x, y, t)
    return {"first": first, "second": second, "loss": first + second}


def with_prediction(x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    return sum(parts(x, y, t)), x.softmax(1)


@pytest.mark.parametrize("loss", [total_first, in_a_dict, with_prediction])
def test_the_sum_among_several_results(loss: Callable[..., Any]) -> None:
    found = split(loss, X, Y, T)
    assert_terms(found, (X, Y, T), lambda x, y, t: squares(x, t), lambda x, y, t: (y - t).abs().mean())


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (parts, "it returns several results, and none is the sum of the others"),
        (lambda x, y, t: squares(x, t).detach(), "the result carries no gradient"),
        (lambda x, y, t: None, "the result carries no gradient"),
        (lambda x, y, t: x, "the result is a parameter or an input itself"),
    ],
)
def test_what_is_skipped(loss: Callable[..., Any], reason: str) -> None:
    found = measured(lambda: loss, X, Y, T)
    assert (found["status"], found["reason"], found["terms"]) == ("skipped", reason, [])


def test_numbers_that_are_not_finite_have_names() -> None:
    found = split(lambda x, y: (x * 0).log().sum() + y.exp().mean(), X, Y)
    assert found[0]["value"] == "-inf"
    assert found[0]["gradient_norm"] == "nan"
    assert found[1]["value_share"] == 0.0
