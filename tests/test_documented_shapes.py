"""Shapes in docstrings: which are read, and what merely looks like one."""

from __future__ import annotations

import pytest

from losslint.semantics.documented_shapes import shapes_in

NAMES = ("pred", "target", "mask")
COLUMN, ROW = ("'B'", 1), ("'B'",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pred and mask are (B, 1), target is (B,).", {"pred": COLUMN, "mask": COLUMN, "target": ROW}),
        ("`pred`, `target`: [B, 1]", {"pred": COLUMN, "target": COLUMN}),
        (
            "Args:\n    pred (torch.Tensor): scores of shape (B, 1)\n    target (Tensor): labels, shape [B].",
            {"pred": COLUMN, "target": ROW},
        ),
        (
            "pred (B, 2, H, W) are scores, target is (B, H, W)",
            {"pred": ("'B'", 2, "'H'", "'W'"), "target": ("'B'", "'H'", "'W'")},
        ),
        ("Everything is (B,).", {"pred": ROW, "target": ROW, "mask": ROW}),
        (":param pred: (batch_size, 1)", {"pred": ("'batch_size'", 1)}),
        ("pred has shape (N, C) or (N, C, H, W)", {}),
        ("pred lies in (0, 1) and target in [0, 1].", {}),
        ("pred are boxes (x1, y1, x2, y2)", {}),
        ("pred (Tensor): what the network says (see above). The mean has shape (B, 1).", {}),
        ("pred (B, 1) at first. Later pred is (B,).", {}),
        ("pred: (N, *)", {}),
        ("Calls target(B, 1) and pred.view(B, 1).", {}),
        ("The loss of Smith (A, 2019) for pred.", {}),
    ],
)
def test_shapes_of_names(text: str, expected: dict[str, object]) -> None:
    assert dict(shapes_in(text, NAMES)) == expected
