"""The dtype family the interpreter gives a result is the one torch gives it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from losslint.semantics.values import DType
from test_interpreter import returned

FAMILIES = {
    torch.bool: DType.BOOL,
    torch.int64: DType.INT,
    torch.int32: DType.INT,
    torch.float32: DType.FLOAT,
    torch.float64: DType.DOUBLE,
}
EXPRESSIONS = [
    "b",
    "f",
    "i",
    "b * 2",
    "b * 2.0",
    "b * f",
    "b + b",
    "i + 1",
    "i / 2",
    "b / b",
    "i ** 2",
    "i ** 0.5",
    "i.exp()",
    "b.sum()",
    "b.float().mean()",
    "i.sum()",
    "b.to(f)",
    "b.to(torch.float32)",
    "b.to(f.dtype)",
    "b.to('cpu')",
    "b.to(f.device)",
    "b.type_as(f)",
    "torch.zeros_like(b)",
    "torch.zeros_like(b, dtype=torch.float32)",
    "torch.where(b, 1, 0)",
    "torch.where(b, 1.0, 0.0)",
    "torch.where(b, f, 0)",
    "torch.where(b, b, b)",
    "f.masked_fill(b, 0)",
    "torch.cat([b, b])",
    "torch.cat([b, f])",
    "torch.stack([i, i])",
    "b & b",
    "~b",
    "(f > 0)",
    "b.cumsum(0)",
    "i.clamp(min=0)",
    "i * f",
    "torch.sigmoid(i)",
    "b.any()",
    "b.view(-1)",
    "b[0]",
    "i.abs()",
    "-i",
    "torch.ones(3)",
    "torch.zeros(3, dtype=torch.bool)",
    "torch.softmax(f, 0)",
    "f.new_zeros(3)",
    "b.new_zeros(3, dtype=torch.long)",
    "i.float() * b",
    "torch.max(i, i)",
    "F.one_hot(i)",
    "f.argmax(0)",
    "i.sqrt()",
    "b.logical_not()",
    "b ^ b",
    "torch.maximum(b.int(), i)",
    "b.long() - b.long()",
    "i.remainder(2)",
    "i // 2",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_results_have_the_family_torch_gives_them(expression: str) -> None:
    """b is a comparison, i an integer tensor, f a float tensor."""
    tensors = {"b": torch.tensor([True, False]), "i": torch.tensor([1, 2]), "f": torch.tensor([0.25, 0.5])}
    made = eval(expression, {"torch": torch, "F": F}, tensors)
    (value,) = returned(
        "def loss(x: Tensor, y: Tensor):\n    b = x > 0\n    i = y.long()\n    f = x.float()\n"
        f"    return {expression}\n"
    )
    assert value.dtype is FAMILIES[made.dtype]


@pytest.mark.parametrize(
    "expression",
    [
        "b.to(anything)",
        "b.type('torch.FloatTensor')",
        "b.type(torch.FloatTensor)",
        "b * anything",
        "x * b",
        "torch.where(b, x, 0)",
        "torch.zeros_like(b, dtype=anything)",
    ],
)
def test_what_is_not_known_is_not_claimed(expression: str) -> None:
    (value,) = returned(f"def loss(x: Tensor, anything):\n    b = x > 0\n    return {expression}\n")
    assert value.dtype is DType.UNKNOWN
