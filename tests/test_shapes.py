"""Shapes: what the interpreter says of a result's sizes is what torch gives, with ranks known and unknown."""

from __future__ import annotations

import math
import textwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from losslint.semantics.measures import sizes_of
from losslint.semantics.sizes import Size, Sizes, broadcast, canonical, is_pack, pack, product, quotient, rank_of
from losslint.semantics.values import Value
from test_interpreter import graph_of

TENSORS = {
    "v": torch.rand(5),
    "m": torch.rand(5, 3),
    "w": torch.rand(5, 1),
    "b": torch.rand(5, 3, 7),
    "x": torch.rand(5, 3, 7, 2),
    "y": torch.randint(0, 3, (5,)),
    "z": torch.randint(0, 3, (5, 7, 2)),
}
PARAMETERS = ", ".join(f"{name}: Tensor" for name in TENSORS)
UNPACKED = """
    (N,) = v.shape
    N, C = m.size()
    N, one = w.shape
    N, C, L = b.shape
    N, C, H, W = x.shape
    (N,) = y.shape
    assert z.dim() == 3
    y, z = y.long(), z.long()
"""

EXPRESSIONS = """
v + 1 | m * 2 - m | m.exp().log() | m / m.sum(1, keepdim=True) | m - m.mean(dim=0) | x - x.mean((2, 3), keepdim=True)
m.sum() | m.sum(1) | m.sum(-1) | m.sum(dim=(0, 1)) | x.mean([2, 3]) | x.sum((-1, -2)) | x.amax(1, keepdim=True)
v.sum(0) | v.sum(-1) | m.max(1)[0] | m.max(dim=1, keepdim=True).values | m.argmax(1) | x.logsumexp(1) | x.norm(dim=1)
x.norm(2, 1, True) | m.std(0) | b.var(dim=1, keepdim=True) | b.any(2) | m.unsqueeze(1) | m.unsqueeze(-1)
m.unsqueeze(0) | b.unsqueeze(2) | b.unsqueeze(-2) | m[None] | m[:, None] | m[..., None] | m[:, None, :] | m[:, 0]
m[0] | x[:, 0] | x[:, 1:2] | x[..., -1] | x[..., 0:1] | x[:, :, 0, 0] | x[1:] | m[0, 1] | x[:, -1:] | b[0, :, None]
b[..., 0, :] | x[:, 0, ..., 0] | v[y] | m[y] | m[torch.arange(5), y] | x[:, y] | b[:, [0, 2]] | x[:, :, y[0:2], 0]
v[v > 0.5].view(-1)[:0] | m[m > 2] | x[[0, 1]] | w.squeeze(1) | w.squeeze(-1) | m.squeeze(1) | x.flatten()
x.flatten(1) | x.flatten(start_dim=2) | x.flatten(1, 2) | torch.flatten(x, 2) | x.view(-1) | m.view(-1, 1)
x.view(5, -1) | x.view(x.size(0), -1) | x.view(x.size(0), x.size(1), -1) | x.reshape(x.shape[0], x.shape[1], -1)
x.reshape(*x.shape[:2], -1) | x.view(x.shape) | x.view(-1, x.shape[-1]) | m.reshape((-1,)) | x.permute(0, 2, 3, 1)
x.permute(0, 2, 3, 1).reshape(-1, x.size(1)) | x.permute((0, 3, 1, 2)) | x.transpose(1, 2) | x.transpose(-1, -2)
m.t() | m.T | x.mT | m.transpose(0, 1) | x.movedim(1, -1) | m.expand(4, -1, -1) | w.expand(-1, 3) | w.expand_as(m)
w.expand(5, 3) | v.repeat(2) | v.repeat(4, 1) | m.repeat(1, 2) | v.repeat_interleave(2)
m.repeat_interleave(2, dim=1) | m.narrow(1, 0, 2) | b.select(1, 0) | m.diagonal() | b.unbind(1)[0]
b.chunk(3, dim=1)[0] | b.split(1, dim=2)[0] | torch.stack([v, v]) | torch.stack([m, m], dim=-1)
torch.stack([m, m], 1) | torch.cat([m, m]) | torch.cat([m, m], dim=1) | torch.cat((m, w), 1)
torch.cat([m.unsqueeze(0), m.unsqueeze(0)], dim=0) | torch.stack([each.mean() for each in m]) | torch.hstack([v, v])
torch.vstack([v, v]) | torch.cat([v[:2] for _ in range(3)]) | m @ m.t() | m.t() @ m | m @ m.t() @ m
b @ b.transpose(1, 2) | torch.mm(m, m.t()) | torch.bmm(b, b.transpose(1, 2)) | m.matmul(torch.rand(3))
torch.matmul(b, torch.rand(7, 4)) | v.dot(v) | torch.outer(v, v) | F.linear(m, torch.rand(4, 3))
torch.mv(m, torch.rand(3)) | torch.einsum("nc,nc->n", m, m) | torch.einsum("nc,kc->nk", m, m)
torch.einsum("ncl,ncl->", b, b) | torch.einsum("nc, ncl -> nl", m, b) | F.softmax(m, 1) | F.log_softmax(x, dim=1)
F.normalize(m, dim=1) | m.cumsum(0) | m.gather(1, y.unsqueeze(1)) | m.gather(1, y.view(-1, 1))
F.log_softmax(x, 1).gather(1, z.unsqueeze(1)) | F.log_softmax(x, 1).gather(1, z[:, None]).squeeze(1) | m.topk(2)[0]
m.topk(2, dim=0).values | m.sort(dim=1)[0] | m.argsort(dim=1) | m.index_select(0, y) | m.masked_select(m > 2)
m.nonzero()[:0] | m.kthvalue(1, dim=1)[0] | m.min(1)[1] | F.one_hot(y, 3) | F.one_hot(z, num_classes=4)
F.one_hot(z, 4).permute(0, 3, 1, 2) | torch.arange(5) | torch.arange(m.size(0)) | torch.arange(1, 9)
torch.arange(0, m.size(0)) | torch.eye(4) | torch.eye(m.size(0)) | torch.zeros(2, 3) | torch.zeros((2, 3))
torch.ones(m.shape) | torch.ones(m.size(0), 7) | torch.zeros_like(m) | torch.full((2, 2), 1.0)
m.new_zeros(m.size(0)) | m.new_full((2,), 1.0) | torch.tensor(1.0) | torch.tensor([1.0, 2.0])
torch.tensor([[1.0], [2.0]]) | torch.linspace(0, 1, 5) | torch.randint(0, 2, (3, 4)) | torch.as_tensor([1, 2])
torch.randn(m.size()) | F.cross_entropy(m, y) | F.cross_entropy(m, y, reduction="none")
F.cross_entropy(x, z, reduction="none") | F.nll_loss(x, z, reduction="none") | F.mse_loss(m, m, reduction="none")
F.mse_loss(m, w) | F.l1_loss(w, m, reduction="none") | F.binary_cross_entropy(m, m, reduction="none")
F.kl_div(m, m, reduction="batchmean") | F.cosine_similarity(m, m) | F.cosine_similarity(b, b, dim=-1)
F.pairwise_distance(m, m) | F.pairwise_distance(m, m, keepdim=True) | torch.cdist(m, m) | torch.cdist(b, b)
F.triplet_margin_loss(m, m, m, reduction="none") | F.cosine_embedding_loss(m, m, torch.ones_like(v), reduction="none")
F.smooth_l1_loss(m, m, reduction="sum") | torch.where(m > 0, m, torch.zeros_like(m)) | torch.where(m > 0, m, w)
m.masked_fill(m > 0, 0.0) | m.clamp(min=0) | torch.maximum(m, w) | torch.max(m, w) | torch.max(m) | torch.min(m, 1)[0]
torch.max(m, dim=0).indices | m.float().long() | m.to(torch.float64) | m.type_as(v) | m.contiguous().view(-1)
m.detach() | m.clone() | m.flip(0) | m.triu(1) | m.det() if False else m | torch.inverse(m.t() @ m) | F.pad(m, (1, 1))
F.interpolate(x, scale_factor=2.0) | F.avg_pool2d(x, 1) | F.conv2d(x, torch.rand(6, 3, 1, 1)) | torch.diagonal(m)
v.unfold(0, 2, 1) | m.pow(2).sum(1, keepdim=True) + m.pow(2).sum(1) | w - v | w + v[None] | v[:, None] - v[None, :]
m[:, :, None] * m[:, None, :] | nn.Linear(3, 4)(m) | nn.Linear(3, 1)(m).squeeze(-1)
nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))(m) | nn.Embedding(9, 6)(z) | nn.Conv2d(3, 8, 1)(x)
nn.Flatten()(x) | nn.LayerNorm(3)(m) | nn.Conv1d(3, 4, 1)(b) | nn.AdaptiveAvgPool2d(1)(x) | nn.Identity()(m)
(m.sum(1) - v).abs() | m.mean(0, keepdim=True).expand(m.size(0), -1)
x.view(x.size(0) * x.size(1), x.size(2) * x.size(3)) | x.numel() * v | x.reshape(len(x), -1) | m.view(m.numel())
b.permute(0, 2, 1).reshape(-1, b.shape[1]) | torch.movedim(b, 0, 2) | b.sum(1).mean(-1) | b.sum(-1).mean(1)
b.sum(1)[:, 0] | x.sum(1).view(-1) | x.mean(1).mean(1) | b.unsqueeze(1).squeeze(1) | m.quantile(0.5, dim=1)
m.mode()[0] | m.count_nonzero(dim=0)
torch.diag(v) | torch.diag(m.t() @ m) | torch.diag(v, 1) | m.sum(**{"dim": 1}) | nn.RMSNorm(3)(m) | nn.Dropout2d(0.1)(x)
""".strip()
SAMPLES = [part.strip() for part in EXPRESSIONS.replace("\n", " | ").split(" | ") if part.strip()]


