"""What the interpreter knows of a value: forks, guards, gradients, ranges, shapes, own methods and members."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import libcst as cst
import pytest

from losslint.semantics.graph import BRANCH, LOOP, UNASKED, Graph
from losslint.semantics.guards import chain
from losslint.semantics.interpreter import analyse
from losslint.semantics.names import parse_unit
from losslint.semantics.operators import REQUIRED, Operator, operators
from losslint.semantics.values import Certainty, Gradient, Kind, Reduced, Value

HEADER = "import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\nfrom torch import Tensor\n"


def graph_of(text: str, entry: str = "loss") -> Graph:
    """The graph of a function of a short file."""
    module = cst.parse_module(HEADER + textwrap.dedent(text))
    graph = analyse(parse_unit(Path("sample.py"), "sample.py", module), entry)
    assert graph is not None
    return graph


def returned(text: str, entry: str = "loss") -> list[Value]:
    """The returned values, one a path."""
    return [op.operands[0] for op in graph_of(text, entry).returns]


@pytest.mark.parametrize(
    "expression",
    ["torch.log(x)", "x.log()", "log(x)", "torch.special.log_softmax(x, 0).exp().log()", "nn.Identity()(x).log()"],
)
def test_one_operator_whatever_its_spelling(expression: str) -> None:
    graph = graph_of(f"from torch import log\ndef loss(x: Tensor):\n    return {expression}\n")
    assert [op.name for op in graph.ops].count("log") == 1


def test_configuration_forks_and_remembers_its_answer() -> None:
    text = """
    class Loss(nn.Module):
        def __init__(self, reduction="mean"):
            super().__init__()
            self.reduction = reduction

        def forward(self, pred, target):
            loss = (pred - target).abs()
            if self.reduction == "mean":
                loss = loss.mean()
            elif self.reduction == "sum":
                loss = loss.sum()
            if self.reduction == "none":
                return loss
            return loss
    """
    kinds = {value.reduction.kind for value in returned(text, "Loss.forward")}
    assert kinds == {Reduced.MEAN, Reduced.SUM, Reduced.NONE}


def test_equal_tests_are_one_fork() -> None:
    text = """
    def loss(pred, target, weight=None):
        loss = (pred - target).abs()
        if weight is None:
            a = 1
        else:
            a = 2
        if weight is not None:
            b = 2
        else:
            b = 1
        if not weight is None:
            c = 2
        else:
            c = 1
        return a, b, c
    """
    found = {tuple(element.constant for element in value.elements) for value in returned(text)}
    assert found == {(1, 1, 1), (2, 2, 2)}


def test_a_reassigned_name_drops_what_was_known_of_it() -> None:
    text = """
    def loss(pred, mode):
        if mode == "a":
            mode = other()
        if mode == "a":
            return pred.mean()
        return pred.sum()
    """
    assert {value.reduction.kind for value in returned(text)} == {Reduced.MEAN, Reduced.SUM}


def test_at_most_eight_paths_and_what_is_joined_keeps_its_alternatives() -> None:
    lines = "\n".join(f"    if flag{i}:\n        x = x + {i + 1}" for i in range(6))
    text = f"def loss(x: Tensor, {', '.join(f'flag{i}' for i in range(6))}):\n{lines}\n    return x.mean()\n"
    values = returned(text)
    assert 1 < len(values) <= 8
    assert any(value.origin.operands[0].origin.name == "phi" for value in values)


@pytest.mark.parametrize(
    ("body", "gradient"),
    [
        ("return pred.detach().mean()", Gradient.CUT),
        ("return pred.argmax(1).float().mean()", Gradient.ZERO),
        ("return (pred > 0.5).float().mean()", Gradient.ZERO),
        ("return pred.round().mean()", Gradient.ZERO),
        ("return pred[pred.argmax(0)].mean()", Gradient.CARRIES),
        ("return pred.gather(1, pred.argmax(1, keepdim=True)).mean()", Gradient.CARRIES),
        ("return pred.topk(3).values.mean()", Gradient.CARRIES),
        ("return pred.topk(3).indices.float().mean()", Gradient.ZERO),
        ("return pred.max(1)[1].float().mean()", Gradient.ZERO),
        ("return torch.where(pred > 0, pred, -pred).mean()", Gradient.CARRIES),
        ("return (pred.detach() * pred).mean()", Gradient.CARRIES),
        ("return torch.tensor(pred.mean())", Gradient.CUT),
        ("return pred.mean().item()", Gradient.CUT),
        ("return torch.zeros(3).mean()", Gradient.NEUTRAL),
        ("with torch.no_grad():\n        return pred.mean()", Gradient.CUT),
        ("with torch.no_grad():\n        w = pred.mean()\n    return w * pred", Gradient.CARRIES),
    ],
)
def test_gradient(body: str, gradient: Gradient) -> None:
    (value,) = returned(f"def loss(pred: Tensor):\n    {body}\n")
    assert value.gradient is gradient


@pytest.mark.parametrize(
    ("expression", "certainty"),
    [
        ("torch.sigmoid(x)", Certainty.PROVEN),
        ("1 - torch.sigmoid(x)", Certainty.PROVEN),
        ("F.relu(x)", Certainty.PROVEN),
        ("F.relu(x).sum()", Certainty.PROVEN),
        ("(x > 0).sum()", Certainty.PROVEN),
        ("mask.sum()", Certainty.POSSIBLE),
        ("(mask > 0).sum()", Certainty.POSSIBLE),
        ("x", Certainty.POSSIBLE),
        ("torch.sigmoid(x).sum()", None),
        ("torch.sigmoid(x) + 1e-6", None),
        ("torch.sigmoid(x).clamp(min=1e-6)", None),
        ("torch.sigmoid(x).clamp(1e-6, 1.0)", None),
        ("torch.clamp_min(torch.sigmoid(x), 1e-6)", None),
        ("mask.sum().clamp(min=1)", None),
        ("max(mask.sum(), 1)", None),
        ("torch.maximum(mask.sum(), torch.ones(1))", None),
        ("torch.where(x > 0, x, torch.ones_like(x))", None),
        ("F.softplus(x) + 1", None),
        ("torch.exp(x)", None),
        ("F.softmax(x, 1).sum(1)", None),
        ("x[x > 0]", None),
        ("x.shape[0]", None),
        ("(x - x.max(1, keepdim=True)[0]).exp().sum(1)", None),
    ],
)
def test_zero_witness(expression: str, certainty: Certainty | None) -> None:
    (value,) = returned(f"def loss(x: Tensor, mask: Tensor):\n    return {expression}\n")
    assert (value.zero.certainty if value.zero is not None else None) == certainty


@pytest.mark.parametrize(
    "guard",
    [
        "if n == 0:\n        return pred.sum() * 0",
        "if n > 0:\n        return pred.sum() / n\n    return pred.sum() * 0",
        "if mask.any():\n        return pred.sum() / n\n    return pred.sum() * 0",
        "if not mask.any():\n        return pred.sum() * 0",
        "if n.item() == 0:\n        return pred.sum() * 0",
        "assert n > 0",
        "if mask.sum() < 1:\n        raise ValueError",
    ],
)
def test_a_comparison_guards_what_is_computed_from_it(guard: str) -> None:
    graph = graph_of(
        f"def loss(pred: Tensor, mask: Tensor):\n    n = mask.sum()\n    {guard}\n    return pred.sum() / n\n"
    )
    divisions = list(graph.named("div"))
    assert divisions and all(op.is_guarded(chain(op.operands[1])) for op in divisions)


@pytest.mark.parametrize(
    "test",
    ["mask is not None", "pred.dim() > 1", "len(pred) > 1", "isinstance(mask, Tensor)", "flag", "pred.shape[0] > 1"],
)
def test_tests_of_none_shape_and_flags_neither_guard_nor_branch_on_a_tensor(test: str) -> None:
    graph = graph_of(
        f"def loss(pred: Tensor, mask: Tensor, flag=True):\n    n = mask.sum()\n"
        f"    if {test}:\n        return pred.sum() / n\n    return pred.sum()\n"
    )
    assert list(graph.named(BRANCH)) == []
    (division,) = graph.named("div")
    assert not division.is_guarded(chain(division.operands[1]))


def test_own_methods_base_classes_and_members_are_followed() -> None:
    text = """
    class Base(nn.Module):
        def reduce(self, x):
            return x.mean()

    class Loss(Base):
        def __init__(self, eps=1e-6):
            super().__init__()
            self.eps = eps
            self.probabilities = nn.Softmax(dim=1)
            self.criterion = nn.MSELoss(reduction="sum")

        def log(self, x):
            return torch.log(self.probabilities(x) + self.eps)

        def forward(self, pred, target):
            return self.reduce(self.log(pred)) + self.criterion(pred, target)
    """
    graph = graph_of(text, "Loss.forward")
    names = [op.name for op in graph.ops]
    assert {"softmax", "log", "mean", "mse_loss"} <= set(names)
    (log,) = graph.named("log")
    assert log.operands[0].zero is None, "the eps member keeps it from 0"
    assert [call.symbol for call in log.calls] == ["Loss.log"]
    (mse,) = graph.named("mse_loss")
    assert mse.value.reduction.kind is Reduced.SUM


def test_recursion_and_unknown_code_end_as_unknown() -> None:
    text = """
    def again(x):
        return again(x - 1)

    def loss(pred):
        return again(mystery(pred))
    """
    (value,) = returned(text)
    assert value.kind is Kind.UNKNOWN
    assert value.gradient is Gradient.CARRIES


@pytest.mark.parametrize(
    ("loop", "found"),
    [
        ("for row in pred:", True),
        ("for i in range(pred.size(0)):", True),
        ("for i in range(len(pred)):", True),
        ("for i in range(pred.shape[0]):", True),
        ("for p, t in zip(pred, target):", True),
        ("for i, p in enumerate(pred):", True),
        ("for scale in (1, 2, 4):", False),
        ("for name in names:", False),
        ("for i in range(3):", False),
        ("for level in levels:", False),
    ],
)
def test_loops_over_tensors_are_told_from_other_loops(loop: str, found: bool) -> None:
    graph = graph_of(
        f"def loss(pred: Tensor, target: Tensor, levels: list, names=()):\n    total = pred.sum()\n"
        f"    {loop}\n        total = total + 1\n    return total\n"
    )
    assert bool(list(graph.named(LOOP))) is found


@pytest.mark.parametrize(
    ("expression", "rank", "kind"),
    [
        ("x.mean()", 0, Reduced.MEAN),
        ("torch.sum(x)", 0, Reduced.SUM),
        ("x.sum(1).mean()", 0, Reduced.MEAN),
        ("x.sum(1)", None, Reduced.PARTIAL),
        ("x * 2", None, Reduced.NONE),
        ("x.view(-1)", 1, Reduced.NONE),
        ("F.mse_loss(x, x)", 0, Reduced.MEAN),
        ("F.mse_loss(x, x, reduction='none')", None, Reduced.NONE),
        ("F.mse_loss(x, x, reduction='sum') / x.size(0)", 0, Reduced.UNKNOWN),
    ],
)
def test_rank_and_reduction(expression: str, rank: int | None, kind: Reduced) -> None:
    (value,) = returned(f"def loss(pred: Tensor):\n    x = pred\n    return {expression}\n")
    assert (value.rank, value.reduction.kind) == (rank, kind)


CALLS = {
    "cat": "[x, x]",
    "stack": "[x, x]",
    "einsum": "'i,j->', x, x",
    "where": "x > 0, x, x",
    "as_tensor": "x",
    "tensor": "x",
    "from_numpy": "x",
    "searchsorted": "x, x",
    "bucketize": "x, x",
}


@pytest.mark.parametrize("row", list(operators().values()), ids=lambda row: row.name)
def test_the_interpreter_reaches_every_operator(row: Operator) -> None:
    """One call in each spelling of each row is recorded under the row's name."""
    count = len([each for each in row.parameters if each.default is REQUIRED])
    arguments = CALLS.get(row.name, ", ".join(["x"] * max(count, 1)))
    rest = ", ".join(["x"] * max(count - 1, 0))
    calls = [f"{spelling}({arguments})" for spelling in row.spellings]
    calls += [f"x.{method}({rest})" for method in row.methods]
    for call in calls:
        graph = graph_of(f"import torch.special\nimport torch.linalg\ndef loss(x: Tensor):\n    return {call}\n")
        assert row.name in {op.name for op in graph.ops}, call


