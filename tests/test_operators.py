"""The operator tables against torch: spellings, binding, ranges, unsafe points, gradients, views, and the generated facts."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from losslint.semantics.operators import GradientClass, Operator, Shape, lookup_function, lookup_method, operators

ROOT = Path(__file__).parent.parent
FACTS = json.loads((ROOT / "losslint/semantics/operators/facts.json").read_text())["operators"]
ROWS = list(operators().values())
FLOATS = [
    0.0,
    2.0,
    *(sign * each for each in (1e-7, 0.5, 1.0, 17.5, 30.0, 88.0, 89.0, 104.0, 300.0) for sign in (1, -1)),
]
UNARY = [
    row
    for row in ROWS
    if row.shape is Shape.POINTWISE
    and len([p for p in row.parameters if repr(p.default) == "REQUIRED"]) == 1
    and row.name not in ("clamp", "where")  # these need a limit, or branches
]


def resolve(spelling: str) -> Any:
    """The object behind a full name."""
    module, _, name = spelling.rpartition(".")
    return getattr(importlib.import_module(module), name)


def function_of(row: Operator) -> Any:
    """A callable of the row's function or method form."""
    if row.spellings:
        return resolve(row.spellings[0])
    return lambda x, *rest: getattr(x, row.methods[0])(*rest)


def test_there_are_enough() -> None:
    assert len(ROWS) >= 120


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_spelling_exists_and_leads_back(row: Operator) -> None:
    assert row.spellings or row.methods
    for spelling in row.spellings:
        assert callable(resolve(spelling))
        found = lookup_function(spelling)
        assert found is not None and found.name == row.name
    for method in row.methods:
        assert hasattr(torch.Tensor, method)
        found_method = lookup_method(method)
        assert found_method is not None and found_method[0].name == row.name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("row", UNARY, ids=lambda row: row.name)
def test_range_and_dtype_hold_at_the_boundaries(row: Operator, dtype: torch.dtype) -> None:
    x = torch.tensor(FLOATS, dtype=dtype)
    if row.name == "bernoulli":
        x = x.clamp(0, 1)
    if row.name == "bitwise_not":
        x = x.bool()
    result = function_of(row)(x)
    if row.dtype == "bool":
        assert result.dtype is torch.bool
    elif row.dtype == "float":
        assert result.dtype.is_floating_point
    values = result.double()[~result.double().isnan()]
    if row.result is not None:
        assert values.min() >= row.result.low
        assert values.max() <= row.result.high
    if row.monotone is not None and row.evaluate is not None and dtype is torch.float32:
        domain = [value for value in sorted(FLOATS) if value >= 0 or row.name not in ("log", "sqrt")]
        expected = function_of(row)(torch.tensor(domain, dtype=torch.float64))
        for value, truth in zip(domain, expected.tolist(), strict=True):
            assert row.evaluate(value) == pytest.approx(truth, rel=1e-7)  # a row says what float32 gives


def test_a_sigmoid_is_zero_where_float32_has_it() -> None:
    evaluate = operators()["sigmoid"].evaluate
    assert evaluate is not None
    for point in (-87.0, -88.0, -88.7, -88.8, -89.0, -104.0):
        assert (evaluate(point) == 0) is bool(torch.sigmoid(torch.tensor(point)) == 0)


@pytest.mark.parametrize("row", [row for row in ROWS if row.unsafe_value], ids=lambda row: row.name)
def test_unsafe_values_are_not_finite_and_their_neighbours_are(row: Operator) -> None:
    for where in row.unsafe_value:
        point = torch.tensor([float(where.high)])
        assert not torch.isfinite(function_of(row)(point)).any()
        inside = torch.tensor([where.high + (1e-3 if where.high <= 0 else -1e-3)])
        assert torch.isfinite(function_of(row)(inside)).all()


