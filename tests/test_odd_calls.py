"""Calls that hide, lack or misname their arguments: every operator, every rule, and nothing fails."""

from __future__ import annotations

import keyword
import math
from pathlib import Path

import pytest

from linted import linted_losses
from losslint.semantics.operators import operators
from losslint_rules.formulas.evaluation import power

NAMES = sorted(name for name in operators() if name.isidentifier() and not keyword.iskeyword(name))
CALLS = (
    "torch.{name}(*args)",
    "torch.{name}(**kw)",
    "torch.{name}()",
    "torch.{name}(input=pred)",
    "torch.{name}(pred, target, pred, target, pred)",
    "torch.{name}([])",
    'torch.{name}("mean")',
    "F.{name}(pred, target, reduction=args)",
    "pred.{name}(*args)",
    "pred.{name}()",
    "pred.{name}(None)",
)
USES = """
def of_{position}_loss(pred, target, *args, **kw):
    a = {call}
    b = torch.where(a, pred, target) + pred.masked_fill(a, 0.0)
    c = torch.log(a) + torch.sqrt(a) + pred / a + a / target + torch.exp(-a) + a**2
    d = pred[a].mean() + (pred * a).sum() / a.sum() + torch.nan_to_num(a * pred).sum()
    e = F.cross_entropy(a, target) + F.binary_cross_entropy(a, target) + F.kl_div(a, target)
    if a:
        return (b + c).mean() + a
    return -a.mean() + d + e.mean()
"""


@pytest.mark.parametrize("first", range(0, len(NAMES), 20))
def test_no_call_of_an_operator_makes_a_rule_fail(first: int, tmp_path: Path) -> None:
    for name in NAMES[first : first + 20]:
        losses = "".join(
            USES.format(position=position, call=call.format(name=name)) for position, call in enumerate(CALLS)
        )
        text = f"import torch\nimport torch.nn.functional as F\n{losses}"
        _, found = linted_losses(text, tmp_path / f"{name}.py", tmp_path)  # raises where a rule does
        assert found == len(CALLS)


def test_a_negative_number_to_a_fraction_is_nan_and_not_complex() -> None:
    assert math.isnan(power(-2.0, 0.5))
    assert (power(-2.0, 2.0), power(2.0, 0.5)) == (4.0, 2.0**0.5)
