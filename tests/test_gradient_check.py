"""The gradient check: silent on sound losses of all kinds, and no wrong backward escapes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

torch = pytest.importorskip("torch")
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402, N812
from torch import Tensor  # noqa: E402
from torch.autograd import Function  # noqa: E402

from losslint.probe.worker.case import Argument, Case  # noqa: E402
from losslint.probe.worker.experiments.gradient_check import measure  # noqa: E402

BUDGET = 60.0
"""Seconds: a slow machine must not decide what a test finds."""


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def prediction(name: str, value: Tensor, kind: str = "logits") -> Argument:
    return Argument(name, value, "prediction", kind, differentiable=True)


def target(name: str, value: Any, kind: str = "real") -> Argument:
    return Argument(name, value, "target", kind)


def checked(make: Callable[[], Callable[..., Any]], *arguments: Argument, budget: float = BUDGET) -> dict[str, Any]:
    return measure(Case(make, arguments, lambda file: file == __file__), budget)


def line_of(marker: str) -> int:
    """The number of the line of this file that ends in a marker."""
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        return next(number for number, text in enumerate(file, 1) if text.rstrip().endswith(f"# {marker}"))


LOGITS = prediction("logits", drawn(6, 4))
LABELS = target("labels", torch.tensor([0, 1, 2, 3, 0, 1]), "index")
PRED = prediction("pred", drawn(6, 4, seed=1), "real")
REAL = target("real", drawn(6, 4, seed=2))
BINARY = target("binary", (drawn(6, 4, seed=3) > 0).float(), "binary")


# Sound losses


def focal(logits: Tensor, labels: Tensor) -> Tensor:
    log_pt = F.log_softmax(logits, dim=1).gather(1, labels[:, None])
    return (-((1 - log_pt.exp()) ** 2) * log_pt).mean()


def dice(logits: Tensor, binary: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    return 1 - (2 * (p * binary).sum() + 1) / (p.sum() + binary.sum() + 1)


def contrastive(first: Tensor, second: Tensor, same: Tensor) -> Tensor:
    distance = torch.linalg.vector_norm(first - second, dim=1)
    return (same * distance**2 + (1 - same) * F.relu(2 - distance) ** 2).mean()


def straight_through(pred: Tensor, real: Tensor) -> Tensor:
    rounded = pred + (pred.round() - pred).detach()
    return F.mse_loss(rounded, real)


def codebook(pred: Tensor, codes: Tensor) -> Tensor:
    nearest = codes[torch.cdist(pred, codes).argmin(1)]
    commitment = F.mse_loss(nearest, pred.detach()) + 0.25 * F.mse_loss(nearest.detach(), pred)
    return commitment + (pred + (nearest - pred).detach()).square().mean()


def weighed_by_detached(logits: Tensor, labels: Tensor) -> Tensor:
    ce = F.cross_entropy(logits, labels, reduction="none")
    return (ce.detach().exp() * ce).mean()


def weighed_by_data(logits: Tensor, labels: Tensor) -> Tensor:
    ce = F.cross_entropy(logits, labels, reduction="none")
    return (ce / ce.data.sum()).sum()


def weighed_without_grad(logits: Tensor, labels: Tensor) -> Tensor:
    ce = F.cross_entropy(logits, labels, reduction="none")
    with torch.no_grad():
        weight = ce.clone()
        weight /= weight.sum()
        weight[0] = weight[1]
        scale = ce.max().item()
    return (weight * ce).sum() * scale


@torch.no_grad()
def assigned(scores: Tensor) -> Tensor:
    return torch.softmax(scores / 0.1, dim=0)


def clustered(logits: Tensor, labels: Tensor) -> Tensor:
    return -(assigned(logits) * F.log_softmax(logits, dim=1)).sum(1).mean()


def changed_in_place(pred: Tensor, real: Tensor) -> Tensor:
    scaled = pred * 2
    scaled.data.clamp_(-1, 1)
    with torch.no_grad():
        scaled[0] = scaled[0] * scaled[0].abs().mean()
    return (scaled - real).square().mean()


def with_dropout(pred: Tensor, real: Tensor) -> Tensor:
    return F.mse_loss(F.dropout(pred, 0.5) + 0.1 * torch.randn_like(pred), real)


def in_float32(logits: Tensor, binary: Tensor) -> Tensor:
    p = torch.sigmoid(logits.float()).to(torch.float32)
    return F.binary_cross_entropy(p, binary.float())


def hard_gumbel(logits: Tensor, real: Tensor) -> Tensor:
    return (F.gumbel_softmax(logits, tau=0.7, hard=True) * real).sum(1).square().mean()


def with_rewrapped(pred: Tensor, real: Tensor) -> Tensor:
    return F.mse_loss(pred, real) * torch.tensor([pred.detach().abs().mean(), 1.0]).sum()


def gradient_penalty(pred: Tensor, real: Tensor) -> Tensor:
    score = pred.exp().sin().sum()
    (slope,) = torch.autograd.grad(score, pred, create_graph=True)
    return (slope.norm(dim=1) - 1).square().mean() + F.mse_loss(pred, real)


def balanced(pred: Tensor, real: Tensor) -> Tensor:
    fit, size = F.mse_loss(pred, real), pred.abs().mean()
    (of_fit,) = torch.autograd.grad(fit, pred, retain_graph=True)
    (of_size,) = torch.autograd.grad(size, pred, retain_graph=True)
    return fit + of_fit.norm() / (of_size.norm() + 1e-4) * size


def spectral(pred: Tensor, real: Tensor) -> Tensor:
    def magnitudes(wave: Tensor) -> Tensor:
        found = torch.stft(wave, 16, hop_length=4, window=torch.hann_window(16), return_complex=True)
        return found.abs().clamp_min(1e-5)

    return (magnitudes(pred).log() - magnitudes(real).log()).abs().mean()


def several(pred: Tensor, real: Tensor) -> dict[str, Tensor]:
    return {"fit": F.mse_loss(pred, real), "spread": pred.var(), "seen": pred.detach().mean()}


def with_precision(prob: Tensor, real: Tensor) -> Tensor:
    return -(real.softmax(1) * prob.log()).sum(1).mean()


def rounded_only(pred: Tensor, real: Tensor) -> Tensor:
    return (pred.round() - real).square().mean() + (pred > 0).sum() + pred.argmax(1).to(pred.dtype).mean()


class Averaged(nn.Module):
    """Normalises by a moving average that it keeps in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.ones(4))

    def forward(self, pred: Tensor, real: Tensor) -> Tensor:
        with torch.no_grad():
            self.average.mul_(0.9).add_(pred.abs().mean(0), alpha=0.1)
            self.average[0].mul_(2.0)
        return ((pred - real) / self.average).square().mean()


