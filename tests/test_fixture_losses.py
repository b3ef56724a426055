"""The classic losses of fixtures/losses are sound, which running them proves; and losslint is silent on them."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from linted import linted

FOLDER = Path(__file__).parent.parent / "fixtures" / "losses"
C, D, H, W = 5, 8, 6, 7
Loss = Callable[..., Tensor]
Draw = Callable[[int, float], tuple[Tensor, ...]]


def module(name: str) -> ModuleType:
    """A fixture file, imported by its path."""
    spec = importlib.util.spec_from_file_location(f"fixture_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@dataclass(frozen=True)
class Case:
    """A loss, and how to draw its predictions (for a batch size and a scale) and its other arguments."""

    file: str
    symbol: str
    predictions: Draw
    others: Callable[[int], tuple[Tensor, ...]] = lambda n: ()
    settings: tuple[tuple[str, object], ...] = ()
    adapt: Callable[[Loss], Loss] = lambda loss: loss
    perfect: Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]] | None = None
    """Predictions that equal the targets, as near as the kind of prediction comes to it."""
    least: float | None = 0.0
    """What the loss is there; None where it says nothing."""
    idle: bool = False
    """Whether nothing is to be learnt from these targets: all ignored, all tied."""

    def loss(self) -> Loss:
        found = getattr(module(self.file), self.symbol)
        built = found(**dict(self.settings)) if isinstance(found, type) else partial(found, **dict(self.settings))
        return self.adapt(built)


def normal(*shapes: tuple[int, ...]) -> Draw:
    """Normal predictions of these shapes behind the batch; from 100 on exactly plus or minus the scale."""

    def draw(n: int, scale: float) -> tuple[Tensor, ...]:
        drawn = [torch.randn(n, *shape) for shape in shapes]
        return tuple(each.sign() * scale if scale >= 100 else each * scale for each in drawn)

    return draw


def classes(*shape: int) -> Callable[[int], tuple[Tensor, ...]]:
    return lambda n: (torch.randint(C, (n, *shape)),)


def bits(*shape: int) -> Callable[[int], tuple[Tensor, ...]]:
    return lambda n: (torch.randint(2, (n, *shape)).float(),)


def full(value: float, *shape: int) -> Callable[[int], tuple[Tensor, ...]]:
    return lambda n: (torch.full((n, *shape), value),)


def ignored(n: int) -> tuple[Tensor, ...]:
    return (torch.full((n,), -100),)


def same(others: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return others[:1]


def certain(others: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Logits of +-200 that say what the 0/1 targets say."""
    return ((others[0] * 2 - 1) * 200,)


