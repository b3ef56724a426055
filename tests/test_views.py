"""Which values share their memory with a parameter of the loss, and which operators work in place."""

from __future__ import annotations

import textwrap
from pathlib import Path

import libcst as cst
import pytest

from losslint.semantics.graph import IN_PLACE, Graph
from losslint.semantics.interpreter import analyse
from losslint.semantics.names import parse_unit
from losslint.semantics.values import Gradient
from losslint.semantics.views import shared_parameter

HEADER = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n"


def graph_of(text: str) -> Graph:
    module = cst.parse_module(HEADER + textwrap.dedent(text))
    graph = analyse(parse_unit(Path("sample.py"), "sample.py", module), "loss")
    assert graph is not None
    return graph


@pytest.mark.parametrize(
    ("expression", "shared"),
    [
        ("x", True),
        ("x.view(-1)", True),
        ("x.detach()", True),
        ("x.data", True),
        ("x[:, 0]", True),
        ("x[0]", True),
        ("x[..., None]", True),
        ("x.t()", True),
        ("x.flatten(1)", True),
        ("x.reshape(-1)", True),
        ("x.chunk(2)[0]", True),
        ("x.permute(1, 0).reshape(-1)", False),
        ("x.t().contiguous()", False),
        ("x.clone()", False),
        ("x + 0", False),
        ("x.float()", False),
        ("x[mask]", False),
        ("x[[0, 1]]", False),
        ("x[index]", False),
        ("x.exp()", False),
        ("torch.zeros_like(x)", False),
    ],
)
def test_what_shares_the_memory_of_a_parameter(expression: str, shared: bool) -> None:
    (returned,) = graph_of(f"def loss(x: Tensor, mask: Tensor, index: Tensor):\n    return {expression}\n").returns
    parameter = shared_parameter(returned.operands[0])
    assert (parameter is not None and parameter.origin.label == "x") is shared


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("x.clamp_(0)", "clamp"),
        ("x += 1", "add"),
        ("x[0] = 1", "index_put"),
        ("x[x > 0] = 1", "index_put"),
        ("x.data[0] = 1", "index_put"),
        ("x.zero_()", "zero_"),
        ("x.copy_(y)", "copy_"),
        ("torch.relu_(x)", "relu"),
    ],
)
def test_operators_that_work_in_place_say_so(statement: str, name: str) -> None:
    ops = graph_of(f"def loss(x: Tensor, y: Tensor):\n    {statement}\n    return x.sum()\n").ops
    assert [op.name for op in ops if op.detail == IN_PLACE] == [name]


def test_what_returns_its_result_does_not_work_in_place() -> None:
    ops = graph_of("def loss(x: Tensor):\n    y = x.clamp(0) + 1\n    n = 0\n    n += 1\n    return y.sum() * n\n").ops
    assert [op.name for op in ops if op.detail == IN_PLACE] == []


def test_what_is_gathered_has_no_graph() -> None:
    text = """
    import torch.distributed as dist
    def loss(x: Tensor):
        gathered = [torch.zeros_like(x) for _ in range(2)]
        dist.all_gather(gathered, x)
        return torch.cat(gathered), torch.cat([x, *gathered])
    """
    (returned,) = graph_of(text).returns
    copies, joined = returned.operands[0].elements
    assert (copies.gradient, joined.gradient) == (Gradient.CUT, Gradient.CARRIES)