def evaluate(expression: str, unpacked: bool) -> tuple[Value, dict[int, torch.Tensor]]:
    """The value of an expression in a loss with the tensors as its parameters, and the tensors by key."""
    body = (UNPACKED if unpacked else "") + f"    return {expression}\n"
    graph = graph_of(f"def loss({PARAMETERS}):\n{body}")
    by_key = {parameter.key: TENSORS[parameter.origin.label] for parameter in graph.parameters}
    return graph.returns[-1].operands[0], by_key


def concrete(sizes: Sizes, tensors: dict[int, torch.Tensor]) -> list[int | None]:
    """The numbers behind sizes, None where a symbol belongs to no parameter."""
    found: list[int | None] = []
    for size in sizes:
        if is_pack(size):
            key, first, last = map(int, str(size)[1:].split(":"))
            if key not in tensors:
                return [math.nan]  # type: ignore[list-item]
            shape = tensors[key].shape
            found += list(shape[first : len(shape) - last])
        else:
            found.append(number(size, tensors))
    return found


def number(size: Size, tensors: dict[int, torch.Tensor]) -> int | None:
    """The number behind one size."""
    if isinstance(size, int):
        return size
    total = 1
    for factor in size.split("·"):
        if factor.isdecimal():
            total *= int(factor)
        elif factor.startswith("#"):
            key, first, last = map(int, factor[1:].split(":"))
            if key not in tensors:
                return None
            total *= math.prod(tensors[key].shape[first : tensors[key].dim() - last])
        else:
            key_text, _, position = factor.rstrip("]").partition("[")
            if not key_text.isdecimal() or int(key_text) not in tensors:
                return None
            total *= tensors[int(key_text)].shape[int(position)]
    return total


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("unpacked", [True, False], ids=["ranks known", "ranks unknown"])
@pytest.mark.parametrize("expression", SAMPLES)
def test_what_is_known_of_a_shape_is_what_torch_gives(expression: str, unpacked: bool) -> None:
    value, tensors = evaluate(expression, unpacked)
    expected = list(eval(expression, {"torch": torch, "F": functional, "nn": torch.nn, **TENSORS}).shape)
    sizes = sizes_of(value)
    assert sizes is not None
    found = concrete(sizes, tensors)
    if found == [math.nan] or any(isinstance(each, float) for each in found):
        return
    assert len(found) == len(expected), (sizes, expected)
    assert all(one is None or one == other for one, other in zip(found, expected, strict=True)), (sizes, expected)