def certain_class(others: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Class logits of +-200 that say what the class indices say."""
    return (torch.nn.functional.one_hot(others[0], C).movedim(-1, 1).float() * 400 - 200,)


def decoded(others: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A perfect reconstruction and a code that is exactly the prior."""
    return others[0], torch.zeros(len(others[0]), C), torch.zeros(len(others[0]), C)


def twice(shape: tuple[int, ...]) -> Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]:
    """Two views that are equal."""

    def perfect(_: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        view = torch.randn(4, *shape)
        return view, view.clone()

    return perfect


def collapsed(_: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Embeddings that are all the same."""
    return (torch.ones(4, D),)


def reconstruction_first(loss: Loss) -> Loss:
    """The bound takes (recon, x, mu, logvar); x is the only one that is no prediction."""
    return lambda recon, mu, logvar, x: loss(recon, x, mu, logvar)


def one_layer_and_its_half(loss: Loss) -> Loss:
    """The style loss takes lists of feature maps."""

    def layers(features: Tensor) -> list[Tensor]:
        return [features[..., ::2, ::2], features]

    return lambda generated, content, style: loss(layers(generated), layers(content), layers(style))


def at_epoch(epoch: int) -> Callable[[Loss], Loss]:
    def adapt(loss: Loss) -> Loss:
        loss.set_epoch(epoch)  # type: ignore[attr-defined]
        return loss

    return adapt


def at_step(step: int) -> Callable[[Loss], Loss]:
    """The ramped loss takes (pred, target, mu, logvar, step, total_steps)."""
    return lambda loss: lambda pred, mu, logvar, target: loss(pred, target, mu, logvar, step, 100)


def maps(n: int) -> tuple[Tensor, ...]:
    return torch.randn(n, C, H, W), torch.randn(n, C, H, W)


def reals(*shape: int) -> Callable[[int], tuple[Tensor, ...]]:
    return lambda n: (torch.randn(n, *shape),)


PAIR = normal((D,), (D,))
DEPTH = (normal((1, H, W)), reals(1, H, W))
CODE = normal((D,), (C,), (C,))
CASES: dict[str, Case] = {
    "binary focal": Case("binary_focal", "BinaryFocalLoss", normal((1,)), bits(1), perfect=certain),
    "binary focal, all background": Case(
        "binary_focal", "BinaryFocalLoss", normal((1,)), full(0.0, 1), perfect=certain
    ),
    "binary focal, sum": Case("binary_focal", "BinaryFocalLoss", normal((1,)), bits(1), (("reduction", "sum"),)),
    "binary focal, gamma 0": Case("binary_focal", "BinaryFocalLoss", normal((1,)), bits(1), (("gamma", 0.0),)),
    "binary focal, gamma 1": Case("binary_focal", "BinaryFocalLoss", normal((1,)), bits(1), (("gamma", 1.0),)),
    "sigmoid focal": Case("binary_focal", "sigmoid_focal_loss", normal((1,)), bits(1), perfect=certain),
    "sigmoid focal, all background": Case("binary_focal", "sigmoid_focal_loss", normal((1,)), full(0.0, 1)),
    "focal": Case("multiclass_focal", "FocalLoss", normal((C,)), classes(), perfect=certain_class),
    "focal, weighted": Case(
        "multiclass_focal", "FocalLoss", normal((C,)), classes(), (("weight", torch.linspace(0.5, 2, C)),)
    ),
    "focal, all ignored": Case("multiclass_focal", "FocalLoss", normal((C,)), ignored, idle=True),
    "focal, smoothed": Case(
        "multiclass_focal", "focal_cross_entropy", normal((C, H, W)), classes(H, W), perfect=certain_class, least=None
    ),
    "huber": Case("huber", "HuberLoss", normal((D,)), reals(D), perfect=same),
    "pseudo huber": Case("huber", "pseudo_huber_loss", normal((D,)), reals(D), perfect=same),
    "ranking": Case("margin_ranking", "PairwiseRankingLoss", normal((), ()), perfect=twice(()), least=1.0),
    "ranking, sum": Case("margin_ranking", "PairwiseRankingLoss", normal((), ()), settings=(("reduction", "sum"),)),
    "all pairs": Case(
        "margin_ranking", "all_pairs_ranking_loss", normal(()), lambda n: (torch.arange(float(n)),), perfect=same
    ),
    "all pairs, tied": Case("margin_ranking", "all_pairs_ranking_loss", normal(()), full(1.0), idle=True),
    "bpr": Case("margin_ranking", "bpr_loss", normal((), ()), perfect=twice(()), least=math.log(2)),
    "triplet": Case(
        "triplet",
        "TripletLoss",
        normal((D,), (D,), (D,)),
        perfect=lambda _: tuple(torch.ones(3, 4, D).unbind()),
        least=0.5,
    ),
    "batch hard": Case(
        "triplet",
        "BatchHardTripletLoss",
        normal((D,)),
        lambda n: (torch.arange(n) // 2,),
        perfect=collapsed,
        least=math.log(2),
    ),
    "batch hard, one class": Case("triplet", "BatchHardTripletLoss", normal((D,)), ignored, idle=True),
    "info nce": Case("contrastive", "InfoNCE", PAIR, perfect=twice((D,)), least=None),
    "supervised contrastive": Case(
        "contrastive",
        "SupConLoss",
        normal((D,)),
        lambda n: (torch.arange(n) // 2,),
        perfect=collapsed,
        least=math.log(3),
    ),
    "supervised contrastive, no positives": Case(
        "contrastive", "SupConLoss", normal((D,)), lambda n: (torch.arange(n),), idle=True
    ),
    "contrastive": Case(
        "contrastive",
        "contrastive_loss",
        PAIR,
        lambda n: (torch.arange(n).float() % 2,),
        perfect=twice((D,)),
        least=0.25,
    ),
    "dice": Case("dice", "DiceLoss", normal((1, H, W)), bits(1, H, W), perfect=certain),
    "dice, all background": Case("dice", "DiceLoss", normal((1, H, W)), full(0.0, 1, H, W), perfect=certain),
    "dice of classes": Case("dice", "multiclass_dice_loss", normal((C, H, W)), classes(H, W), perfect=certain_class),
    "dice of classes, all background": Case(
        "dice",
        "multiclass_dice_loss",
        normal((C, H, W)),
        lambda n: (torch.zeros(n, H, W, dtype=torch.long),),
        perfect=certain_class,
    ),
    "vae": Case("vae", "VAELoss", CODE, reals(D), adapt=reconstruction_first, perfect=decoded),
    "bernoulli vae": Case("vae", "bernoulli_vae_loss", CODE, bits(D), adapt=reconstruction_first),
    "content and style": Case(
        "content_style",
        "ContentStyleLoss",
        normal((C, H, W)),
        maps,
        adapt=one_layer_and_its_half,
        perfect=same,
        least=None,
    ),
    "depth": Case("multi_term", "DepthLoss", *DEPTH, perfect=same),
    "scheduled": Case(
        "scheduled",
        "WarmupConsistencyLoss",
        normal((C,)),
        lambda n: (*classes()(n), torch.randn(n, C)),
        adapt=at_epoch(5),
    ),
    "scheduled, first epoch": Case(
        "scheduled",
        "WarmupConsistencyLoss",
        normal((C,)),
        lambda n: (*classes()(n), torch.randn(n, C)),
        adapt=at_epoch(0),
    ),
    "ramped": Case("scheduled", "ramped_loss", CODE, reals(D), adapt=at_step(10), perfect=decoded),
}
NAMES = pytest.mark.parametrize("name", CASES)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def value_and_gradients(loss: Loss, predictions: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A finite scalar and the finite gradient of every prediction."""
    moving = tuple(each.clone().requires_grad_() for each in predictions)
    value = loss(*moving, *others)
    assert value.ndim == 0
    assert torch.isfinite(value)
    gradients = torch.autograd.grad(value, moving)
    assert all(torch.isfinite(each).all() for each in gradients)
    return value.detach(), *gradients


@NAMES
@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 200.0])
def test_scalar_and_finite_for_any_batch_and_scale(name: str, n: int, scale: float) -> None:
    case = CASES[name]
    value_and_gradients(case.loss(), case.predictions(n, scale), case.others(n))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.perfect is not None])
