"""What is a loss, and what only has to do with losses: docs/decisions/0003-what-is-a-loss.md, case by case."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from losslint.semantics.loss_names import names_a_loss, says_loss
from losslint.semantics.losses import Loss, LossKind, find_losses, might_hold_loss
from losslint.semantics.project import Project

HEAD = """
import torch
from torch import nn
from torch.nn import functional as F
"""


def found_in(path: Path, names: tuple[str, ...] = ()) -> dict[str, Loss]:
    data = path.read_bytes()
    assert might_hold_loss(data, names)
    losses = find_losses(ast.parse(data), path, Project((path.parent,)), names)
    return {loss.symbol: loss for loss in losses}


def found(root: Path, text: str, names: tuple[str, ...] = ()) -> dict[str, Loss]:
    path = root / "sample.py"
    path.write_text(HEAD + dedent(text))
    return found_in(path, names)


def project(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / (name.replace("__", "/").replace("init", "__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return root


# --- names


@pytest.mark.parametrize(
    "name",
    """loss losses Loss BCELoss dice_loss diceloss DiceBCELoss L1Loss l1loss loss_fn lossfn criterion SetCriterion GANLoss
    SplitLoss loss_with_logits _loss ListLoss NT_Xent_Loss FocalLossV2 mse_loss_2d compute_losses""".split(),
)
def test_names_of_losses(name: str) -> None:
    assert says_loss(name)
    assert names_a_loss(name)


@pytest.mark.parametrize(
    "name",
    """glossary lossless Lossy lossy_compress gloss colossal blossom floss StoppingCriterion stopping_criterion criteria
    split_criterion close packet_loss accuracy stopping_fn_from_loss""".split(),
)
def test_words_that_are_no_losses(name: str) -> None:
    assert not says_loss(name)


@pytest.mark.parametrize(
    "name",
    """loss_weight loss_weights LossMeter LossHistory plot_losses print_loss update_loss_meter LossConfig loss_type
    loss_names LossFactory save_loss LossLogger loss_scaler is_loss has_loss""".split(),
)
def test_names_of_what_has_to_do_with_losses(name: str) -> None:
    assert says_loss(name)
    assert not names_a_loss(name)


# --- bytes


@pytest.mark.parametrize(
    "data",
    [
        b"class DiceLoss:",
        b"def dice_loss(",
        b"x.backward()",
        b"def training_step(",
        b"criterion",
        b"SetCriterion",
        b"LOSS",
    ],
)
def test_bytes_that_may_hold_a_loss(data: bytes) -> None:
    assert might_hold_loss(data)


def test_bytes_without_any_evidence() -> None:
    assert not might_hold_loss(b"import torch\nclass Net(torch.nn.Module): ...\n")
    assert not might_hold_loss(b"")


def test_names_from_the_settings_are_looked_for() -> None:
    data = b"class MyObjective: ..."
    assert might_hold_loss(data, ("*Objective",))
    assert might_hold_loss(data, ("My*",))
    assert might_hold_loss(data, ("*",))
    assert might_hold_loss(data, ("[MN]yObjective",))
    assert not might_hold_loss(data, ("*Energy",))


# --- classes


def test_a_module_named_loss(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class FocalLoss(nn.Module):
            def __init__(self, gamma=2.0):
                super().__init__()
                self.gamma = gamma

            def forward(self, x, y):
                return self.focal(x, y).mean()

            def focal(self, x, y):
                return (1 - torch.exp(-x)) ** self.gamma * y
        """,
    )
    (loss,) = losses.values()
    assert loss.symbol == "FocalLoss"
    assert loss.kind is LossKind.MODULE
    assert loss.entries == ("FocalLoss.forward",)
    assert loss.row == 6
    assert any("named FocalLoss" in each for each in loss.evidence)


@pytest.mark.parametrize(
    "base",
    ["nn.modules.loss._Loss", "torch.nn.modules.loss._WeightedLoss", "nn.CrossEntropyLoss", "nn.L1Loss"],
)
def test_a_subclass_of_torchs_losses_whatever_its_name(tmp_path: Path, base: str) -> None:
    losses = found(tmp_path, f"class Dice({base}):\n    def forward(self, x, y):\n        return (x * y).sum()\n")
    assert losses["Dice"].entries == ("Dice.forward",)
    assert base.rpartition(".")[2] in losses["Dice"].evidence[0]