def test_a_graph_knows_the_bases_of_its_class() -> None:
    text = """
    from elsewhere import Mixin
    class Base(nn.Module, Generic[int]): ...
    class Loss(Base, Mixin):
        def forward(self, pred):
            return pred.mean()
    """
    graph = graph_of(text, "Loss.forward")
    assert [base.name for base in graph.lineage] == ["Loss", "Base"]
    assert graph.foreign == ("elsewhere.Mixin", "torch.nn.Module", "Generic")


def test_a_graph_knows_the_paths_that_end_without_a_return() -> None:
    text = """
    def loss(pred, reduction="mean"):
        if reduction == "mean":
            return pred.mean()
        elif reduction == "sum":
            return pred.sum()
    """
    (path,) = graph_of(text).falling
    first, second = path.conditions
    assert [first.holds, second.holds] == [False, False]
    assert [each.test.origin.operands[1].constant for each in (first, second)] == ["mean", "sum"]
    assert graph_of("def loss(pred):\n    return pred.mean()\n").falling == ()
    called = text.replace("def loss", "def reduce") + "\n    def loss(pred, how):\n        return reduce(pred, how)\n"
    assert [path.function.name.value for path in graph_of(called).falling] == ["reduce"]


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ("return pred * w", ["arithmetic"]),
        ("return -pred + w.mean() + w[0]", ["attribute", "item"]),
        ("return w(pred)", ["call"]),
        ("return pred > w", ["arithmetic"]),
        ("return pred if w is None else pred * w", []),
        ("return w is not None and pred * w", []),
        ("return w is None or pred * w", []),
        ("return pred * w if w is not None and w.numel() > 0 else pred", []),
        ("return pred if not (w is None or w.numel() == 0) else pred", []),
        ("assert w is not None\n    return pred * w", []),
        ("w = 1.0 if w is None else w\n    return pred * w", []),
        ("if w is None:\n        return pred\n    return pred * w", []),
        ("return torch.nn.functional.cross_entropy(pred, pred, weight=w)", []),
    ],
)
def test_a_use_of_what_is_none_by_default_is_recorded_until_it_is_asked_for(body: str, details: list[str]) -> None:
    graph = graph_of(f"def loss(pred, w=None):\n    {body}\n")
    assert [op.detail for op in graph.named(UNASKED)] == details


