"""Findings in a private helper are right for one of its callers, or they are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from linted import linted

HELPER = """
import torch

def _mean_loss(values, valid, reduction="sum"):
    if reduction == "sum":
        return (values * valid).sum() / valid.sum().clamp(min=1)
    return (values * valid).sum() / valid.sum()
"""


@pytest.mark.parametrize(
    ("caller", "stands"),
    [
        ("def use(x, y):\n    return _mean_loss(x, y != 3, 'mean')\n", True),
        ("def use(x, y):\n    return _mean_loss(x, y != 3)\n", False),
        ("def use(x, y):\n    return _mean_loss(x, y != 3, reduction='sum')\n", False),
        ("def use(x, y, mode):\n    return _mean_loss(x, y != 3, mode)\n", True),
        ("def use(x, y):\n    m = y != 3\n    return _mean_loss(x, m, 'mean') if m.any() else x.sum() * 0\n", False),
        ("def use(x, y):\n    _mean_loss(x, y != 3, 'mean').backward()\n", True),
        ("def use(x, y, apply):\n    return apply(_mean_loss, x, y)\n", True),
        ("", True),
    ],
)
def test_a_finding_in_a_private_helper_has_to_stand_for_a_caller(caller: str, stands: bool) -> None:
    found = [each for each in linted((HELPER + caller).encode(), Path("sample.py")) if each.code == "LL206"]
    assert bool([each for each in found if each.severity.value != "info"]) is stands


def test_a_default_that_a_test_has_excluded_is_gone() -> None:
    text = """
import torch

def energy_loss(x, power=0.5):
    energy = x.pow(2).sum(-1)
    if power >= 1:
        return energy.pow(power).mean()
    return (energy + 1e-9).pow(power).mean()
"""
    assert not [each for each in linted(text.encode(), Path("sample.py")) if each.code == "LL205"]
