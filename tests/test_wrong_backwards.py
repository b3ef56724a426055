"""Six losses with a backward of their own, right and with three faults each: a run finds all 18, and nothing in the six."""

from __future__ import annotations

import pytest

from losslint.probe.report import ProbeReport
from probed import probed

HEAD = """
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable
"""
TEMPLATE = '''
class {name}Function(Function):
    @staticmethod
    def forward(ctx, pred, target):
        {forward}
        ctx.save_for_backward(pred, target)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        pred, target = ctx.saved_tensors
        {backward}
        return {result}, None


def {name}_loss(pred, target):
    """Args:
        pred: {kind} of shape (N, D)
        target: {target} of shape (N, D)
    """
    return {name}Function.apply(pred, target){reduction}
'''
# Forward, gradient, what pred and target hold, and what comes after.
LOSSES = {
    "squared": ("value = (pred - target) ** 2", "slope = 2 * (pred - target)", "numbers", "numbers", ".mean()"),
    "log_cosh": (
        "value = torch.log(torch.cosh(pred - target))",
        "slope = torch.tanh(pred - target)",
        "numbers",
        "numbers",
        ".sum()",
    ),
    "huber": (
        "e = pred - target; value = torch.where(e.abs() < 1, 0.5 * e * e, e.abs() - 0.5).mean()",
        "slope = (pred - target).clamp(-1, 1) / pred.numel()",
        "numbers",
        "numbers",
        "",
    ),
    "logistic": (
        "value = torch.nn.functional.softplus(pred) - pred * target",
        "slope = torch.sigmoid(pred) - target",
        "logits",
        "binary labels",
        ".mean()",
    ),
    "focal": (
        "p = torch.sigmoid(pred); q = target * p + (1 - target) * (1 - p); value = -((1 - q) ** 2) * torch.log(q)",
        "p = torch.sigmoid(pred); q = target * p + (1 - target) * (1 - p); "
        "slope = (2 * (1 - q) * q.log() - (1 - q) ** 2 / q) * (2 * target - 1) * p * (1 - p)",
        "logits",
        "binary labels",
        ".mean()",
    ),
    "dice": (
        "value = 1 - (2 * (pred * target).sum() + 1) / (pred.sum() + target.sum() + 1)",
        "total = pred.sum() + target.sum() + 1; "
        "slope = (2 * (pred * target).sum() + 1) / total**2 - 2 * target / total",
        "probabilities",
        "binary labels",
        "",
    ),
}
FAULTS = {"flipped": "-upstream * slope", "scaled": "upstream * slope * 1.1", "shifted": "upstream * (slope + 0.01)"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> ProbeReport:
    folder = tmp_path_factory.mktemp("backwards")
    text = HEAD
    for name, (forward, backward, kind, target, reduction) in LOSSES.items():
        for fault, result in {"right": "upstream * slope", **FAULTS}.items():
            text += TEMPLATE.format(
                name=f"{fault}_{name}",
                forward=forward,
                backward=backward,
                kind=kind,
                target=target,
                reduction=reduction,
                result=result,
            )
    (folder / "backwards.py").write_text(text)
    return probed([folder / "backwards.py"], folder)


def wrong(report: ProbeReport, symbol: str) -> list[tuple[str, str]]:
    (loss,) = [each for each in report.losses if each.measurements.symbol == symbol]
    assert loss.measurements.status == "ok", loss.measurements.reason
    return [(each.code, each.severity.value) for each in loss.diagnostics if each.code == "LL105"]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_backward_is_an_error(report: ProbeReport, fault: str, name: str) -> None:
    assert wrong(report, f"{fault}_{name}_loss") == [("LL105", "error")]


@pytest.mark.parametrize("name", LOSSES)
def test_a_right_backward_is_silent(report: ProbeReport, name: str) -> None:
    assert wrong(report, f"right_{name}_loss") == []