def test_the_second_half_of_a_test_knows_the_first() -> None:
    (op,) = (op for op in graph_of("def loss(m, x):\n    return m.any() and x / m.sum()\n").ops if op.name == "div")
    assert op.is_guarded(op.operands[1].origin.operands)


def test_a_trained_parameter_keeps_no_range_and_a_frozen_one_no_gradient() -> None:
    text = """
    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.fixed = nn.Parameter(torch.ones(1), requires_grad=False)

        def forward(self, pred):
            return self.scale, self.fixed
    """
    scale, fixed = returned(text, "Loss.forward")[0].elements or ()
    assert isinstance(scale, Value) and isinstance(fixed, Value)
    assert scale.interval.low < -1e9 and scale.gradient is Gradient.CARRIES
    assert fixed.interval.low == 1.0 and fixed.gradient is Gradient.NEUTRAL


def test_a_decomposition_gives_its_outputs() -> None:
    text = "def loss(x: Tensor):\n    u, s, vh = torch.linalg.svd(x)\n    return s, torch.linalg.eigh(x).eigenvectors\n"
    singular, vectors = returned(text)[0].elements or ()
    assert isinstance(singular, Value) and isinstance(vectors, Value)
    assert (singular.origin.name, singular.origin.label) == ("linalg_svd", "S")
    assert (vectors.origin.name, vectors.origin.label) == ("linalg_eigh", "eigenvectors")