class Weighed(nn.Module):
    """Learns one log variance a term, and normalises class centres in place."""

    def __init__(self) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(2))
        self.centres = nn.Parameter(drawn(4, 4, seed=5))
        self.weight = torch.tensor([1.0, 2.0, 0.5, 1.0])

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        self.centres.data = F.normalize(self.centres.data, dim=1)
        terms = torch.stack([F.cross_entropy(logits, labels, self.weight), F.mse_loss(logits, self.centres[labels])])
        return (terms * (-self.log_variance).exp() + self.log_variance).sum()


class RoundThrough(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class Reversed(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -0.5 * gradient


class ClampThrough(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(-0.5, 0.5)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class Softplus(Function):
    """A right backward, with what would be a stop-gradient elsewhere inside its forward."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        with torch.enable_grad():
            inner = x.detach().float()
        with torch.no_grad():
            return torch.log1p(inner.exp())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * torch.sigmoid(ctx.saved_tensors[0])


round_through = RoundThrough.apply

SOUND: dict[str, tuple[Callable[[], Callable[..., Any]], tuple[Argument, ...]]] = {
    "cross entropy": (lambda: F.cross_entropy, (LOGITS, LABELS)),
    "binary cross entropy with logits": (lambda: F.binary_cross_entropy_with_logits, (LOGITS, BINARY)),
    "focal": (lambda: focal, (LOGITS, LABELS)),
    "dice": (lambda: dice, (LOGITS, BINARY)),
    "contrastive": (
        lambda: contrastive,
        (PRED, prediction("other", drawn(6, 4, seed=8), "embedding"), target("same", BINARY.value[:, 0], "binary")),
    ),
    "straight-through": (lambda: straight_through, (PRED, REAL)),
    "codebook": (lambda: codebook, (PRED, prediction("codes", drawn(5, 4, seed=9), "embedding"))),
    "detached weights": (lambda: weighed_by_detached, (LOGITS, LABELS)),
    "weights of .data": (lambda: weighed_by_data, (LOGITS, LABELS)),
    "weights without grad": (lambda: weighed_without_grad, (LOGITS, LABELS)),
    "decorated no_grad": (lambda: clustered, (LOGITS, LABELS)),
    "changes in place": (lambda: changed_in_place, (PRED, REAL)),
    "dropout": (lambda: with_dropout, (PRED, REAL)),
    "float32 casts": (lambda: in_float32, (LOGITS, BINARY)),
    "hard Gumbel softmax": (lambda: hard_gumbel, (LOGITS, REAL)),
    "tensor made of tensors": (lambda: with_rewrapped, (PRED, REAL)),
    "gradient penalty": (lambda: gradient_penalty, (PRED, REAL)),
    "balanced by gradient norms": (lambda: balanced, (PRED, REAL)),
    "spectral": (lambda: spectral, (prediction("wave", drawn(2, 64), "real"), target("real", drawn(2, 64, seed=4)))),
    "several outputs": (lambda: several, (PRED, REAL)),
    "distributions": (lambda: with_precision, (prediction("prob", drawn(6, 4).softmax(1), "probability"), REAL)),
    "probabilities": (
        lambda: F.binary_cross_entropy,
        (prediction("prob", drawn(6, 4).sigmoid(), "probability"), BINARY),
    ),
    "log probabilities": (
        lambda: F.nll_loss,
        (prediction("log_prob", drawn(6, 4).log_softmax(1), "log-probability"), LABELS),
    ),
    "positive": (
        lambda: lambda rate, count: (rate - count * rate.log()).mean(),
        (prediction("rate", drawn(6, 4).exp(), "positive"), target("count", torch.ones(6, 4))),
    ),
    "steps only": (lambda: rounded_only, (PRED, REAL)),
    "average in a buffer": (Averaged, (PRED, REAL)),
    "learnt parameters": (Weighed, (LOGITS, LABELS)),
    "smooth L1 at 0": (lambda: F.smooth_l1_loss, (prediction("pred", REAL.value.clone(), "real"), REAL)),
    "L1 at 0": (lambda: F.l1_loss, (prediction("pred", REAL.value.clone(), "real"), REAL)),
    "custom straight-through": (lambda: lambda x, y: F.mse_loss(round_through(x * 2) * x.exp(), y), (PRED, REAL)),
    "gradient reversal": (lambda: lambda x, y: F.mse_loss(Reversed.apply(x.tanh()), y) + x.mean(), (PRED, REAL)),
    "clamp that passes gradients": (lambda: lambda x, y: F.mse_loss(ClampThrough.apply(x), y), (PRED, REAL)),
    "right custom backward": (lambda: lambda x, y: (Softplus.apply(x) * y).sum(), (PRED, REAL)),
}


@pytest.mark.parametrize("name", SOUND)
def test_passes_sound_losses(name: str) -> None:
    make, arguments = SOUND[name]
    report = checked(make, *arguments)
    assert report["status"] == "passed", report
    assert report["points"] >= 2
    assert report["worst"]["relative_error"] < 1e-3


# Wrong backward passes


class Square(Function):
    """Base of what follows: the square of a tensor, elementwise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2


class WrongSign(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # wrong sign
        return -2 * ctx.saved_tensors[0] * gradient


class MissingFactor(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return ctx.saved_tensors[0] * gradient


class IgnoresIncoming(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] / ctx.saved_tensors[0].numel()


class Clipped(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        full = 2 * ctx.saved_tensors[0] * gradient
        return full.clamp(-0.05, 0.05)


class WrongForSome(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        full = 2 * ctx.saved_tensors[0] * gradient
        full[0, 0] *= 1.5
        return full


class SlightlyWrong(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2.02 * ctx.saved_tensors[0] * gradient


class AddedConstant(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return (2 * ctx.saved_tensors[0] + 0.1) * gradient


class NoGradient(Square):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> None:
        return None


class WrongRoot(Function):
    """The root of x**2 + 1e-2, differentiated with another eps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x**2 + 1e-2).sqrt()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * x / (x**2 + 1e-1).sqrt()


class SumForMean(Function):
    """A mean, differentiated as a sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return x.mean()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.expand(ctx.shape)


class MeanOverBatch(Function):
    """A mean over all numbers, differentiated as one over the batch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.exp().mean()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * x.exp() / x.shape[0]


class Product(Function):
    """Base of what follows: the product of two tensors, elementwise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return x * y


class Swapped(Product):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, y = ctx.saved_tensors
        return gradient * x, gradient * y


class Forgotten(Product):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.saved_tensors[1], None


class Gram(Function):
    """x @ W, differentiated by the transposed W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return x @ w

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient @ ctx.saved_tensors[0], None


class CrossEntropyOfSoftmax(Function):
    """Cross entropy, whose gradient lacks the one-hot part."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        ctx.save_for_backward(logits)
        return F.cross_entropy(logits, labels)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (logits,) = ctx.saved_tensors
        return gradient * logits.softmax(1) / len(logits), None


class SigmoidOfOutput(Function):
    """A sigmoid whose backward takes the saved input for the output. With `setup_context`."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (s,) = ctx.saved_tensors
        return gradient * s * (1 - s)


class StableLog(Function):
    """log(1 + x**2) that multiplies where it has to divide."""

    calls: ClassVar[int] = 0

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            ctx.save_for_backward(x)
            return torch.log1p(x.detach() ** 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * 2 * x * (1 + x**2)


def hooked(x: Tensor, y: Tensor) -> Tensor:
    scaled = x * 2
    scaled.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))  # clipping hook
    return F.mse_loss(scaled, y)


def hooked_leaf(x: Tensor, y: Tensor) -> Tensor:
    (hidden := x.tanh()).register_hook(lambda gradient: 0.1 * gradient)
    return (hidden * y).sum()


def weighed_by_number(x: Tensor, y: Tensor) -> Tensor:
    fit = F.mse_loss(x, y)
    return fit * float(fit.sqrt())  # number as a weight


def number_as_margin(x: Tensor, y: Tensor) -> Tensor:
    return (x - x.max().item()).exp().sum() + y.sum() * 0


def through_math(x: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(x, y) + math.log1p(x.square().sum()) * x.mean()


class LearntScale(nn.Module):
    """The wrong backward is that of a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((4,), 0.7))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(x * MissingFactor.apply(self.scale), y)


class Inner(nn.Module):
    """A wrong backward beside a straight-through estimator, a stop-gradient and a second term."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            weight = x.exp()
        return (weight * wrong_sign(round_through(x * 3))).mean() + F.mse_loss(x, y) * x.detach().mean()


wrong_sign = WrongSign.apply


def elementwise(function: type[Function]) -> Callable[[], Callable[..., Tensor]]:
    return lambda: lambda x, y: (function.apply(x) - y).abs().sum() + x.mean()


X, Y = prediction("x", drawn(6, 4, seed=1), "real"), target("y", drawn(6, 4, seed=2))
BOTH = (X, prediction("y", drawn(6, 4, seed=3), "real"))
SQUARE = prediction("x", drawn(4, 4, seed=1), "real")

WRONG: dict[str, tuple[Callable[[], Callable[..., Any]], tuple[Argument, ...]]] = {
    "wrong sign": (elementwise(WrongSign), (X, Y)),
    "missing factor": (elementwise(MissingFactor), (X, Y)),
    "ignores the incoming gradient": (lambda: lambda x, y: IgnoresIncoming.apply(x).mean(), (X, Y)),
    "clipped": (elementwise(Clipped), (X, Y)),
    "wrong for one number": (elementwise(WrongForSome), (X, Y)),
    "wrong by 1 %": (elementwise(SlightlyWrong), (X, Y)),
    "added constant": (elementwise(AddedConstant), (X, Y)),
    "no gradient": (elementwise(NoGradient), (X, Y)),
    "another eps": (elementwise(WrongRoot), (X, Y)),
    "sum for mean": (lambda: lambda x, y: SumForMean.apply((x - y).square()), (X, Y)),
    "mean over the batch": (lambda: lambda x, y: MeanOverBatch.apply(x - y), (X, Y)),
    "swapped": (lambda: lambda x, y: Swapped.apply(x, y).square().mean(), BOTH),
    "one input forgotten": (lambda: lambda x, y: Forgotten.apply(x, y).square().mean(), BOTH),
    "transposed": (lambda: lambda x, w: Gram.apply(x, w).square().sum(), (SQUARE, target("w", drawn(4, 4, seed=7)))),
    "one-hot part forgotten": (lambda: CrossEntropyOfSoftmax.apply, (LOGITS, LABELS)),
    "input for output": (elementwise(SigmoidOfOutput), (X, Y)),
    "product for quotient": (elementwise(StableLog), (X, Y)),
    "beside other terms": (Inner, (X, Y)),
    "of a parameter": (LearntScale, (X, Y)),
    "clipping hook": (lambda: hooked, (X, Y)),
    "scaling hook": (lambda: hooked_leaf, (X, Y)),
    "number as a weight": (lambda: weighed_by_number, (X, Y)),
    "number as a margin": (lambda: number_as_margin, (X, Y)),
    "through math": (lambda: through_math, (X, Y)),
}


@pytest.mark.parametrize("name", WRONG)
def test_finds_wrong_backwards(name: str) -> None:
    make, arguments = WRONG[name]
    report = checked(make, *arguments)
    assert report["status"] == "failed", report
    assert report["worst"]["relative_error"] > 1e-3
    assert (report["line"] is None) == (report["filename"] is None)


def test_names_the_backward() -> None:
    for make in (elementwise(WrongSign), Inner):
        report = checked(make, X, Y)
        assert (report["filename"], report["line"]) == (__file__, line_of("wrong sign"))
        assert "backward of `WrongSign`" in report["reason"]


def test_names_the_leaf() -> None:
    assert checked(*WRONG["of a parameter"][:1], X, Y)["worst"]["leaf"] == "self.scale"
    assert checked(WRONG["one input forgotten"][0], *BOTH)["worst"]["leaf"] == "y"


def test_names_the_number_and_the_hook() -> None:
    number = checked(lambda: weighed_by_number, X, Y)
    assert number["line"] == line_of("number as a weight")
    assert "carries no gradient" in number["reason"]
    hook = checked(lambda: hooked, X, Y)
    assert hook["line"] == line_of("clipping hook")
    assert "hook" in hook["reason"]


# What is not checked


def halved(x: Tensor, y: Tensor) -> Tensor:
    coarse = x.half()  # half
    return (coarse.double() - y).square().mean()


def test_names_the_cast_that_loses_digits() -> None:
    report = checked(lambda: halved, X, Y)
    assert (report["status"], report["line"]) == ("not-checkable", line_of("half"))


def test_says_that_a_loss_is_random() -> None:
    source = torch.Generator().manual_seed(3)
    report = checked(lambda: lambda x, y: (x * torch.randn(x.shape, generator=source)).sum(), X, Y)
    assert report["status"] == "not-checkable"
    assert "random" in report["reason"]


def test_says_that_a_loss_does_not_run_in_float64() -> None:
    def picky(x: Tensor, y: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError("float32, please")  # picky
        return F.mse_loss(x, y)

    report = checked(lambda: picky, X, Y)
    assert (report["status"], report["line"]) == ("not-checkable", line_of("picky"))


def test_skips_what_it_has_no_time_for() -> None:
    report = checked(lambda: F.mse_loss, X, Y, budget=0.0)
    assert (report["status"], report["points"]) == ("skipped", 0)


def test_skips_what_has_no_gradient() -> None:
    assert checked(lambda: lambda x, y: x.detach().sum(), X, Y)["status"] == "skipped"
    assert checked(lambda: F.mse_loss, Y, REAL)["status"] == "skipped"


def test_is_not_checkable_where_it_is_not_finite() -> None:
    assert checked(lambda: lambda x, y: x.log().sum(), X, Y)["status"] == "not-checkable"


def test_leaves_everything_as_it_was() -> None:
    value = X.value.clone()
    methods = dict(vars(WrongSign))
    checked(elementwise(WrongSign), X, Y)
    assert torch.get_default_dtype() is torch.float32
    assert torch.equal(X.value, value)
    assert dict(vars(WrongSign)) == methods


def test_reuses_an_instance_that_is_dear_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losslint.probe.worker.double_precision._DEAR_INSTANCE", -1.0)
    made: list[Averaged] = []

    def make() -> Averaged:
        made.append(Averaged())
        return made[-1]

    assert checked(make, PRED, REAL)["status"] == "passed"
    assert len(made) == 1