@pytest.mark.parametrize("row", [row for row in ROWS if row.unsafe_gradient], ids=lambda row: row.name)
def test_unsafe_gradients_are_not_finite_though_the_value_is(row: Operator) -> None:
    for where in row.unsafe_gradient:
        x = torch.tensor([float(where.low)], requires_grad=True)
        value = function_of(row)(x)
        assert torch.isfinite(value).all()
        (gradient,) = torch.autograd.grad(value.sum(), x)
        assert not torch.isfinite(gradient).any()


SAMPLES: dict[str, tuple[Any, ...]] = {
    "argmax": (),
    "argmin": (),
    "argsort": (),
    "count_nonzero": (),
    "any": (),
    "all": (),
    "nonzero": (),
    "histc": (),
    "floor_divide": (2.0,),
    "heaviside": (torch.tensor(0.5),),
    "eq": (0.3,),
    "ne": (0.3,),
    "lt": (0.3,),
    "le": (0.3,),
    "gt": (0.3,),
    "ge": (0.3,),
    "add": (1.0,),
    "sub": (1.0,),
    "mul": (2.0,),
    "div": (2.0,),
    "pow": (2.0,),
    "remainder": (2.0,),
    "fmod": (2.0,),
    "clamp": (0.1,),
    "clamp_min": (0.1,),
    "clamp_max": (0.9,),
    "sum": (),
    "mean": (),
    "prod": (),
    "std": (),
    "var": (),
    "norm": (),
    "linalg_vector_norm": (),
    "amax": (),
    "amin": (),
    "cumsum": (0,),
    "softmax": (0,),
    "log_softmax": (0,),
    "softmin": (0,),
    "logsumexp": (0,),
    "normalize": (2.0, 0),
    "cumprod": (0,),
    "logical_not": (),
    "isnan": (),
    "isinf": (),
    "isfinite": (),
    "multinomial": (2,),
    "long": (),
    "int": (),
    "short": (),
    "bool": (),
    "float": (),
    "double": (),
    "half": (),
    "detach": (),
    "clone": (),
    "flatten": (),
    "item": None,  # type: ignore[dict-item]
}


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if (row in UNARY or row.name in SAMPLES) and row.name not in ("item", "bitwise_not")],
    ids=lambda row: row.name,
)
def test_gradient_class_is_what_autograd_does(row: Operator) -> None:
    start = 1.0 if row.name == "acosh" else 0.0
    x = torch.tensor([start + 0.3, start + 0.7, start + 0.2], requires_grad=True)
    value = function_of(row)(x, *SAMPLES.get(row.name, ()))
    value = value[0] if isinstance(value, tuple) else value
    if row.name == "detach" or row.gradient is GradientClass.NONE:
        assert not value.requires_grad
        return
    assert value.requires_grad
    if row.gradient is GradientClass.ERROR:
        with pytest.raises((RuntimeError, NotImplementedError), match=r"not implemented|does not require"):
            value.sum().backward()
        return
    (gradient,) = torch.autograd.grad(value.sum(), x)
    if row.gradient is GradientClass.ZERO:
        assert (gradient == 0).all()
    elif row.name not in ("relu6", "sum", "mean", "softmax", "softmin", "dropout", "hardtanh"):
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("row", [row for row in ROWS if row.outputs], ids=lambda row: row.name)
def test_outputs_and_their_gradients(row: Operator) -> None:
    x = torch.rand(4, 4, requires_grad=True)
    decompositions = dict.fromkeys(("linalg_svd", "svd", "linalg_eigh", "slogdet"), ())
    arguments = {"topk": (2, 1), "kthvalue": (2, 1), **decompositions}.get(row.name, (1,))
    result = function_of(row)(x, *arguments)
    assert all(getattr(result, name) is result[position] for position, name in enumerate(row.outputs))
    assert len(result) == len(row.outputs)
    assert tuple(each.requires_grad for each in result) == row.differentiable_outputs