@pytest.mark.parametrize("expression", ["x.real", "torch.real(x)"])
def test_the_parts_of_a_complex_tensor_are_tensors(expression: str) -> None:
    (value,) = returned(f"def loss(x):\n    return {expression}\n")
    assert value.is_tensor and value.origin.name == "real" and value.gradient is Gradient.CARRIES


def test_what_is_asserted_holds_on_the_path() -> None:
    graph = graph_of("def loss(x: Tensor):\n    assert x.size(0) > 1\n    return x.mean()\n")
    (mean,) = graph.named("mean")
    (condition,) = mean.conditions
    assert condition.holds and not condition.is_configuration and condition.test.origin.name == "compared"


def test_uses_are_found_through_joins_and_sequences() -> None:
    text = """
    def loss(x: Tensor, flag):
        y = x.log()
        z = y if flag else y * 2
        pair = [z, x]
        return torch.stack(pair).sum()
    """
    graph = graph_of(text)
    (log,) = graph.named("log")
    assert {op.name for op in graph.uses(log.value)} == {"mul", "stack"}
    assert [op.name for op in graph.uses(graph.returns[0].operands[0])] == ["prim::Return"]


@pytest.mark.parametrize(
    "cosine",
    [
        "F.normalize(x, dim=1) @ F.normalize(y, dim=1).t()",
        "(F.normalize(x, dim=1) * F.normalize(y, dim=1)).sum(1)",
        "F.linear(F.normalize(x), F.normalize(y))",
        "torch.einsum('bd,bd->b', F.normalize(x, dim=1), F.normalize(y, dim=1))",
        "torch.mm(x / x.norm(dim=1, keepdim=True), (y / (y.norm(dim=1, keepdim=True) + 1e-8)).t())",
    ],
)
def test_products_of_normalised_vectors_are_cosines(cosine: str) -> None:
    (value,) = returned(f"def loss(x: Tensor, y: Tensor):\n    return {cosine}\n")
    assert (value.interval.low, value.interval.high) == (-1.0, 1.0)


