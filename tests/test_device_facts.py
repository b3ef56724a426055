"""What the interpreter knows of where tensors are, of tensors that a module keeps, and of attributes that change."""

from __future__ import annotations

import textwrap
from pathlib import Path

import libcst as cst
import pytest

from losslint.semantics.dimensions import has_dimensions
from losslint.semantics.graph import Graph
from losslint.semantics.interpreter import analyse
from losslint.semantics.names import parse_unit
from losslint.semantics.values import Device, Value

HEADER = "import numpy as np\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import Tensor\n"


def graph_of(text: str, entry: str = "loss") -> Graph:
    module = cst.parse_module(HEADER + textwrap.dedent(text))
    graph = analyse(parse_unit(Path("sample.py"), "sample.py", module), entry)
    assert graph is not None
    return graph


def value_of(expression: str, parameters: str = "x: Tensor, lengths, device=None") -> Value:
    (returned,) = graph_of(f"def loss({parameters}):\n    return {expression}\n").returns
    return returned.operands[0]


@pytest.mark.parametrize(
    ("expression", "device"),
    [
        ("x.exp()", Device.INPUT),
        ("torch.zeros(3)", Device.DEFAULT),
        ("torch.zeros(2, 3, 4, 5)", Device.DEFAULT),
        ("torch.arange(x.size(0)).float().unsqueeze(1)", Device.DEFAULT),
        ("torch.tensor([1.0, 2.0]) * 2", Device.DEFAULT),
        ("torch.from_numpy(np.ones(3))", Device.DEFAULT),
        ("torch.zeros(3, device=x.device)", Device.INPUT),
        ("torch.zeros(3, device=device)", Device.UNKNOWN),
        ("torch.zeros(3, device='cpu')", Device.DEFAULT),
        ("torch.zeros(3, device='cuda')", Device.UNKNOWN),
        ("torch.zeros(3).cuda()", Device.UNKNOWN),
        ("torch.zeros(3).to(x)", Device.INPUT),
        ("torch.zeros(3).to(x.device, x.dtype)", Device.INPUT),
        ("torch.zeros(3).to(torch.float64)", Device.DEFAULT),
        ("torch.zeros(3).to(dtype=x.dtype)", Device.DEFAULT),
        ("torch.zeros(3).to(device)", Device.UNKNOWN),
        ("torch.zeros(3).type_as(x)", Device.INPUT),
        ("torch.zeros_like(x)", Device.INPUT),
        ("x.new_ones(3)", Device.INPUT),
        ("x.cpu()", Device.DEFAULT),
        ("torch.zeros(()) * x", Device.INPUT),
        ("torch.cat([torch.zeros(3), torch.ones(3)])", Device.DEFAULT),
        ("lengths", Device.UNKNOWN),
        ("torch.tensor(lengths)", Device.UNKNOWN),
    ],
)
def test_where_a_tensor_is(expression: str, device: Device) -> None:
    assert value_of(expression).device is device


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("torch.zeros(n)", True),
        ("torch.zeros(x.shape)", True),
        ("torch.zeros(())", False),
        ("torch.zeros([])", False),
        ("torch.full((n,), 1.0)", True),
        ("torch.full([], 1.0)", False),
        ("torch.tensor(0.5)", False),
        ("torch.tensor([0.5])", True),
        ("torch.tensor(n)", False),
        ("torch.ones(n).mean()", False),
        ("(torch.ones(n) > 0).float()", True),
        ("torch.eye(n)[0]", True),
        ("torch.arange(n)[0]", False),
        ("x", False),
    ],
)
def test_whether_a_tensor_has_dimensions(expression: str, expected: bool) -> None:
    assert has_dimensions(value_of(expression, "x: Tensor, n")) is expected


def test_a_with_statement_chooses_where_factories_work() -> None:
    text = """
    def loss(x: Tensor):
        with torch.device(x.device):
            inside = torch.zeros(3)
        return inside, torch.zeros(3)
    """
    (returned,) = graph_of(text).returns
    inside, outside = returned.operands[0].elements
    assert (inside.device, outside.device) == (Device.UNKNOWN, Device.DEFAULT)


MODULE = """
class Loss(nn.Module):
    def __init__(self, weight=None):
        super().__init__()
        self.register_buffer("centre", torch.zeros(3))
        self.scale = nn.Parameter(torch.ones(3))
        self.plain = torch.ones(3)
        self.steps = 0
        self.seen = None

    def reset(self):
        self.steps = 0

    def forward(self, x: Tensor):
        self.steps += 1
        self.seen, _ = x, 0
        if self.steps > 10:
            return self.plain
        return self.scale
"""


def test_what_is_registered_moves_with_the_module() -> None:
    instance = graph_of(MODULE, "Loss.forward").instance
    assert instance is not None and instance.is_torch_module and instance.buffers == {"centre"}
    assert {name: value.device for name, value in instance.attributes.items() if value.is_tensor} == {
        "centre": Device.INPUT,
        "scale": Device.INPUT,
        "plain": Device.DEFAULT,
    }


def test_an_attribute_that_methods_change_is_no_constant() -> None:
    graph = graph_of(MODULE, "Loss.forward")
    assert graph.instance is not None and graph.instance.stored == {"steps", "seen"}
    assert len(graph.returns) == 2