def test_a_subclass_that_only_configures(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        "class Smooth(nn.CrossEntropyLoss):\n    def __init__(self):\n        super().__init__(label_smoothing=0.1)\n",
    )
    assert losses["Smooth"].entries == ()


def test_bases_in_other_files(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        pkg__init="from .core import Module",
        pkg__core="from torch import nn\nModule = nn.Module\n",
        pkg__losses__init="from .base import BaseLoss\nfrom .triplet import Triplet",
        pkg__losses__base="""
            from pkg.core import Module

            class BaseLoss(Module):
                def forward(self, x, y):
                    return self.reduce(self.compute_loss(x, y))

                def compute_loss(self, x, y):
                    raise NotImplementedError

                def hook(self, x):
                    return x
            """,
        pkg__losses__triplet="""
            from . import BaseLoss

            class Triplet(BaseLoss):
                # a loss, whatever it is called
                def compute_loss(self, x, y):
                    return (x - y).relu()
            """,
        pkg__losses__hard="""
            from .triplet import Triplet

            class Hard(Triplet):  # of the losses
                def __init__(self, margin):
                    super().__init__()

                def hook(self, x):
                    return x * 2

                def helper(self, x):
                    return x * 3
            """,
    )
    base = found_in(root / "pkg/losses/base.py")
    assert list(base) == ["BaseLoss"]
    assert base["BaseLoss"].entries == ("BaseLoss.forward",)
    triplet = found_in(root / "pkg/losses/triplet.py")
    assert triplet["Triplet"].entries == ("Triplet.compute_loss",)
    assert any("pkg.losses.base.BaseLoss" in each for each in triplet["Triplet"].evidence)
    (root / "pkg/losses/base.py").write_text(
        (root / "pkg/losses/base.py").read_text().replace("self.reduce(", "self.hook(")
    )
    assert found_in(root / "pkg/losses/hard.py")["Hard"].entries == ("Hard.hook",)


def test_a_plain_class_that_is_called_as_a_loss(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class HingeLoss:
            def __call__(self, x, y):
                return torch.relu(1 - x * y).mean()

        class LossList:
            def __call__(self, x):
                self.values.append(x)

        class LossBook:
            def __init__(self):
                self.loss = 0
        """,
    )
    assert list(losses) == ["HingeLoss"]


def test_a_loss_class_keeps_its_loss_methods_as_entries(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class VAELoss(nn.Module):
            def kld_loss(self, mu, logvar):
                return -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum()

            def log_loss(self, loss):
                print(loss)

            @property
            def loss(self):
                return self._loss

            def forward(self, x, mu, logvar):
                return self.kld_loss(mu, logvar)
        """,
    )
    assert losses["VAELoss"].entries == ("VAELoss.kld_loss", "VAELoss.forward")


@pytest.mark.parametrize(
    "text",
    [
        "class BaseLoss(nn.Module):\n    def forward(self, x, y):\n        raise NotImplementedError\n",
        "class BaseLoss(nn.Module):\n    '''Computes a loss.'''\n    def forward(self, x, y):\n        '''doc'''\n        ...\n",
        "class LossType(enum.Enum):\n    A = 1\n",
        "@dataclass\nclass LossConfig:\n    weight: float = 1.0\n",
        "@dataclass\nclass Losses:\n    weight: float = 1.0\n    def total(self): return self.weight\n",
        "class LossOutput(NamedTuple):\n    loss: torch.Tensor\n",
        "class LossMeter:\n    def update(self, loss): self.sum = self.sum + loss\n"
        "    def avg_loss(self): return self.sum / self.n\n",
        "class LossLogger(Callback):\n    def loss(self, x, y): return (x - y).mean()\n",
        "class LossError(Exception):\n    def loss(self, x): return x * 2\n",
        "class Net(nn.Module):\n    '''A net trained with a focal loss.'''\n    def forward(self, x):\n        return F.relu(x)\n",
        "class Lossless(nn.Module):\n    def forward(self, x):\n        return F.relu(x)  # loss\n",
    ],
)
def test_classes_that_are_no_losses(tmp_path: Path, text: str) -> None:
    assert not found(tmp_path, text)