@pytest.mark.parametrize(
    "product",
    [
        "F.normalize(x, dim=1) @ y.t()",
        "(F.normalize(x, dim=1) * y).sum(1)",
        "torch.einsum('bd,bd->', F.normalize(x, dim=1), F.normalize(y, dim=1))",
        "torch.mm(x / y.norm(dim=1, keepdim=True), y.t())",
    ],
)
def test_other_products_are_not_bounded(product: str) -> None:
    (value,) = returned(f"def loss(x: Tensor, y: Tensor):\n    return {product}\n")
    assert value.interval.high == math.inf


def test_absolute_values_keep_the_bound() -> None:
    (value,) = returned("def loss(x: Tensor):\n    return x.clamp(-3, 2).abs()\n")
    assert (value.interval.low, value.interval.high) == (0.0, 3.0)


def test_a_comprehension_that_keeps_all_has_the_elements_it_goes_over() -> None:
    text = """
    def loss(pred, target):
        losses = {"a": F.l1_loss(pred, target), "b": F.mse_loss(pred, target)}
        return sum(each for each in losses.values()), [each for each in losses.values() if each > 0]
    """
    (value,) = returned(text)
    total, some = value.elements
    assert [each.origin.name for each in total.origin.operands] == ["l1_loss", "mse_loss"]
    assert some.elements is None


def test_a_ratio_of_two_sums_is_neither_a_sum_nor_a_mean() -> None:
    text = """
    def loss(pred: Tensor, target: Tensor):
        return (pred * target).sum() / pred.sum(), pred / pred.sum(), pred.sum() / 2
    """
    (value,) = returned(text)
    assert [each.reduction.kind for each in value.elements] == [Reduced.UNKNOWN, Reduced.NONE, Reduced.SUM]


def test_a_reduction_may_hide_in_keyword_arguments() -> None:
    (value,) = returned("def loss(pred, target, **options):\n    return F.mse_loss(pred, target, **options)\n")
    assert value.rank is None and value.reduction.kind is Reduced.UNKNOWN


@pytest.mark.parametrize("expression", ["torch.max(x, y)", "torch.maximum(x, y)", "torch.max(x, y * 2).exp()"])
def test_max_of_two_tensors_is_no_maximum_along_a_dimension(expression: str) -> None:
    graph = graph_of(f"def loss(x: Tensor, y: Tensor):\n    return {expression}\n")
    assert "maximum" in [op.name for op in graph.ops] and "max" not in [op.name for op in graph.ops]
    assert graph.returns[0].operands[0].kind is Kind.TENSOR


