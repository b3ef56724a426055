"""Where inputs come from: each source is used, the surest first, and said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from losslint.diagnostic import Severity  # noqa: E402
from losslint.measurements import Input, Measurements  # noqa: E402
from losslint.settings import ProbeExample, Settings  # noqa: E402
from probed import probed  # noqa: E402

SOURCE = '''
from typing import Literal

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


def doctest_loss(a, b):
    """Measure.

    >>> doctest_loss(torch.rand(3, 7), torch.rand(7))
    tensor(...)
    """
    return (a @ b).mean()


class BrokenDoctestLoss(nn.Module):
    """Measure.

    Shape:
        - Input: :math:`(N, C, H, W)`
        - Target: :math:`(N, H, W)`, class indices

    >>> BrokenDoctestLoss()(missing_name, missing_name)
    """

    def forward(self, input, target):
        assert input.dim() == 4
        return F.cross_entropy(input, target)


def documented_loss(a, b):
    """Measure.

    Args:
        a: probabilities of shape (N, C, T)
        b: class indices of shape (N, T)
    """
    return F.nll_loss(a.clamp_min(1e-6).log(), b)


def annotated_loss(a: "Float[Tensor, 'batch 3']", mode: Literal["fast", "slow"] = "fast"):
    assert a.shape[1] == 3 and mode == "fast"
    return a.square().mean()


class AttachedLoss(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.table = table

    def forward(self, a):
        return (a @ self.table).square().mean()

    losslint_example = (lambda: AttachedLoss(torch.eye(11)), lambda: (torch.ones(2, 11),))


def configured_loss(a, widths):
    assert sum(widths) == 9
    return sum(each.square().mean() for each in a.split(widths, dim=1))


def named_loss(logits, labels):
    return F.cross_entropy(logits, labels)


class OfLosses(nn.Module):
    """A distance handed over, a literal mode, a number of classes."""

    def __init__(self, num_classes: int, distance: nn.Module, reduction: str = "mean"):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(num_classes, 8))
        self.distance, self.reduction = distance, reduction

    def forward(self, features, labels):
        return self.distance(features, self.centres[labels])
'''


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measurements]:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "sources.py").write_text(SOURCE)
    example = ProbeExample(inputs="torch.randn(4, 9), [2, 3, 4]")
    report = probed([folder / "sources.py"], folder, Settings(probe={"sources:configured_loss": example}))
    return {each.measurements.symbol: each.measurements for each in report.losses}


def inputs(m: Measurements) -> dict[str, Input]:
    return {each.name: each for each in m.inputs}


@pytest.mark.parametrize(
    ("symbol", "source", "least"),
    [
        ("doctest_loss", "doctest", 0.9),
        ("BrokenDoctestLoss", "docstring", 0.75),
        ("documented_loss", "docstring", 0.75),
        ("AttachedLoss", "decorator", 0.9),
        ("configured_loss", "settings", 0.9),
        ("named_loss", "family", 0.0),
        ("OfLosses", "family", 0.0),
    ],
)
def test_the_source_is_said_and_all_run(runs: dict[str, Measurements], symbol: str, source: str, least: float) -> None:
    m = runs[symbol]
    assert (m.status, m.input_source, m.finite, m.has_gradient) == ("ok", source, True, True), m.reason
    assert m.input_confidence is not None and m.input_confidence >= least


def test_shapes_are_those_of_the_source(runs: dict[str, Measurements]) -> None:
    assert inputs(runs["doctest_loss"])["a"].shape == (3, 7)
    assert inputs(runs["AttachedLoss"])["a"].shape == (2, 11)
    assert inputs(runs["configured_loss"])["a"].shape == (4, 9)
    shape = inputs(runs["annotated_loss"])["a"].shape
    assert shape is not None and shape[1] == 3 and len(shape) == 2


def test_kinds_and_ranges_are_those_of_the_source(runs: dict[str, Measurements]) -> None:
    documented = inputs(runs["documented_loss"])
    assert documented["a"].low is not None and documented["a"].low >= 0
    assert documented["a"].high is not None and documented["a"].high <= 1
    assert documented["b"].dtype == "int64"
    assert inputs(runs["BrokenDoctestLoss"])["target"].dtype == "int64"


def test_sizes_differ_so_that_mixed_up_dimensions_show(runs: dict[str, Measurements]) -> None:
    shape = inputs(runs["BrokenDoctestLoss"])["input"].shape
    assert shape is not None and len(set(shape)) == len(shape) == 4


def test_two_runs_measure_the_same(tmp_path: Path, runs: dict[str, Measurements]) -> None:
    (tmp_path / "sources.py").write_text(SOURCE)
    report = probed([f"{tmp_path / 'sources.py'}:named_loss"], tmp_path)
    (again,) = [each.measurements for each in report.losses]
    first = runs["named_loss"]
    assert (again.forward, again.inputs, again.scale) == (first.forward, first.inputs, first.scale)


NESTED = '''
from collections import namedtuple

import torch

Output = namedtuple("Output", "mean others")


def named_loss(output, table):
    """>>> named_loss(Output(torch.zeros(2, 3), [torch.ones(2)]), {"scale": torch.ones(2)})"""
    return torch.sqrt(output.mean.square().sum(1)).mean() + output.others[0].sum() * table["scale"].mean()


def moved_loss(output, factors):
    """>>> moved_loss(Output(torch.ones(2, 3), [torch.ones(2)]), (torch.ones(3), 2))"""
    return (output.mean * factors[0] * torch.ones(3)).mean() * factors[1]
'''


def test_scripts_make_nested_arguments_again(tmp_path: Path) -> None:
    (tmp_path / "nested.py").write_text(NESTED)
    report = probed([tmp_path / "nested.py"], tmp_path)
    found = {each.code: each.reproducer for each in report.diagnostics if each.severity is Severity.ERROR}
    assert found.keys() == {"LL205", "LL501"}
    for code, wanted in (("LL205", "the gradient is not finite"), ("LL501", "tensors on different devices meet")):
        script = found[code]
        assert script is not None and "Output" in script
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.returncode == 1
        assert wanted in done.stderr or torch.cuda.is_available()


def test_a_large_doctest_gives_way_to_an_expression(tmp_path: Path) -> None:
    text = """
import torch
def wide_loss(image):
    '''>>> wide_loss(torch.rand(3, 100, 100))'''
    return torch.sqrt((image - image.detach()).square().sum())
"""
    (tmp_path / "wide.py").write_text(text)
    (loss,) = probed([tmp_path / "wide.py"], tmp_path).losses
    (image,) = loss.measurements.inputs
    assert (loss.measurements.input_source, image.shape, image.kind) == ("doctest", (3, 100, 100), "probability")
    assert image.text.startswith("torch.rand(")
    assert all(each.reproducer for each in loss.diagnostics if each.severity is Severity.ERROR)