def test_subclass_of_an_abstract_base(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class Criterion(nn.Module):
            def forward(self, x, y):
                raise NotImplementedError

        class Hinge(Criterion):
            def forward(self, x, y):
                return (1 - x * y).clamp(min=0).mean()
        """,
    )
    assert list(losses) == ["Hinge"]


def test_a_model_with_a_loss_mixin_is_no_loss(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class LossMixin:
            def compute_loss(self, x, y):
                return ((x - y) ** 2).mean()

        class Net(LossMixin, nn.Module):
            def forward(self, x):
                return F.relu(x)
        """,
    )
    assert list(losses) == ["LossMixin.compute_loss"]


# --- functions


def test_a_function_named_loss(tmp_path: Path) -> None:
    losses = found(tmp_path, "def dice_loss(x, y):\n    return 1 - (x * y).sum()\n")
    assert losses["dice_loss"] == Loss("dice_loss", LossKind.FUNCTION, ("dice_loss",), 5, ("named dice_loss",))


@pytest.mark.parametrize(
    "text",
    [
        "def mse_loss(x, y):\n    return F.mse_loss(x, y)\n",
        "def my_loss(x, y):\n    return helper(x, y)\n",
        "def my_loss(x, y):\n    loss = 0\n    for a, b in zip(x, y):\n        loss += a - b\n    return loss\n",
        "def my_loss(x, y):\n    out = {}\n    out['a'] = F.l1_loss(x, y)\n    return out\n",
        "def my_loss(x, y):\n    terms = []\n    terms.append(F.l1_loss(x, y))\n    return sum(terms)\n",
        "def get_loss(pred, target):\n    return ((pred - target) ** 2).mean()\n",
        "def log_loss(p, y):\n    return -(y * torch.log(p)).mean()\n",
        "def log_cosh_loss(x, y):\n    return torch.log(torch.cosh(x - y)).mean()\n",
        "def criterion(x, y):\n    return F.cross_entropy(x, y)\n",
        "def loss_fn(x, y, reduction='mean'):\n    return F.cross_entropy(x, y, reduction=reduction)\n",
        "def wgan_loss(x, y) -> 'torch.Tensor':\n    return x.mean() - y.mean()\n",
        "def ssim_loss(x, y):\n    return 1 - SSIM()(x, y)\n",
        "def vae_loss(x, y):\n    return LossOutput(loss=F.mse_loss(x, y))\n",
        "@torch.jit.script\ndef dice_loss(x, y):\n    return 1 - (x * y).sum()\n",
        "if True:\n    def dice_loss(x, y):\n        return 1 - (x * y).sum()\n",
        "def energy(x, y):\n    loss = (x - y).abs()\n    return loss.mean()\n",
        "@torch.no_grad()\ndef dice_loss(x, y):\n    return 1 - (x * y).sum()\n",
        "def numpy_loss(x, y):\n    error = (x - y).abs().mean()\n    return np.log(error)\n",
        "def ms_ssim(x, y):\n    return (x * y).mean()\n",
        "def float_loss(x, y) -> float:\n    return F.mse_loss(x, y).item()\n",
    ],
)
def test_functions_that_compute_a_loss(tmp_path: Path, text: str) -> None:
    (loss,) = found(tmp_path, text).values()
    assert loss.kind is LossKind.FUNCTION