def test_most_shapes_are_known_where_ranks_are() -> None:
    unknown = [each for each in SAMPLES if rank_of(sizes_of(evaluate(each, True)[0])) is None]
    assert len(unknown) / len(SAMPLES) < 0.05, unknown


def shape_of(text: str) -> Sizes | None:
    """The shape of what a loss returns on its only path."""
    (returned,) = graph_of(text).returns
    return sizes_of(returned.operands[0])


def test_a_symbol_is_the_same_however_it_is_read() -> None:
    shapes = [
        shape_of(f"def loss(x: Tensor):\n    N, C = x.shape\n    return torch.zeros({size}, C)\n")
        for size in ("N", "x.size(0)", "x.shape[0]", "len(x)", "x.shape[-2]", "x.exp().size(0)")
    ]
    assert len(set(shapes)) == 1 and shapes[0] is not None and isinstance(shapes[0][0], str)


def test_paths_with_unequal_ranks_know_nothing() -> None:
    text = """
    def loss(x: Tensor, flag=False):
        if flag:
            y = x.sum()
        else:
            y = x.sum(1, keepdim=True)
        return y
    """
    ranks = {each.operands[0].rank for each in graph_of(text).returns}
    assert ranks == {0, None}
    joined = """
    def loss(x: Tensor):
        for i in range(3):
            y = x.sum() if i else x.view(3, 4)
        return y
    """
    assert graph_of(joined).returns[0].operands[0].rank is None


