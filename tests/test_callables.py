"""Functions, classes and modules as values: decorators, closures, partials, containers, across files of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from linted import linted

REDUCE = """
import functools
import torch


def reduced(loss_func):
    @functools.wraps(loss_func)
    def wrapper(pred, target, weight=None, **kwargs):
        loss = loss_func(pred, target, **kwargs)
        return loss.mean() if weight is None else (loss * weight).mean()

    return wrapper


def registered(function):
    REGISTRY[function.__name__] = function
    return function


def elementwise(pred, target):
    return (pred - target).abs()

"""
HEAD = """
from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F

from .reduce import *
from .reduce import elementwise as bare


"""


def found(folder: Path, text: str) -> list[str]:
    """The codes of warnings and errors in a file beside reduce.py, and of returns that are not reduced."""
    (folder / "__init__.py").write_text("")
    (folder / "reduce.py").write_text(REDUCE)
    diagnostics = linted(HEAD + text, folder / "losses.py", folder.parent)
    return [each.code for each in diagnostics if each.severity.value != "info" or each.code == "LL301"]


SILENT = {
    "decorator that reduces": """
@reduced
def l1_loss(pred, target, beta=1.0):
    return (pred - target).abs() * beta


class L1Loss(nn.Module):
    def forward(self, pred, target):
        return l1_loss(pred, target, beta=2.0)
""",
    "decorator of the same file": """
def halved(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs).mean() / 2

    return wrapper


@halved
def l1_loss(pred, target):
    return (pred - target).abs()


class L1Loss(nn.Module):
    def forward(self, pred, target):
        return l1_loss(pred, target)
""",
    "partial of a function of the project": """
mean_ce = partial(F.cross_entropy, reduction="mean")


class CELoss(nn.Module):
    def forward(self, logits, target):
        return mean_ce(logits, target)
""",
    "closure that sees the names around it": """
class SafeLogLoss(nn.Module):
    def forward(self, logits, target):
        eps = 1e-6

        def safe_log(x):
            return torch.log(x + eps)

        return -(target * safe_log(logits.softmax(1))).sum(1).mean()
""",
    "lambda that clamps": """
class SafeLogLoss(nn.Module):
    def forward(self, logits, target):
        safe = lambda x: x.clamp(min=1e-6)
        return -(target * torch.log(safe(logits.softmax(1)))).sum(1).mean()
""",
}
LOUD = {
    "partial of a library function": (
        "LL301",
        """
each_ce = partial(F.cross_entropy, reduction="none")


class CELoss(nn.Module):
    def forward(self, logits, target):
        return each_ce(logits, target)
""",
    ),
    "alias of a library function": (
        "LL202",
        """
shared_log = torch.log


class LogLoss(nn.Module):
    def forward(self, logits, target):
        return -(target * shared_log(logits.softmax(1))).sum(1).mean()
""",
    ),
    "function given to a function": (
        "LL301",
        """
def applied(function, pred, target):
    return function(pred, target)


class L1Loss(nn.Module):
    def forward(self, pred, target):
        return applied(bare, pred, target)
""",
    ),
    "decorator that only registers": (
        "LL301",
        """
@registered
def l1(pred, target):
    return (pred - target).abs()


class L1Loss(nn.Module):
    def forward(self, pred, target):
        return l1(pred, target)
""",
    ),
    "ModuleDict": (
        "LL202",
        """
class PartsLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleDict({"prob": nn.Softmax(dim=1)})

    def forward(self, logits, target):
        return -(target * torch.log(self.parts["prob"](logits))).sum(1).mean()
""",
    ),
    "ModuleList": (
        "LL202",
        """
class PartsLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Softmax(dim=1), nn.ReLU()])

    def forward(self, logits, target):
        return -(target * torch.log(self.parts[0](logits))).sum(1).mean()
""",
    ),
    "lambda": (
        "LL202",
        """
class LogLoss(nn.Module):
    def forward(self, logits, target):
        prob = lambda x: x.softmax(1)
        return -(target * torch.log(prob(logits))).sum(1).mean()
""",
    ),
}


@pytest.mark.parametrize("name", SILENT)
def test_what_the_value_does_is_known(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, SILENT[name]) == []


@pytest.mark.parametrize("name", LOUD)
def test_a_hazard_behind_a_value_is_found(tmp_path: Path, name: str) -> None:
    code, text = LOUD[name]
    assert found(tmp_path, text) == [code]


@pytest.mark.parametrize(
    "text",
    [
        "@around\ndef around(f):\n    return f\n\ndef x_loss(pred, target):\n    return around(pred).mean()\n",
        "def a(f):\n    return b(f)\n\ndef b(f):\n    return a(f)\n\n@a\ndef x_loss(pred):\n    return x_loss(pred)\n",
        "again = again\nother = partial(other)\n\ndef x_loss(pred, target):\n    return again(other(pred)).mean()\n",
        "f = lambda x: f(x)\n\ndef x_loss(pred, target):\n    return f(pred).mean()\n",
    ],
)
def test_what_goes_in_circles_ends(tmp_path: Path, text: str) -> None:
    found(tmp_path, text)
