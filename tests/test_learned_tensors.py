"""What the use of a value says of the parameters it is made of, and which settings may be given."""

from __future__ import annotations

from test_interpreter import graph_of, returned


def test_a_comparison_that_is_used_as_a_tensor_says_that_its_parameter_is_one() -> None:
    text = """
    def loss(pred: Tensor, iou, low=0.4, high=0.5):
        ignored = (iou < low) | (iou >= high)
        return (pred * ignored.unsqueeze(1)).sum()
    """
    (made,) = graph_of(text).named("bitwise_or")
    assert made.value.is_tensor


def test_a_comparison_of_two_parameters_does_not_say_which_is_the_tensor() -> None:
    text = """
    def loss(pred: Tensor, iou, low):
        return (pred * (iou < low).unsqueeze(1)).sum()
    """
    assert not any(value.is_tensor for value in graph_of(text).parameters[1:])


def test_the_truth_of_a_setting_that_is_none_by_default_is_open() -> None:
    text = """
    class Loss(nn.Module):
        def __init__(self, weight=None):
            super().__init__()
            self.weight = weight

        def forward(self, logits, target):
            if self.weight:
                return F.cross_entropy(logits, target, weight=self.weight)
            return F.cross_entropy(logits, target)
    """
    assert len(returned(text, "Loss.forward")) == 2