def test_a_rank_is_known_only_where_it_was_tested() -> None:
    text = """
    def loss(x: Tensor, other: Tensor):
        if x.dim() == 4:
            a = x + 0
        else:
            a = other
        b = x + 1
        return a, b
    """
    graph = graph_of(text)
    inside = [op for op in graph.ops if op.name == "add" and op.operands[1].constant == 0]
    after = [op for op in graph.ops if op.name == "add" and op.operands[1].constant == 1]
    assert {op.value.rank for op in inside} == {4}
    assert {op.value.rank for op in after} == {4, None}
    looped = """
    def loss(x: Tensor, n):
        for i in range(n):
            N, C = x.shape
        return x + 1
    """
    assert graph_of(looped).returns[0].operands[0].rank is None
    assert graph_of(looped.replace("range(n)", "range(3)")).returns[0].operands[0].rank == 2


@pytest.mark.parametrize(
    "test", ["x.dim() != 3", "x.ndim != 3", "len(x.shape) != 3", "not x.dim() == 3", "len(x.size()) != 3"]
)
def test_a_test_that_raises_fixes_the_rank(test: str) -> None:
    text = f"""
    def loss(x: Tensor):
        if {test}:
            raise ValueError
        return x.exp()
    """
    assert graph_of(text).returns[0].operands[0].rank == 3


@pytest.mark.parametrize(
    "test", ["x.dim() == 2", "x.ndim < 4", "len(x.shape) > 4", "x.dim() in (2, 3)", "not x.dim() == 4", "x.dim() != 4"]
)
def test_a_known_rank_decides_later_tests(test: str) -> None:
    text = f"""
    def loss(x: Tensor):
        N, C, H, W = x.shape
        if {test}:
            return x.sum()
        return x.mean()
    """
    (returned,) = graph_of(text).returns
    assert returned.operands[0].origin.name == "mean"


def test_what_is_learned_of_a_result_is_known_of_its_source() -> None:
    text = """
    def loss(x: Tensor):
        p = F.softmax(x, 1)
        N, C, H, W = p.shape
        return x.view(N, -1)
    """
    sizes = shape_of(text)
    assert sizes is not None and str(sizes[1]).count("·") == 2


