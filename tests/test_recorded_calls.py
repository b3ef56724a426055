"""What the graph records beside operators: modules, context managers, gradients a loss takes itself, and draws."""

from __future__ import annotations

import pytest

from losslint.semantics.values import Gradient, Reduced
from test_interpreter import graph_of, returned


def test_an_operator_knows_the_module_that_applied_it() -> None:
    text = """
    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.criterion = nn.BCELoss(reduction="sum")

        def forward(self, pred, target):
            return self.criterion(pred, target) + F.mse_loss(pred, target)
    """
    graph = graph_of(text, "Loss.forward")
    (bce,) = graph.named("binary_cross_entropy")
    assert bce.origin.module is not None and bce.origin.module.origin.label == "torch.nn.BCELoss"
    (mse,) = graph.named("mse_loss")
    assert mse.origin.module is None


def test_the_construction_of_a_module_is_recorded_where_it_runs() -> None:
    graph = graph_of("def loss(pred, target):\n    return nn.MSELoss(pred, target)\n")
    (made,) = graph.named("module")
    assert made.origin.label == "torch.nn.MSELoss"
    assert [value.origin.label for value in made.operands] == ["pred", "target"]


@pytest.mark.parametrize(
    ("body", "open_contexts"),
    [
        ("with torch.autocast('cuda'):\n        y = x.exp()", ["torch.autocast()"]),
        ("with torch.autocast('cuda'):\n        pass\n    y = x.exp()", []),
        (
            "with torch.autocast('cuda'):\n        with torch.no_grad():\n            y = x.exp()",
            ["torch.autocast()", "torch.no_grad()"],
        ),
        (
            "with torch.autocast('cuda'):\n        if flag:\n            return x\n        y = x.exp()",
            ["torch.autocast()"],
        ),
    ],
)
def test_operators_know_the_context_managers_around_them(body: str, open_contexts: list[str]) -> None:
    graph = graph_of(f"def loss(x: Tensor, flag):\n    {body}\n    return y\n")
    (exp,) = graph.named("exp")
    assert [value.origin.label for value in exp.contexts] == open_contexts


def test_a_decorator_is_a_context_too() -> None:
    graph = graph_of("@torch.cuda.amp.autocast()\ndef loss(x: Tensor):\n    return x.exp()\n")
    (exp,) = graph.named("exp")
    assert [value.origin.label for value in exp.contexts] == ["torch.cuda.amp.autocast()"]


@pytest.mark.parametrize(
    ("call", "gradient"),
    [
        ("torch.autograd.grad(score.sum(), x)[0]", Gradient.CUT),
        ("torch.autograd.grad(score.sum(), [x, x], retain_graph=True)[1]", Gradient.CUT),
        ("torch.autograd.grad(score.sum(), x, create_graph=True)[0]", Gradient.CARRIES),
        ("torch.autograd.grad(score.sum(), x, None, None, True)[0]", Gradient.CARRIES),
        ("torch.autograd.grad(score.sum(), x, create_graph=flag)[0]", Gradient.CARRIES),
        ("torch.autograd.grad(score.sum(), x, **options)[0]", Gradient.CARRIES),
    ],
)
def test_a_gradient_has_a_graph_only_where_one_is_created(call: str, gradient: Gradient) -> None:
    text = f"def loss(pred: Tensor, flag, options):\n    x = pred\n    score = x ** 2\n    return {call}\n"
    (value,) = returned(text)
    assert value.is_tensor and value.gradient is gradient


def test_an_unpacked_gradient_is_the_first_element() -> None:
    (value,) = returned(
        "def loss(pred: Tensor):\n    grads, = torch.autograd.grad(pred.sum(), pred)\n    return grads.norm()\n"
    )
    assert value.gradient is Gradient.CUT


def test_backward_is_recorded_with_what_it_is_called_on() -> None:
    graph = graph_of("def loss(pred: Tensor):\n    total = pred.mean()\n    total.backward()\n")
    (backward,) = graph.named("backward")
    assert backward.operands[0].origin.name == "mean"


@pytest.mark.parametrize(
    ("draw", "gradient"),
    [
        ("Normal(mu, 1.0).sample()", Gradient.CUT),
        ("Normal(mu, 1.0).sample((5,))", Gradient.CUT),
        ("Normal(mu, 1.0).rsample()", Gradient.CARRIES),
        ("Normal(0.0, 1.0).sample()", Gradient.NEUTRAL),
        ("torch.distributions.Independent(Normal(mu, 1.0), 1).sample()", Gradient.CUT),
        ("Normal(mu, 1.0).expand((3,)).rsample()", Gradient.CARRIES),
        ("Normal(mu, 1.0).log_prob(target)", Gradient.CARRIES),
    ],
)
def test_a_draw_is_in_the_graph_only_where_it_is_reparameterised(draw: str, gradient: Gradient) -> None:
    text = f"from torch.distributions import Normal\ndef loss(mu: Tensor, target: Tensor):\n    return {draw}\n"
    (value,) = returned(text)
    assert value.gradient is gradient


def test_an_unknown_method_in_place_leaves_nothing_known_of_the_elements() -> None:
    (value,) = returned("def loss(x: Tensor):\n    y = torch.zeros_like(x)\n    y.uniform_()\n    return y\n")
    assert value.is_tensor and value.interval.high > 0 and value.zero is None


@pytest.mark.parametrize(
    "network",
    [
        "net",
        "net.cuda()",
        "net.to('cuda').train()",
        "nn.DataParallel(net)",
        "nn.parallel.DistributedDataParallel(net.cuda(), device_ids=[0])",
        "torch.compile(net)",
    ],
)
def test_a_moved_or_wrapped_module_is_the_same_module(network: str) -> None:
    text = f"""
    class Net(nn.Module):
        def forward(self, x):
            return torch.softmax(x, 1)

    def loss(x: Tensor):
        net = Net()
        net = {network}
        return net(x)
    """
    (value,) = returned(text)
    assert value.origin.name == "softmax"


def test_the_methods_of_an_array_give_no_tensor() -> None:
    (value,) = returned("def loss(x: Tensor):\n    return (x > 0).cpu().numpy().flatten()\n")
    assert not value.is_tensor


INHERITS = """
class Criterion(nn.BCEWithLogitsLoss):
    def __init__(self, {parameters}):
        super().__init__({arguments})

    def forward(self, pred, target):
        return super().forward(pred * 2, target)
"""


@pytest.mark.parametrize(
    ("parameters", "arguments", "kind"),
    [
        ("scale=1.0", "", Reduced.MEAN),
        ("scale=1.0", "reduction='sum'", Reduced.SUM),
        ("scale=1.0", "None, None, None, 'none'", Reduced.NONE),
        ("how", "reduction=how", Reduced.UNKNOWN),
        ("**options", "**options", Reduced.UNKNOWN),
        ("scale=1.0", "size_average=False", Reduced.UNKNOWN),
    ],
)
def test_an_inherited_forward_is_the_operator_of_its_module(parameters: str, arguments: str, kind: Reduced) -> None:
    text = INHERITS.format(parameters=parameters, arguments=arguments)
    (value,) = returned(text, "Criterion.forward")
    assert value.origin.name == "binary_cross_entropy_with_logits" and value.reduction.kind is kind


def test_an_instance_of_a_class_without_a_forward_does_what_its_module_does() -> None:
    text = """
    class Criterion(nn.CrossEntropyLoss):
        pass

    def loss(pred, target):
        return Criterion()(pred, target)
    """
    (value,) = returned(text)
    assert value.origin.name == "cross_entropy_loss"
