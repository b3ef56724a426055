"""What a call leaves behind: changed arguments, a state that the next step fails on, numbers that differ."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402, N812
from torch import Tensor  # noqa: E402

from losslint.probe.worker.case import Argument, Case  # noqa: E402
from losslint.probe.worker.experiments.behaviour import determinism, input_mutation, second_step  # noqa: E402


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X = Argument("x", drawn(6, 4), "prediction", "real", differentiable=True)
T = Argument("t", drawn(6, 4, seed=1), "target", "real")


def case_of(loss: Any, *arguments: Argument) -> Case:
    make = loss if isinstance(loss, type) else lambda: loss
    return Case(make, arguments or (X, T), lambda file: file == __file__)


def found_by(experiment: Callable[[Case], dict[str, Any]], loss: Any, *arguments: Argument) -> dict[str, Any]:
    found = experiment(case_of(loss, *arguments))
    json.dumps(found, allow_nan=False)
    return found


def line_of(marker: str) -> int:
    """The number of the line of this file that ends in a marker."""
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        return next(number for number, text in enumerate(file, 1) if text.rstrip().endswith(f"# {marker}"))


def sound(x: Tensor, t: Tensor) -> Tensor:
    return F.mse_loss(x, t)


# Arguments


def clamps_target(x: Tensor, t: Tensor) -> Tensor:
    shifted = t + 1
    shifted.mul_(2)
    t.clamp_(0, 1)  # clamps
    t += 1
    return F.mse_loss(x, shifted) + t.mean()


def through_a_view(x: Tensor, t: Tensor) -> Tensor:
    rows = x.view(-1)[::2]
    rows[0] = 0.0  # view
    return F.mse_loss(x, t)


def through_data(x: Tensor, t: Tensor) -> Tensor:
    x.data.mul_(2)  # data
    return F.mse_loss(x, t)


def into_an_output(x: Tensor, t: Tensor) -> Tensor:
    torch.add(t, 1, out=t)  # out
    return F.mse_loss(x, t)


def after_a_gradient(x: Tensor, t: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad((x**2).sum(), x, create_graph=True)
    t.zero_()  # after
    return slope.norm() + t.sum()


@pytest.mark.parametrize(
    ("loss", "argument", "marker"),
    [
        (clamps_target, "t", "clamps"),
        (through_a_view, "x", "view"),
        (through_data, "x", "data"),
        (into_an_output, "t", "out"),
        (after_a_gradient, "t", "after"),
    ],
)
def test_writes_to_arguments(loss: Callable[..., Tensor], argument: str, marker: str) -> None:
    found = found_by(input_mutation, loss)
    assert found["status"] == "mutated"
    assert found["arguments"] == [argument]
    assert (found["filename"], found["line"]) == (__file__, line_of(marker))


def test_writes_in_a_list_and_to_several() -> None:
    def loss(x: list[Tensor], t: Tensor) -> Tensor:
        # losslint: ignore[LL601] -- on purpose
        t.neg_()  # first write
        x[1].relu_()
        return F.mse_loss(x[0], t) + x[1].sum()

    pair = Argument("x", [drawn(6, 4), drawn(6, 4, seed=4)], "prediction", "real", differentiable=True)
    found = found_by(input_mutation, loss, pair, T)
    assert found["arguments"] == ["x", "t"]
    assert found["line"] == line_of("first write")


def test_a_write_that_numpy_makes_has_no_line() -> None:
    pytest.importorskip("numpy")

    def loss(x: Tensor, t: Tensor) -> Tensor:
        t.numpy()[0] = 7.0
        return F.mse_loss(x, t)

    found = found_by(input_mutation, loss)
    assert (found["status"], found["line"]) == ("mutated", None)


def on_a_copy(x: Tensor, t: Tensor) -> Tensor:
    return F.mse_loss(x.clone().mul_(2), t.contiguous().add(1).clamp_(0, 1))


def on_the_graph(x: Tensor, t: Tensor) -> Tensor:
    error = x - t
    error[error > 1] = 1
    return error.square_().mean()


@pytest.mark.parametrize("loss", [sound, on_a_copy, on_the_graph])
def test_writes_to_own_tensors_are_fine(loss: Callable[..., Tensor]) -> None:
    assert found_by(input_mutation, loss)["status"] == "unchanged"


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([float("nan"), 1.0]), torch.tensor(2.0), torch.tensor([True, False]), torch.empty(0),
        torch.tensor([1 + 2j]), torch.arange(6).reshape(2, 3).t(), torch.ones(1, 2).expand(3, 2),
    ],
)  # fmt: skip
def test_every_kind_of_argument_is_compared(value: Tensor) -> None:
    other = Argument("other", value, "other", "value")
    assert found_by(input_mutation, lambda x, other: x.mean(), X, other)["status"] == "unchanged"

    def loss(x: Tensor, other: Tensor) -> Tensor:
        other.resize_(0)  # losslint: ignore[LL601] -- on purpose
        return x.mean()

    if value.numel():
        assert found_by(input_mutation, loss, X, other)["arguments"] == ["other"]


def raises(x: Tensor, t: Tensor) -> Tensor:
    raise ValueError("no such thing\nat all")


def test_a_loss_that_raises_is_skipped() -> None:
    assert found_by(input_mutation, raises)["reason"] == "ValueError: no such thing"
    assert found_by(second_step, raises)["status"] == "skipped"
    assert found_by(determinism, raises)["status"] == "skipped"


# The second step


class KeepsGraph(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean: Any = 0.0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        error = x - t
        self.mean = 0.9 * self.mean + 0.1 * (error**2).mean()  # kept
        return ((error - self.mean) ** 2).mean()


class KeepsNumbers(KeepsGraph):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        error = x - t
        self.mean = 0.9 * self.mean + 0.1 * (error**2).mean().detach()
        return ((error - self.mean) ** 2).mean()


class Once(nn.Module):
    used = False

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if self.used:
            raise RuntimeError("used up")  # raised
        self.used = True
        return F.mse_loss(x, t)


class Collapses(nn.Module):
    calls = 0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        return F.mse_loss(x, t) / (2 - self.calls)  # collapses


class Root(nn.Module):
    calls = 0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        return ((x - t) * (2 - self.calls)).square().sum().sqrt()


class Stops(nn.Module):
    last: Tensor | None = None

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        if self.last is not None:
            return self.last
        loss = F.mse_loss(x, t)
        self.last = loss.detach()
        return loss


class Centre(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return F.mse_loss(x - self.centre, t)


class Steps(Centre):
    """Fails unless the first step has moved the parameter, and only where no old gradient is left."""

    last: Tensor | None = None

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        assert self.centre.grad is None
        if self.last is not None:
            assert not torch.equal(self.centre, self.last)
        self.last = self.centre.detach().clone()
        return super().forward(x, t)


@pytest.mark.parametrize("loss", [sound, KeepsNumbers, Centre, Steps])
def test_sound_losses_pass_two_steps(loss: Any) -> None:
    assert found_by(second_step, loss)["status"] == "passed"


@pytest.mark.parametrize(
    ("loss", "reason", "marker"),
    [
        (KeepsGraph, "RuntimeError: Trying to backward through the graph a second time", "kept"),
        (Once, "RuntimeError: used up", "raised"),
        (Collapses, "its value is not finite", "collapses"),
        (Root, "its gradient is not finite", ""),
        (Stops, "the second result carries no gradient", ""),
    ],
)
def test_second_steps_that_fail(loss: Any, reason: str, marker: str) -> None:
    found = found_by(second_step, loss)
    assert found["status"] == "failed"
    assert found["reason"].startswith(reason)
    if marker:
        assert (found["filename"], found["line"]) == (__file__, line_of(marker))


def test_a_step_that_fails_at_once_is_no_second_step() -> None:
    assert found_by(second_step, lambda x, t: F.mse_loss(x, t) / 0)["status"] == "skipped"
    assert found_by(second_step, lambda x, t: F.mse_loss(x, t).detach())["status"] == "skipped"


# Randomness


def dropping(x: Tensor, t: Tensor) -> Tensor:
    return F.mse_loss(F.dropout(x), t)


def by_python(x: Tensor, t: Tensor) -> Tensor:
    return F.mse_loss(x, t) * (1 + random.random())


def by_the_clock(x: Tensor, t: Tensor) -> Tensor:
    return F.mse_loss(x, t) * (1 + time.perf_counter_ns() % 1000)


def by_numpy(x: Tensor, t: Tensor) -> Tensor:
    numpy = pytest.importorskip("numpy")
    return F.mse_loss(x, t) * (1 + float(numpy.random.rand()))


class RandomWeights(nn.Module):
    """Random once: where it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.rand(4)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return (self.weights * (x - t) ** 2).mean()


@pytest.mark.parametrize(
    ("loss", "changes"),
    [
        (sound, ""),
        (RandomWeights, ""),
        (KeepsNumbers, ""),
        (lambda x, t: F.mse_loss(x, t) * float("nan"), ""),
        (dropping, "different seeds differ"),
        (by_python, "different seeds differ"),
        (by_numpy, "different seeds differ"),
        (by_the_clock, "same seed differs"),
    ],
)
def test_randomness(loss: Any, changes: str) -> None:
    found = found_by(determinism, loss)
    assert (found["status"], found["changes"]) == ("random" if changes else "deterministic", changes)
