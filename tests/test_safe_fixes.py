"""Safe fixes are safe: value and gradient agree in float64, and the fix is never further from a 50-digit reference."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import pytest
import torch

from linted import linted
from losslint.diagnostic import Applicability
from losslint.fixes import apply_fixes
from losslint.source import Source, source_from_bytes

HEADER = "import torch\nimport torch.nn.functional as F\n\n"
mpmath.mp.dps = 50


def log_softmax(x: list[mpmath.mpf]) -> list[mpmath.mpf]:
    total = mpmath.log(sum(mpmath.exp(each) for each in x))
    return [each - total for each in x]


def logsumexp(x: list[mpmath.mpf]) -> mpmath.mpf:
    return mpmath.log(sum(mpmath.exp(each) for each in x))


REFERENCES: dict[str, tuple[str, Callable[[list[mpmath.mpf]], list[mpmath.mpf]]]] = {
    "log_softmax": ("torch.log(F.softmax(x, dim=0))", log_softmax),
    "log_softmax method": ("x.softmax(0).log()", log_softmax),
    "logsigmoid": ("torch.log(torch.sigmoid(x))", lambda x: [-mpmath.log1p(mpmath.exp(-each)) for each in x]),
    "log 1 - sigmoid": ("torch.log(1 - torch.sigmoid(x))", lambda x: [-mpmath.log1p(mpmath.exp(each)) for each in x]),
    "softplus": ("torch.log(1 + torch.exp(x))", lambda x: [mpmath.log1p(mpmath.exp(each)) for each in x]),
    "softplus of log1p": ("torch.log1p(torch.exp(x))", lambda x: [mpmath.log1p(mpmath.exp(each)) for each in x]),
    "logsumexp": ("torch.log(torch.exp(x).sum(dim=0))", lambda x: [logsumexp(x)]),
    "logsumexp method": ("x.exp().sum(0, keepdim=True).log()", lambda x: [logsumexp(x)]),
    "double where root": (
        "torch.where(x > 0, x.sqrt(), 0.0)",
        lambda x: [mpmath.sqrt(each) if each > 0 else mpmath.mpf(0) for each in x],
    ),
    "double where quotient": (
        "torch.where(x == 0, 0.0, torch.sin(x) / x)",
        lambda x: [mpmath.sin(each) / each if each else mpmath.mpf(0) for each in x],
    ),
    "double where exp": (
        "torch.where(x > 0, x, torch.exp(x) - 1)",
        lambda x: [each if each > 0 else mpmath.expm1(each) for each in x],
    ),
    "vector_norm": ("torch.sqrt(torch.sum(x ** 2, dim=0))", lambda x: [mpmath.sqrt(sum(each**2 for each in x))]),
    "vector_norm method": ("(x * x).sum(0).sqrt()", lambda x: [mpmath.sqrt(sum(each**2 for each in x))]),
    "softmax": (
        "torch.exp(x) / torch.exp(x).sum(dim=0, keepdim=True)",
        lambda x: [mpmath.exp(each) for each in log_softmax(x)],
    ),
    "absolute value": ("torch.sqrt(x ** 2)", lambda x: [abs(each) for each in x]),
    "vector_norm power": ("((x ** 2).sum() ** 0.5)", lambda x: [mpmath.sqrt(sum(each**2 for each in x))]),
}
POINTS = [
    [0.3, -1.2, 2.5],
    [-20.0, 20.5, 0.0],
    [25.0, -35.0, 39.9],
    [40.1, 12.0, -3.0],
    [1e-6, -1e-6, 3e-6],
    [-90.0, 300.0, 5.0],
]


def functions(expression: str) -> tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[torch.Tensor], torch.Tensor]]:
    """The function as it is written, and as the safe fix leaves it."""
    text = f"{HEADER}def sample_loss(x):\n    y = {expression}\n    return y\n"
    source = source_from_bytes(text.encode(), "sample.py")
    assert isinstance(source, Source)
    found = [each for each in linted(text) if each.fix is not None and each.fix.applicability is Applicability.SAFE]
    fixed = apply_fixes(source, found, unsafe=False).text
    assert fixed != text
    made = []
    for version in (text, fixed):
        namespace: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {}
        exec(version, namespace)
        made.append(namespace["sample_loss"])
    return made[0], made[1]


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_safe_fix_keeps_value_and_gradient(name: str, point: list[float]) -> None:
    expression, reference = REFERENCES[name]
    before, after = functions(expression)
    exact = reference([mpmath.mpf(each) for each in point])
    errors, gradients = [], []
    for function in (before, after):
        x = torch.tensor(point, dtype=torch.float64, requires_grad=True)
        value = function(x)
        errors.append([error(each, truth) for each, truth in zip(value.reshape(-1).tolist(), exact, strict=True)])
        (gradient,) = torch.autograd.grad(value.sum(), x)
        gradients.append(gradient)
    for original, fixed in zip(errors[0], errors[1], strict=True):
        assert fixed <= original + 4e-16 or fixed < 1e-15
    if max(abs(each) for each in point) < 50 and torch.isfinite(gradients[0]).all():
        assert torch.allclose(gradients[0], gradients[1], rtol=1e-9, atol=1e-9)
    assert torch.isfinite(gradients[1]).all()


def error(value: float, truth: mpmath.mpf) -> float:
    """The error relative to the truth, absolute where the truth is below 1."""
    return float(abs(mpmath.mpf(value) - truth) / max(abs(truth), mpmath.mpf(1)))