def test_finite_and_least_where_predictions_equal_targets(name: str) -> None:
    case = CASES[name]
    assert case.perfect is not None
    others = case.others(4)
    value, *_ = value_and_gradients(case.loss(), case.perfect(others), others)
    if case.least is not None:
        assert float(value) == pytest.approx(case.least, abs=1e-4)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.idle])
def test_every_prediction_gets_a_gradient(name: str) -> None:
    case = CASES[name]
    _, *gradients = value_and_gradients(case.loss(), case.predictions(4, 1.0), case.others(4))
    assert all(each.abs().sum() > 0 for each in gradients)


@NAMES
def test_gradient_is_the_slope_in_float64(name: str) -> None:
    case, step = CASES[name], 1e-6
    loss, others = case.loss(), tuple(each.double() if each.is_floating_point() else each for each in case.others(4))
    predictions = tuple(each.double() for each in case.predictions(4, 1.0))
    if isinstance(loss, torch.nn.Module):
        loss = loss.double()
    _, *gradients = value_and_gradients(loss, predictions, others)
    for _ in range(3):
        direction = [torch.randn_like(each) for each in predictions]
        ahead = loss(*(each + step * way for each, way in zip(predictions, direction, strict=True)), *others)
        behind = loss(*(each - step * way for each, way in zip(predictions, direction, strict=True)), *others)
        slope = sum((gradient * way).sum() for gradient, way in zip(gradients, direction, strict=True))
        assert torch.allclose((ahead - behind) / (2 * step), torch.as_tensor(slope), rtol=1e-6, atol=1e-8)


