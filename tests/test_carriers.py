"""Whose numbers a value is made of: nothing that it only takes the shape, the dtype or the device of."""

from __future__ import annotations

import pytest

from losslint.semantics.carriers import made_of
from losslint.semantics.graph import BACKWARD, ancestors
from test_interpreter import graph_of, returned


@pytest.mark.parametrize(
    ("expression", "numbers_of"),
    [
        ("torch.ones((y.shape[0], y.size(1)), dtype=y.dtype, device=y.device) * x", {"x"}),
        ("torch.ones_like(y) + torch.zeros(len(y), device=y.device)", set()),
        ("torch.full((y.numel(),), 2.0) * y.ndim", set()),
        ("torch.full(y.shape, x)", {"x"}),
        ("torch.full_like(y, x)", {"x"}),
        ("y.new_full(y.shape, x)", {"x"}),
        ("y.new_ones(y.shape)", set()),
        ("x.to(y) + x.type_as(y) + x.view_as(y) + x.expand_as(y)", {"x"}),
        ("x.expand(y.shape).reshape(y.shape[0], -1)", {"x"}),
        ("torch.zeros(y.shape[0], y.shape[1], y.shape[2], 1, 1, 1) + x", {"x"}),
        ("torch.stack([x, y])", {"x", "y"}),
        ("torch.tensor([x.shape[0], 3.0], device=y.device)", set()),
        ("torch.where(x > 0, x, y)", {"x", "y"}),
    ],
)
def test_numbers_come_from_what_is_computed_with(expression: str, numbers_of: set[str]) -> None:
    (value,) = returned(f"def loss(x: Tensor, y: Tensor):\n    return {expression}\n")
    assert {each.origin.label for each in made_of([value]) if each.origin.name == "parameter"} == numbers_of
    assert numbers_of <= {each.origin.label for each in ancestors([value])}


def test_no_gradient_flows_through_a_shape_or_a_device() -> None:
    graph = graph_of(
        """
        def loss(x: Tensor, y: Tensor):
            root = y.sqrt()
            start = torch.zeros((), device=root.device)
            return start + x.mean(1).expand_as(root).sum()
        """
    )
    (root,) = graph.named("sqrt")
    assert graph.matters(root.value)
    assert not graph.differentiates(root.value)


@pytest.mark.parametrize(
    ("call", "kept"),
    [("loss.backward()", None), ("loss.backward(retain_graph=True)", True), ("loss.backward(None, False)", False)],
)
def test_a_call_of_backward_keeps_its_arguments(call: str, kept: bool | None) -> None:
    graph = graph_of(f"def loss(x: Tensor):\n    loss = x.mean()\n    {call}\n    return loss\n")
    (op,) = graph.named(BACKWARD)
    asked = op.keywords.get("retain_graph")
    assert (asked.constant if asked is not None else None) is kept
