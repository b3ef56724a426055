"""What docstrings and annotations say of tensors: every style that packages write, and words that look like shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losslint.probe.worker.declared_shapes import Declared, declared
from losslint.probe.worker.docstring_entries import entries

PARAMETERS = ("input", "target")


def shapes_of(docstring: str, parameters: tuple[str, ...] = PARAMETERS) -> dict[str, tuple[tuple[str, ...], ...]]:
    return {each.name: each.shapes for each in declared(parameters, [docstring], {})}


def of(docstring: str, name: str = "input", parameters: tuple[str, ...] = PARAMETERS) -> Declared:
    return next(each for each in declared(parameters, [docstring], {}) if each.name == name)


STYLES = {
    "torch's Shape section": r"""Measure.

    Shape:
        - Input: :math:`(N, C)` where N is the batch size.
        - Target: :math:`(N)`.
        - Output: scalar.
    """,
    "Google": """Measure.

    Args:
        input (Tensor): predictions of shape (N, C)
        target (torch.LongTensor): class indices of shape (N,)
    """,
    "Google, continued on the next line": """Measure.

    Args:
        input: the predictions,
            a tensor of shape (N, C)
        target: the labels,
            of shape (N,)
    """,
    "numpy": """Measure.

    Parameters
    ----------
    input : torch.Tensor
        Predictions, shape (N, C).
    target : torch.Tensor
        Labels, shape (N,).

    Returns
    -------
    torch.Tensor
        Of shape (1,).
    """,
    "reST": """Measure.

    :param input: predictions of shape (N, C)
    :param target: labels of shape (N,)
    :return: a scalar of shape (1,)
    """,
    "square brackets and words": """Measure.

    Args:
        input: [batch_size, num_classes]
        target: [batch_size]
    """,
    "times": """Measure.

    Args:
        input: B x C predictions
        target: a tensor of shape (B,)
    """,
}


@pytest.mark.parametrize("style", STYLES)
def test_reads_every_style(style: str) -> None:
    assert shapes_of(STYLES[style]) == {"input": (("N", "C"),), "target": (("N",),)}


def test_keeps_alternatives_in_order() -> None:
    text = r"""
    Shape:
        - Input: :math:`(N, C)` or :math:`(N, C, d_1, d_2, ..., d_K)` with :math:`K \geq 1`
    """
    assert of(text).shapes == (("N", "C"), ("N", "C", "*"))


def test_a_star_stands_for_further_dimensions() -> None:
    assert of("Args:\n    input: of shape :math:`(N, *)` where * means any number of dimensions").shapes == (
        ("N", "*"),
    )
    assert of("Args:\n    input: tensor of any shape :math:`(*)`").shapes == (("*",),)


def test_reads_latex_times() -> None:
    assert of("Args:\n    input: a map of :math:`B \\times C \\times H \\times W`").shapes == (("N", "C", "H", "W"),)


def test_reads_letters_without_commas() -> None:
    text = "Args:\n    input: the shape should be BCHW[D]\n    target: NCHW or B1HW, not an RGB or a BERT"
    assert shapes_of(text) == {
        "input": (("N", "C", "H", "W"),),
        "target": (("N", "C", "H", "W"), ("N", "1", "H", "W")),
    }


def test_n_beside_b_is_no_batch() -> None:
    assert of("Args:\n    input: points of shape (B, N, 3)").shapes == (("N", "K", "3"),)


def test_copies_the_same_shape() -> None:
    text = "Args:\n    input: predictions of shape (N, C, H, W)\n    target: labels, same shape as the input"
    assert of(text, "target").shapes == (("N", "C", "H", "W"),)


def test_one_entry_speaks_of_two() -> None:
    assert shapes_of("Args:\n    input, target: images of shape (N, 3, H, W)") == {
        "input": (("N", "3", "H", "W"),),
        "target": (("N", "3", "H", "W"),),
    }


def test_another_name_for_the_only_prediction() -> None:
    text = "Shape:\n    - Input: (N, C)\n    - Target: (N)"
    assert shapes_of(text, ("y_pred", "y_true")) == {"y_pred": (("N", "C"),), "y_true": (("N",),)}


@pytest.mark.parametrize(
    "remark",
    [
        "the probability, a value in the range (0, 1)",
        "in [0, 1]",
        "between (a, b)",
        "one of the modes (sum, mean)",
        "the weight (float, optional)",
        "a factor (default: 1)",
        "pair of ints (3, 3)",
        "see (Lin et al, 2017)",
    ],
)
def test_remarks_are_no_shapes(remark: str) -> None:
    text = f"Args:\n    input: {remark}\n"
    assert shapes_of(text).get("input", ()) == ()


def test_what_a_loss_returns_is_not_what_it_takes() -> None:
    assert shapes_of("Measure.\n\nReturns:\n    input: of shape (N, C)\n") == {}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("raw scores before the softmax", "logits"),
        ("the logits", "logits"),
        ("log-probabilities of each class", "log-probability"),
        ("class indices", "index"),
        ("probabilities of each class", "probability"),
        ("binary labels", "binary"),
        ("the reference image", "image"),
        ("embeddings of the anchors", "embedding"),
        ("a tensor of 1 or -1", "signs"),
        ("anything at all", None),
    ],
)
def test_reads_what_numbers_mean(text: str, kind: str | None) -> None:
    assert of(f"Args:\n    input: {text}, of shape (N, C)").kind == kind


@pytest.mark.parametrize(
    ("annotation", "shapes", "dtype"),
    [
        ("Float[Tensor, 'n c']", (("N", "C"),), "float"),
        ("Int[Tensor, 'batch']", (("N",),), "int"),
        ("Float[Tensor, 'n ... d']", (("N", "*", "D"),), "float"),
        ("torch.LongTensor", (), "int"),
        ("TensorType['N', 'C']", (("N", "C"),), None),
    ],
)
def test_reads_annotations(annotation: str, shapes: tuple[tuple[str, ...], ...], dtype: str | None) -> None:
    (found,) = declared(("x",), [], {"x": annotation})
    assert (found.shapes, found.dtype) == (shapes, dtype)


def test_an_annotation_overrules_the_docstring() -> None:
    (found,) = declared(("x",), ["Args:\n    x: of shape (N, C, H, W)"], {"x": "Float[Tensor, 'n d']"})
    assert found.shapes == (("N", "D"),)


def test_docstrings_add_up() -> None:
    (found,) = declared(("x",), ["Args:\n    x: the logits", "Args:\n    x: of shape (N, C)"], {})
    assert (found.shapes, found.kind) == ((("N", "C"),), "logits")


def test_nothing_is_said() -> None:
    assert declared(PARAMETERS, ["", "Measure the input."], {"input": "Tensor", "other": "Float[Tensor, 'n']"}) == ()


@given(st.text(alphabet=" \n\t:-*`()[],.…xABNCHWdk_0123456789ArgsShape\\$", max_size=300))
def test_never_raises(docstring: str) -> None:
    for each in declared(("input", "x", "A"), [docstring], {"x": docstring}):
        assert all(isinstance(dim, str) and dim for shape in each.shapes for dim in shape)
    entries(docstring, ("input", "x"))
