"""Masks that always select something, zeros that never fill a sum, and zeros that were asked for."""

from __future__ import annotations

import pytest

from test_interpreter import returned


@pytest.mark.parametrize(
    ("expression", "empty"),
    [
        ("labels == labels.unique()[0]", False),
        ("labels == labels.view(-1)[3]", False),
        ("labels.view(-1) == labels.flatten().tolist()[0]", False),
        ("x >= x.topk(3).values[-1]", False),
        ("x <= x.mean()", False),
        ("labels == torch.cat([labels, x])", False),
        ("labels == x[torch.multinomial(x, 1)]", False),
        ("labels == x.unique()[0]", True),
        ("labels == 3", True),
        ("x > x.topk(3).values[-1]", True),
        ("x >= labels.topk(3).values[-1]", True),
        ("labels == labels[0] + 1", True),
    ],
)
def test_a_comparison_with_an_element_of_the_same_tensor_holds_somewhere(expression: str, empty: bool) -> None:
    (value,) = returned(f"def loss(x: Tensor, labels: Tensor):\n    return {expression}\n")
    assert (value.zero is not None) is empty


@pytest.mark.parametrize(
    ("expression", "zero"),
    [
        ("x.exp().masked_fill(torch.eye(9).bool(), 0).sum(1)", False),
        ("x.exp().masked_fill(labels > 2, 0).sum(1)", True),
        ("x.sigmoid().square().sum()", False),
        ("(x - labels).square().sum()", True),
        ("F.relu(x).square().sum()", True),
    ],
)
def test_zeros_that_a_sum_can_be_made_of_alone(expression: str, zero: bool) -> None:
    (value,) = returned(f"def loss(x: Tensor, labels: Tensor):\n    return {expression}\n")
    assert (value.zero is not None) is zero


def test_tuples_of_several_paths_are_joined_member_by_member() -> None:
    text = """
def pair(x, flag):
    if flag:
        return x.exp(), x.detach()
    return x.sin(), x.detach()

def loss(x: Tensor, flag):
    return pair(x, flag)
"""
    (value,) = returned(text)
    assert isinstance(value.elements, tuple)
    first, second = value.elements
    assert first.origin.name == "phi" and second.origin.name == "detach"


@pytest.mark.parametrize(
    ("expression", "zero"),
    [
        ("n if n > 0 else 1", False),
        ("n if x.sum() > 0 else 1", True),
        ("pick(n)", False),
        ("n", True),
        ("(torch.arange(9)[None] < labels[:, None]).sum(1)", True),
    ],
)
def test_a_value_that_was_asked_for_its_zero_has_none_left(expression: str, zero: bool) -> None:
    text = f"""
def pick(n):
    if n == 0:
        return 1
    return n

def loss(x: Tensor, labels: Tensor):
    n = (labels > 0).sum()
    return {expression}
"""
    (value,) = returned(text)
    assert (value.zero is not None) is zero