VIEWS: dict[str, tuple[Any, ...]] = {
    "view": (6,),
    "reshape": (6,),
    "flatten": (),
    "ravel": (),
    "permute": (1, 0),
    "transpose": (0, 1),
    "t": (),
    "squeeze": (),
    "movedim": (0, 1),
    "unsqueeze": (0,),
    "expand": (2, 3),
    "expand_as": (torch.ones(2, 3),),
    "view_as": (torch.ones(6),),
    "narrow": (0, 0, 1),
    "select": (0, 1),
    "diagonal": (),
    "chunk": (2,),
    "split": (1,),
    "unbind": (),
    "unfold": (0, 1, 1),
    "contiguous": (),
    "detach": (),
    "broadcast_to": ((2, 3),),
}


@pytest.mark.parametrize("row", [row for row in ROWS if row.shape is Shape.VIEW], ids=lambda row: row.name)
def test_views_share_their_storage(row: Operator) -> None:
    x = torch.rand(2, 3)
    result = getattr(x, row.methods[0])(*VIEWS[row.name])
    first = result[0] if isinstance(result, tuple) else result
    assert first.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


@pytest.mark.parametrize("row", [row for row in ROWS if row.shape is Shape.LOSS], ids=lambda row: row.name)
def test_losses_take_a_reduction_by_name(row: Operator) -> None:
    import inspect

    signature = inspect.signature(resolve(row.spellings[0]))
    assert [parameter.name for parameter in row.parameters] == list(signature.parameters)


def test_folklore_that_is_not_so() -> None:
    """The gradient of a norm, a cdist and a population std at 0 is finite; that of a hand-written root is not."""
    x = torch.zeros(3, requires_grad=True)
    for safe in (
        x.norm(),
        torch.linalg.vector_norm(x),
        x.std(unbiased=False),
        torch.cdist(x[None], x[None].detach()).sum(),
    ):
        (gradient,) = torch.autograd.grad(safe, x)
        assert torch.isfinite(gradient).all()
    (gradient,) = torch.autograd.grad(x.pow(2).sum().sqrt(), x)
    assert gradient.isnan().all()


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in FACTS], ids=lambda row: row.name)
def test_rows_agree_with_torchs_metadata(row: Operator) -> None:
    facts = FACTS[row.name]
    if facts.get("derivative") == "zero" and row.name != "detach":
        assert row.gradient in (GradientClass.ZERO, GradientClass.NONE)
    if facts.get("output_differentiability") == [False] and row.shape is not Shape.VIEW:  # view(dtype) is meant there
        assert row.gradient is GradientClass.NONE
    if facts.get("supports_autograd") is False and row.shape in (Shape.POINTWISE, Shape.REDUCTION):
        assert row.gradient in (GradientClass.NONE, GradientClass.ERROR)
    if "reduction" in facts["tags"]:
        assert row.shape in (Shape.REDUCTION, Shape.PREDICATE, Shape.SELECT, Shape.META, Shape.OTHER)


# Tensors that torch reads as numbers (`masked_fill(mask, value)` takes none with a dimension), or brings along itself.
READ_AS_NUMBERS = {
    ("masked_fill", "value"),
    ("index_fill", "value"),
    ("narrow", "start"),
    ("repeat_interleave", "repeats"),
    ("ctc_loss", "input_lengths"),
    ("ctc_loss", "target_lengths"),
}


COMPUTING = [row for row in ROWS if row.shape is not Shape.FACTORY and row.name not in ("view_as", "expand_as")]


@pytest.mark.parametrize("row", COMPUTING, ids=lambda row: row.name)
def test_operands_are_what_torch_takes_as_tensors(row: Operator) -> None:
    packet = getattr(torch.ops.aten, row.name, None)
    types: dict[str, str] = {}
    for overload in packet.overloads() if packet is not None else ():
        for argument in getattr(packet, overload)._schema.arguments:
            name = "input" if argument.name == "self" else argument.name
            types[name] = f"{types.get(name, '')} {argument.type}"
    for parameter in row.parameters:
        if parameter.name in types and (row.name, parameter.name) not in READ_AS_NUMBERS:
            assert row.is_operand(parameter.name) is ("Tensor" in types[parameter.name]), parameter.name


def test_facts_are_what_the_script_writes() -> None:
    script = ROOT / "scripts" / "generate_operator_facts.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