@pytest.mark.parametrize("test", ["self.training is False", "not self.training is not False", "not self.training"])
def test_identity_with_a_bool_is_a_test_of_truth(test: str) -> None:
    text = f"""
    class Loss(nn.Module):
        def forward(self, x: Tensor):
            a = 1
            if self.training:
                a = x.sum(1)
            if {test}:
                return a + 0
            return a - 0
    """
    graph = graph_of(text, "Loss.forward")
    assert {op.operands[0].kind for op in graph.returns} == {Kind.NUMBER, Kind.TENSOR}
    assert not any(op.name == "add" for op in graph.ops)


@pytest.mark.parametrize(
    ("expression", "name"),
    [("torch.max(q * e, (q - 1) * e)", "maximum"), ("torch.max(e, q)[0]", "max"), ("torch.min(e, -e)", "minimum")],
)
def test_a_maximum_of_two_that_are_made_of_one_is_elementwise(expression: str, name: str) -> None:
    graph = graph_of(f"def loss(pred, target, q):\n    e = pred - target\n    return {expression}\n")
    assert name in [op.name for op in graph.ops]


@pytest.mark.parametrize(
    "write",
    [
        "x.diagonal().fill_(-1.0)",
        "x.view(-1).zero_()",
        "x.t().diagonal().copy_(y)",
        "x[:, 2:].fill_diagonal_(1.0)",
        "x[..., -1].zero_()",
    ],
)
def test_a_write_into_a_view_changes_what_it_is_a_view_of(write: str) -> None:
    (value,) = returned(f"def loss(x: Tensor, y: Tensor):\n    x = x.exp()\n    {write}\n    return x\n")
    assert value.origin.name == "index_put"
    assert value.origin.operands[0].origin.name == "exp"


@pytest.mark.parametrize("write", ["x[x > 1].fill_(0.0)", "x[places].zero_()"])
def test_a_write_into_a_copy_changes_nothing(write: str) -> None:
    (value,) = returned(f"def loss(x: Tensor, places: Tensor):\n    x = x.exp()\n    {write}\n    return x\n")
    assert value.origin.name == "exp"


def test_a_mean_over_all_but_the_batch_says_how_many_dimensions_there_are() -> None:
    (value,) = returned("def loss(x: Tensor):\n    size = x.pow(2).mean(dim=(1, 2, 3))\n    return x.sum(dim=-1)\n")
    assert value.shape is not None and len(value.shape) == 3


def test_no_path_meets_what_the_constructor_refuses() -> None:
    graph = graph_of(
        """
        class Clipped(nn.Module):
            def __init__(self, mode="mask", level="token"):
                super().__init__()
                if mode == "clip" and (level == "row" or level == "all"):
                    raise ValueError("token by token")
                self.mode, self.level = mode, level

            def forward(self, x: Tensor):
                by_row = self.level == "row"
                if by_row:
                    x = x.exp()
                if self.mode == "clip":
                    return x.clamp(0, 1)
                return x.sin()
        """,
        "Clipped.forward",
    )
    assert {op.name: op.operands[0].origin.name for op in graph.named("clamp")} == {"clamp": "parameter"}
    assert {op.operands[0].origin.name for op in graph.named("sin")} == {"parameter", "exp"}


@pytest.mark.parametrize(
    ("statement", "gradient"),
    [
        ("pass", Gradient.CARRIES),
        ("self.scale.requires_grad = False", Gradient.NEUTRAL),
        ("self.scale.requires_grad_(False)", Gradient.NEUTRAL),
        ("self.scale.requires_grad_()", Gradient.CARRIES),
        ("self.requires_grad = False", Gradient.CARRIES),
    ],
)
def test_a_frozen_parameter_carries_no_gradient(statement: str, gradient: Gradient) -> None:
    (value,) = returned(
        f"""
        class Scaled(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.ones(3))
                {statement}

            def forward(self, target):
                return self.scale.sum()
        """,
        "Scaled.forward",
    )
    assert value.gradient is gradient