@pytest.mark.parametrize(
    "text",
    [
        "def get_loss(name):\n    return LOSSES[name]()\n",
        "def get_loss(name, **kwargs):\n    return LOSSES[name](**kwargs)\n",
        "def get_loss(name):\n    if name == 'dice':\n        return DiceLoss()\n    return nn.BCELoss()\n",
        "def build_loss(cfg):\n    return build_from_cfg(cfg, LOSSES)\n",
        "def create_criterion(args):\n    criterion = nn.CrossEntropyLoss(weight=torch.tensor(args.w))\n    return criterion\n",
        "def make_loss(args) -> nn.Module:\n    return registry.make(args)\n",
        "def make_loss_fn(alpha):\n    return functools.partial(focal, alpha=alpha)\n",
        "def loss_class(name):\n    return nn.L1Loss\n",
        "def which_loss(flag):\n    return nn.L1Loss if flag else nn.MSELoss\n",
        "def set_loss(self, loss):\n    self.loss = loss\n",
        "def log_loss(loss, step):\n    writer.add_scalar('loss', loss.mean(), step)\n",
        "def plot_losses(losses):\n    plt.plot(losses)\n    return losses.mean()\n",
        "def print_loss(loss):\n    print(loss.mean())\n",
        "def update_loss_meter(meter, loss):\n    return meter.sum + loss.mean()\n",
        "def reduce_loss(loss, reduction):\n    return loss.mean() if reduction == 'mean' else loss.sum()\n",
        "def average_losses(losses):\n    return sum(losses) / len(losses)\n",
        "def loss_name(x):\n    return 'loss_' + x\n",
        "def loss_label(x) -> str:\n    return prefix + x\n",
        "def constant_loss(x):\n    return 0.0\n",
        "def zero_loss():\n    return torch.tensor(0.0)\n",
        "def abstract_loss(x, y):\n    raise NotImplementedError\n",
        "def abstract_loss(x, y):\n    '''Computes the loss.'''\n",
        "def abstract_loss(x, y):\n    pass\n",
        "def test_dice_loss():\n    assert dice(x, y).mean() == 0\n    return x.mean()\n",
        "def test_backward():\n    loss = dice(x, y)\n    loss.backward()\n",
        "@pytest.fixture\ndef loss(x):\n    return x.mean()\n",
        "@torch.no_grad()\ndef estimate_loss(model, data):\n    return F.mse_loss(model(data), data)\n",
        "def accuracy(x, y):\n    '''Not a loss.'''\n    return (x == y).float().mean()\n",
        "def iou_score(x, y):\n    '''Score to monitor next to the loss.'''\n    return (x * y).sum() / (x + y).sum()\n",
        "def hinge_loss_np(x, y):\n    return np.maximum(0, 1 - x * y).mean()\n",
        "def weighted_loss(loss_func):\n    return decorate(loss_func)\n",
        "def zero_loss(x):\n    return torch.sum(x * 0)\n",
        "def get_losses(self, start):\n    return self.losses[start:-start]\n",
        "def soft_dice_score(x, y):\n    '''Tversky loss.'''\n    return (x * y).sum()\n",
        "def combine(loss_dict):\n    loss = loss_dict['a'] * 2\n    return loss\n",
        "def evaluate(model, x, y):\n    model.eval()\n    loss = F.l1_loss(model(x), y)\n    return loss\n",
        "def _ssim(x, y):\n    return (x * y).mean()\n",
        "def ssim(x):\n    return x.mean()\n",
    ],
)
def test_functions_that_are_no_losses(tmp_path: Path, text: str) -> None:
    assert not found(tmp_path, text)