@pytest.mark.parametrize(
    "use",
    [
        "a = F.log_softmax(x, 1).gather(1, y.unsqueeze(1))",
        "a = F.nll_loss(x, y)",
        "a = F.cross_entropy(x, y.long())",
        "N, C = x.shape\n    a = x.gather(1, y.view(-1, 1))\n    (N,) = y.shape\n    a = x.gather(1, y[:, None])",
    ],
)
def test_what_must_fit_has_the_same_dimensions(use: str) -> None:
    read = "torch.zeros(x.size(0)), torch.zeros(y.size(0))"
    (returned,) = graph_of(f"def loss(x: Tensor, y: Tensor):\n    {use}\n    return {read}\n").returns
    elements = returned.operands[0].elements
    assert isinstance(elements, tuple)
    assert sizes_of(elements[0]) == sizes_of(elements[1])


def test_the_bug_of_focal_losses_is_seen() -> None:
    text = """
    def loss(x: Tensor, y: Tensor, alpha: Tensor, gamma=2.0):
        ce = F.cross_entropy(x, y, reduction="none")
        pt = F.softmax(x, dim=1).gather(1, y.unsqueeze(1))
        return pt, ce
    """
    (returned,) = graph_of(text).returns
    elements = returned.operands[0].elements
    assert isinstance(elements, tuple)
    pt, ce = (sizes_of(element) for element in elements)
    assert pt is not None and ce is not None
    assert pt[:1] + pt[2:] == (pt[0], *ce[1:]) and pt[1] == 1


def test_annotated_shapes_are_believed() -> None:
    text = """
    def loss(pred: Float[Tensor, "batch 1"], target: Float[Tensor, "batch"], rest: Float[Tensor, "*any c"]):
        return pred, target, rest
    """
    (returned,) = graph_of("from jaxtyping import Float\n" + textwrap.dedent(text)).returns
    assert isinstance(returned.operands[0].elements, tuple)
    pred, target, rest = returned.operands[0].elements
    assert sizes_of(pred) == (*(sizes_of(target) or ()), 1) and rest.rank is None


def test_slices_of_a_shape_name_the_right_dimensions() -> None:
    assert shape_of("def loss(x: Tensor):\n    H, W = x.shape[2:]\n    return torch.zeros(H, W)\n") == shape_of(
        "def loss(x: Tensor):\n    return torch.zeros(x.size(2), x.size(3))\n"
    )
    behind = shape_of("def loss(x: Tensor):\n    *lead, H, W = x.shape\n    return torch.zeros(H, W)\n")
    assert behind == shape_of("def loss(x: Tensor):\n    return torch.zeros(x.size(-2), x.size(-1))\n")


def test_members_of_a_module_give_shapes() -> None:
    text = """
    class Loss(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.head = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, x: Tensor):
            N, D = x.shape
            return self.head(x)
    """
    (returned,) = graph_of(textwrap.dedent(text), "Loss.forward").returns
    assert returned.operands[0].rank == 2
    sizes = sizes_of(returned.operands[0])
    assert sizes is not None and sizes[1] == 1


SIZE = st.one_of(st.integers(1, 4), st.sampled_from(["1[0]", "1[1]", "n5", "2[0]·n5"]))


@settings(deadline=None)
@given(st.lists(SIZE, max_size=4), st.lists(SIZE, max_size=4))
def test_broadcasting_agrees_with_torch_where_sizes_are_numbers(left: list[Size], right: list[Size]) -> None:
    found = broadcast(tuple(left), tuple(right))
    assert found is not None and len(found) == max(len(left), len(right))
    numbers = [[size if isinstance(size, int) else 3 for size in sizes] for sizes in (left, right)]
    try:
        expected = torch.broadcast_shapes(*numbers)
    except RuntimeError:
        return
    for size, truth in zip(found, expected, strict=True):
        assert size == "" or (size if isinstance(size, int) else 3) == truth


@given(st.lists(SIZE, max_size=4), st.lists(SIZE, max_size=3))
def test_a_quotient_undoes_a_product(left: list[Size], right: list[Size]) -> None:
    assert quotient(product([*left, *right]), product(right)) == product(left)


@given(st.integers(0, 3), st.integers(0, 3))
def test_dimensions_go_back_into_their_pack(first: int, last: int) -> None:
    opened = (
        *(f"7[{number}]" for number in range(first)),
        pack(7, first, last),
        *(f"7[{-number}]" for number in range(last, 0, -1)),
    )
    assert canonical(opened) == (pack(7),)