def test_the_unreduced_form_is_what_the_mean_is_of() -> None:
    logits, target = torch.randn(6, 3), torch.randint(2, (6, 3)).float()
    loss = module("binary_focal").BinaryFocalLoss
    assert torch.allclose(loss(reduction="none")(logits, target).mean(), loss()(logits, target))


def terms_of_style() -> dict[str, Tensor]:
    generated, content, style = (torch.randn(4, C, H, W, requires_grad=at == 0) for at in range(3))
    loss = module("content_style").ContentStyleLoss()
    return {
        "content": loss.content_weight * loss.content_term([generated], [content]),
        "style": loss.style_weight * loss.style_term([generated], [style]),
    }


def terms_of_depth() -> dict[str, Tensor]:
    pred, target = torch.randn(4, 1, H, W, requires_grad=True), torch.randn(4, 1, H, W)
    loss = module("multi_term").DepthLoss()
    return {
        "l1": loss.l1_weight * torch.nn.functional.l1_loss(pred, target),
        "gradient": loss.gradient_weight * loss.gradient_term(pred, target),
        "consistency": loss.consistency_weight * loss.consistency_term(pred, target),
    }


def terms_of_vae() -> dict[str, Tensor]:
    recon, mu, logvar = (torch.randn(4, each, requires_grad=True) for each in (D, C, C))
    x, loss = torch.randn(4, D), module("vae").VAELoss()
    nothing = torch.zeros(4, C)
    return {"reconstruction": loss(recon, x, nothing, nothing), "divergence": loss(x, x, mu, logvar)}


def terms_of_schedule() -> dict[str, Tensor]:
    logits, target, teacher = torch.randn(4, C, requires_grad=True), torch.randint(C, (4,)), torch.randn(4, C)
    loss = module("scheduled").WarmupConsistencyLoss()
    supervised = loss(logits, target, teacher)
    loss.set_epoch(10)
    return {"supervised": supervised, "consistency": loss(logits, target, teacher) - supervised}


@pytest.mark.parametrize("terms", [terms_of_style, terms_of_depth, terms_of_vae, terms_of_schedule])
def test_weighted_terms_are_within_an_order_of_magnitude(terms: Callable[[], dict[str, Tensor]]) -> None:
    sizes = {name: abs(float(term.detach())) for name, term in terms().items()}
    assert max(sizes.values()) < 10 * min(sizes.values()), sizes


def test_every_fixture_loss_has_a_case() -> None:
    run = {(case.file, case.symbol) for case in CASES.values()}
    assert {file for file, _ in run} == {path.stem for path in FOLDER.glob("*.py")}
    for path in FOLDER.glob("*.py"):
        made = module(path.stem)
        own = {name for name, each in vars(made).items() if getattr(each, "__module__", "") == made.__name__}
        assert own - {symbol for file, symbol in run if file == path.stem} <= {"gram_matrix"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_silent(path: Path) -> None:
    assert [(each.code, each.message) for each in linted(path.read_bytes(), path)] == []