@pytest.mark.parametrize("framework", ["tensorflow as tf", "numpy as np", "jax.numpy as jnp", "keras"])
def test_losses_of_other_frameworks_are_not_ours(tmp_path: Path, framework: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(f"import {framework}\ndef dice_loss(x, y):\n    return 1 - (x * y).sum()\n")
    assert not found_in(path)


def test_a_factory_of_closures_is_analysed_where_it_computes(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        def focal_loss(gamma):
            def inner(x, y):
                return ((1 - x) ** gamma * y).mean()
            return inner
        """,
    )
    assert losses["focal_loss"].entries == ("focal_loss.inner",)


# --- methods


def test_loss_methods_of_other_classes(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class Head(nn.Module):
            def forward(self, x):
                return self.conv(x)

            def loss(self, x, y):
                return F.l1_loss(x, y)

            def compute_loss(self, x, y):
                return (x - y).abs().mean()

            def bbox_loss(self, x, y):
                return self.bbox(x, y)

            def loss_cls(self, x, y):
                return F.cross_entropy(x, y)

            def criterion(self, x, y):
                return x.sub(y).pow(2).mean()

            def get_loss_weight(self):
                return self.weight * 2

            def set_loss(self, loss):
                self._loss = loss

            @property
            def last_loss(self):
                return self._loss

            @last_loss.setter
            def last_loss(self, value):
                self._loss = value * 2

            def get_loss(self):
                return self._loss

            def train_loss(self):
                return self.total / self.count
        """,
    )
    assert list(losses) == [
        "Head.loss",
        "Head.compute_loss",
        "Head.bbox_loss",
        "Head.loss_cls",
        "Head.criterion",
    ]
    assert all(loss.kind is LossKind.METHOD for loss in losses.values())


def test_a_method_that_stores_what_it_computes(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class Trainer:
            def calculate_loss(self, x, y):
                self.losses["a"] = F.l1_loss(x, y)

            def set_loss(self, loss):
                self.loss = loss

            def init_losses(self):
                self.losses = {}

            def add_loss(self, x):
                self.loss = self.loss + x
        """,
    )
    assert list(losses) == ["Trainer.calculate_loss"]


def test_a_model_that_returns_its_loss(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class Tagger(nn.Module):
            def forward(self, x, labels=None):
                loss = None
                logits = self.head(x)
                if labels is not None:
                    loss = F.cross_entropy(logits, labels)
                return Output(loss=loss, logits=logits)

        class Net(nn.Module):
            def forward(self, x):
                return Output(loss=None, logits=self.head(x))
        """,
    )
    assert list(losses) == ["Tagger.forward"]


def test_a_property_that_computes(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        "class Net(nn.Module):\n    @property\n    def loss(self):\n        return F.mse_loss(self.a, self.b)\n",
    )
    assert list(losses) == ["Net.loss"]


def test_a_training_step(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class Lit(pl.LightningModule):
            def training_step(self, batch, index):
                return self.shared(batch)

            def validation_step(self, batch, index):
                self.log("val_loss", self.shared(batch))

        class Base(pl.LightningModule):
            def training_step(self, batch, index):
                raise NotImplementedError
        """,
    )
    assert list(losses) == ["Lit.training_step"]


# --- what flows into backward


def test_a_function_that_computes_what_it_differentiates(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        def train(model, data):
            for x, y in data:
                value = ((model(x) - y) ** 2).mean()
                value.backward()
        """,
    )
    assert losses["train"].entries == ("train",)
    assert losses["train"].evidence == ("what it computes flows into .backward() at line 9",)


@pytest.mark.parametrize(
    "statement",
    [
        "scaler.scale(value).backward()",
        "accelerator.backward(value)",
        "self.manual_backward(value)",
        "torch.autograd.backward(value)",
        "(value / 4).backward(retain_graph=True)",
        "value.mean().backward()",
        "value.backward(torch.ones_like(value))",
        "value.backward(gradient=None)",
    ],
)
def test_ways_to_call_backward(tmp_path: Path, statement: str) -> None:
    losses = found(
        tmp_path,
        f"def step(self, x, y):\n    value = elbo(x, y)\n    {statement}\n\ndef elbo(x, y):\n    return x - y\n",
    )
    assert list(losses) == ["step", "elbo"]
    assert "flows into .backward()" in losses["elbo"].evidence[0]


@pytest.mark.parametrize(
    "text",
    [
        "def step(closure):\n    loss = closure()\n    loss.backward()\n",
        "class Sam(torch.optim.Optimizer):\n    def step(self, closure):\n        with torch.enable_grad():\n"
        "            loss = closure()\n            loss.backward()\n        return loss\n",
        "def finish(loss):\n    loss.backward()\n",
        "def finish(loss, steps):\n    loss = loss / steps\n    loss.backward()\n",
        "def finish(self, loss):\n    self.scaler.scale(loss).backward()\n",
        "class Op(torch.autograd.Function):\n    @staticmethod\n    def backward(ctx, g):\n"
        "        return Other.backward(ctx, g * 2)\n",
        "def vjp(x, g):\n    y = x * 2\n    y.backward(g)  # no loss\n",
        "class Sam(torch.optim.Optimizer):\n    def set_closure(self, f):\n"
        "        def inner(x):\n            loss = f(x, 1)\n            loss.backward()\n",
        "class A(B):\n    def run(self, g):\n        super().backward(g)\n        self.backward(g)\n",
    ],
)
def test_backward_on_what_is_given(tmp_path: Path, text: str) -> None:
    assert not found(tmp_path, text)


def test_modules_and_methods_whose_result_flows_into_backward(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class SSIM(nn.Module):
            def forward(self, x, y):
                return (x * y).mean()

        class Critic(nn.Module):
            def forward(self, x):
                return F.relu(x)

        class Trainer:
            def __init__(self):
                self.similarity = SSIM()
                self.critic = Critic()

            def forward_train(self, x, y):
                self.total = self.similarity(x, y)

            def objective(self, x, y):
                return (x - y).abs().mean()

            def run(self, x, y):
                self.total.backward()
                (-self.critic(x).mean()).backward()
                value = self.objective(x, y) + 0.5 * self.similarity(x, y)
                value.backward()
        """,
    )
    assert list(losses) == ["SSIM", "Trainer.forward_train", "Trainer.objective", "Trainer.run"]


def test_a_script(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        model = nn.Linear(1, 1)
        for x in range(3):
            loss = model(x).mean()
            loss.backward()
        """,
    )
    (loss,) = losses.values()
    assert (loss.symbol, loss.kind, loss.entries, loss.row) == ("<module>", LossKind.SCRIPT, ("<module>",), 9)


# --- used as a criterion


@pytest.mark.parametrize(
    "use",
    [
        "criterion = Corr()",
        "criterion = Corr().to(device)",
        "losses = [Corr(), nn.L1Loss()]",
        "def f(self):\n    self.loss_fn = Corr(window=11)",
        "train(model, loss=Corr())",
        "losses = nn.ModuleList([Corr()])",
        "criterions = {'corr': Corr()}",
    ],
)
def test_a_module_used_as_a_criterion(tmp_path: Path, use: str) -> None:
    losses = found(tmp_path, "class Corr(nn.Module):\n    def forward(self, x, y):\n        return x * y\n\n" + use)
    assert "used as" in losses["Corr"].evidence[0]


@pytest.mark.parametrize(
    "use",
    ["loss = Corr()(x, y)", "loss_weight = Corr()", "net = Corr()  # no loss", "loss_net_input = Corr()"],
)
def test_other_uses_are_no_evidence(tmp_path: Path, use: str) -> None:
    assert not found(tmp_path, "class Corr(nn.Module):\n    def forward(self, x, y):\n        return x * y\n\n" + use)


def test_a_function_used_as_a_criterion(tmp_path: Path) -> None:
    losses = found(tmp_path, "def elbo(x, y):\n    return (x - y).mean()\n\ncriterion = elbo\n")
    assert list(losses) == ["elbo"]


def test_well_known_objectives_outside_of_metrics(tmp_path: Path) -> None:
    text = HEAD + "class SSIM(nn.Module):\n    def forward(self, x, y):\n        return x * y\n"
    root = project(tmp_path, image__ssim=text, metrics__ssim=text)
    assert found_in(root / "image/ssim.py")["SSIM"].evidence == ("SSIM is a well-known objective",)
    assert not found_in(root / "metrics/ssim.py")


def test_functions_in_folders_of_metrics_are_metrics(tmp_path: Path) -> None:
    text = HEAD + "def hinge_loss(x, y):\n    return (1 - x * y).mean()\n\n"
    text += "def energy(x, y):\n    '''Computes the loss.'''\n    return (x - y).mean()\n"
    root = project(tmp_path, torchmetrics__hinge=text, pytorch_metric_learning__a=text, utils__metrics=text)
    assert not found_in(root / "torchmetrics/hinge.py")
    assert list(found_in(root / "pytorch_metric_learning/a.py")) == ["hinge_loss", "energy"]
    assert list(found_in(root / "utils/metrics.py")) == ["hinge_loss"]


def test_what_a_package_of_losses_exports(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        pkg__losses__init="from .tv import TotalVariation\nfrom .other import *\n",
        pkg__losses__tv=HEAD
        + """
# of the losses
class TotalVariation(nn.Module):
    def forward(self, x):
        return total_variation(x, 2)

class Sobel(nn.Module):
    def forward(self, x):
        return gradients(x)

def total_variation(x, p):
    return (x[1:] - x[:-1]).abs().mean()

def gradients(x):
    return x[1:] - x[:-1]
""",
    )
    losses = found_in(root / "pkg/losses/tv.py")
    assert list(losses) == ["TotalVariation", "total_variation"]
    assert losses["TotalVariation"].evidence == ("an nn.Module that losses exports",)
    assert losses["total_variation"].evidence == ("TotalVariation.forward returns its result",)


def test_a_loss_that_is_handed_on_under_its_own_name_ends(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        def reduce_loss(loss, reduction):
            return loss.mean() if reduction == "mean" else loss

        def bce_loss(pred, target, reduction="mean"):
            loss = F.binary_cross_entropy(pred, target, reduction="none")
            loss = reduce_loss(loss, reduction)
            return loss
        """,
    )
    assert "bce_loss" in losses


def test_functions_whose_result_a_loss_returns(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        def kl_loss(x, y, reduction):
            return _reduce(_kl(x, y), reduction)

        def _reduce(losses, reduction):
            return losses.mean()

        def _kl(p, q):
            return (p * (p / q).log()).sum()

        def dice_loss(x, y):
            return 1 - overlap(x, y)

        def overlap(x, y):
            return (x * y).sum()

        def text_loss(x, y):
            return compare(embed(x), y)

        def compare(x, y):
            return x - y

        def embed(x):
            return x * 2
        """,
    )
    assert list(losses) == ["kl_loss", "_kl", "dice_loss", "text_loss"]


# --- docstrings


@pytest.mark.parametrize(
    "doc",
    [
        "Computes the focal Tversky loss.",
        "Function that computes the structural (SSIM) loss between two images.",
        "Compute a smooth L1 loss for boxes",
        "Focal loss for dense object detection.",
        "Implementation of the supervised contrastive loss from the paper.",
        "Creates a criterion that measures the similarity.",
        "Return the loss value",
        "Weighted logistic loss",
        "Binary hinge loss\n      x: [B, H, W] logits\n      y: labels",
        "Energy of a field.\n\n    Args:\n        x: values\n\n    Returns:\n        the computed loss.\n",
        "Energy of a field.\n\n    :return: (Tensor) weighted loss\n",
    ],
)
def test_functions_documented_as_losses(tmp_path: Path, doc: str) -> None:
    losses = found(tmp_path, f"def energy(x, y):\n    '''{doc}'''\n    return (x - y).mean()\n")
    assert "docstring" in losses["energy"].evidence[0]


@pytest.mark.parametrize(
    "doc",
    [
        "Computes the gradient of the loss.",
        "Computes the weights for the loss.",
        "Returns features that a perceptual loss uses.",
        "Compute accuracy and loss weights",
        "Avoids loss of precision.",
        "Plots the loss history.",
        "Base class for losses.",
        "Log the loss.",
        "Loss weights by class.",
        "Lossless coding.",
        "Sum of squares.\n\n    Args:\n        loss: nothing\n",
        "No loss of generality.",
        "Not a loss.",
        "Weighs losses.",
    ],
)
def test_docstrings_that_mention_losses(tmp_path: Path, doc: str) -> None:
    assert not found(tmp_path, f"def energy(x, y):\n    '''{doc}'''\n    return (x - y).mean()\n")


def test_a_module_documented_as_a_loss(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        class Dice(nn.Module):
            '''Dice loss for masks.'''
            def forward(self, x, y):
                return 1 - (x * y).sum()

        class Mixed(nn.Module):
            def __init__(self):
                '''Initializes a perceptual loss with torch.'''
            def forward(self, x, y):
                return 1 - (x * y).sum()

        class Backbone(nn.Module):
            '''Features for the perceptual loss.'''
            def forward(self, x):
                return F.relu(x)
        """,
    )
    assert list(losses) == ["Dice", "Mixed"]


# --- settings, nesting, tests


def test_names_from_the_settings(tmp_path: Path) -> None:
    text = """
        class Objective(nn.Module):
            def forward(self, x):
                return x

        class Energy:
            def value(self, x):
                return x

        def objective_of(x):
            return x
        """
    losses = found(tmp_path, text, ("Objective", "Energy", "*_of"))
    assert [each.entries for each in losses.values()] == [
        ("Objective.forward",),
        ("Energy.value",),
        ("objective_of",),
    ]
    assert {each.evidence for each in losses.values()} == {("named in the settings",)}
    assert list(found(tmp_path, text, ("Energy.value",))) == ["Energy.value"]


def test_what_is_defined_in_a_loss_is_a_part_of_it(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        def outer_loss(x, y):
            def inner_loss(z):
                return z.mean()
            return inner_loss(x - y)

        def helper():
            class HiddenLoss(nn.Module):
                def forward(self, x):
                    return x.mean()
            return 3
        """,
    )
    assert list(losses) == ["outer_loss", "helper.HiddenLoss"]


def test_losses_in_tests_count_and_tests_of_losses_do_not(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        def my_loss(x, y):
            return (x - y).mean()

        class TestDiceLoss:
            def check_loss(self, x):
                return x.mean()

            def dice_loss(self, x):
                return x.mean()

        class SmallTest(unittest.TestCase):
            def compute_loss(self, x):
                return x.mean()

        def test_it():
            class SampleLoss(nn.Module):
                def forward(self, x):
                    return x.mean()
            SampleLoss()(1).backward()
        """,
    )
    assert list(losses) == ["my_loss", "test_it.SampleLoss"]


def test_one_loss_a_symbol_in_source_order(tmp_path: Path) -> None:
    losses = found(
        tmp_path,
        """
        def b_loss(x, y):
            return x - y

        try:
            from fast import a_loss
        except ImportError:
            def a_loss(x, y):
                return x * y
        else:
            def a_loss(x, y):
                return x / y
        """,
    )
    assert list(losses) == ["b_loss", "a_loss"]


def test_an_empty_file(tmp_path: Path) -> None:
    assert find_losses(ast.parse(""), tmp_path / "a.py", Project((tmp_path,))) == ()


JUDGES = """
import torch.nn as nn
import torch.nn.functional as F


class MaskedCrossEntropy(nn.Module):
    def forward(self, {parameters}):
        {body}


# a loss is mentioned
"""


@pytest.mark.parametrize(
    ("parameters", "body", "is_loss"),
    [
        ("logits, labels, mask=None", "return F.cross_entropy(logits, labels)", True),
        ("logits, labels", "total = F.kl_div(logits, labels)\n        return total / len(labels)", True),
        ("logits, labels", "return logits - labels", False),
        ("inputs, labels=None", "return F.cross_entropy(self.net(inputs), labels)", False),
        ("inputs, labels", "logits = self.net(inputs)\n        return logits, F.cross_entropy(logits, labels)", False),
        ("query, key", "return F.mse_loss(query, key)", False),
    ],
)
def test_a_module_that_judges_against_a_target_is_a_loss(
    tmp_path: Path, parameters: str, body: str, is_loss: bool
) -> None:
    text = JUDGES.format(parameters=parameters, body=body)
    assert ("MaskedCrossEntropy" in found(tmp_path, text)) is is_loss


def test_a_class_of_losses_without_forward_has_the_methods_that_return_one(tmp_path: Path) -> None:
    text = """
    class GeneratorLosses(nn.Module):
        def __init__(self, critic):
            super().__init__()
            self.critic = critic
            self.criterion = nn.BCEWithLogitsLoss()

        def compare(self, real, fake):
            return real - fake.mean(0, keepdim=True)

        def generator(self, real, fake):
            g_loss = self.criterion(self.compare(fake, real), torch.ones_like(fake))
            return g_loss

        def critic_step(self, real, fake):
            return F.binary_cross_entropy_with_logits(self.compare(real, fake), torch.ones_like(real))

        @property
        def device(self):
            return self.critic.device
    """
    assert found(tmp_path, text)["GeneratorLosses"].entries == (
        "GeneratorLosses.generator",
        "GeneratorLosses.critic_step",
    )
