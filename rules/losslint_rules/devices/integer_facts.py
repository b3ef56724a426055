"""Why a tensor must hold integers, and why a number cannot be one: dtypes learned from use and from what made them."""

from __future__ import annotations

from collections.abc import Iterator

from losslint.rule import Step
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import DType, Kind, Value

_WHOLE = (DType.INT, DType.BOOL)
FLOATS = (DType.HALF, DType.FLOAT, DType.DOUBLE)
_VIEWS = frozenset(
    (
        "view reshape squeeze unsqueeze expand expand_as contiguous clone flatten permute transpose t detach broadcast_to "
        "repeat movedim repeat_interleave view_as reshape_as getitem"
    ).split()
)
# What leaves the dtype of its first operand as it is, whatever else it is given.
_KEEPS = _VIEWS | frozenset("index_put masked_fill fill scatter index_fill flip roll sort index_select gather".split())
_LIKE = frozenset(
    "zeros_like ones_like empty_like full_like new_zeros new_ones new_empty new_full new_tensor rand_like".split()
)
_INDEXES = {
    "gather": "index",
    "scatter": "index",
    "scatter_add": "index",
    "index_select": "index",
    "index_add": "index",
    "take_along_dim": "indices",
    "nll_loss": "target",
    "one_hot": "input",
    "cross_entropy_loss": "target",
}
# What gives numbers between the whole ones, or is taken of floating point numbers alone.
_FRACTIONS = frozenset(
    (
        "sigmoid softmax log_softmax log_sigmoid exp log log2 log10 log1p sqrt rsqrt mean nanmean std var tanh softplus norm "
        "linalg_vector_norm cosine_similarity logsumexp rand randn rand_like randn_like reciprocal cross_entropy_loss mse_loss "
        "binary_cross_entropy binary_cross_entropy_with_logits nll_loss l1_loss smooth_l1_loss kl_div normalize expm1"
    ).split()
)
_PASSES = _VIEWS | frozenset(
    "mul add sub rsub neg where clamp clamp_min clamp_max relu abs pow square sum amax".split()
)


def integer_witness(value: Value, op: Op, graph: Graph) -> Step | None:
    """Where it is to be seen that a value holds integers at an operator; None where that is not proven."""
    for _ in range(20):
        site = value.origin.site
        if value.dtype in FLOATS or value.kind not in (Kind.TENSOR, Kind.UNKNOWN):
            return None
        if value.origin.name == "phi":
            value = value.origin.operands[0]  # what a loop begins with
            continue
        if value.dtype in _WHOLE or _is_whole_literal(value):
            return Step(site, "this makes a tensor of integers") if site is not None else None
        name, operands = value.origin.name, value.origin.operands
        if name == "parameter" or not operands:
            return next(_index_uses(value, op, graph), None)
        if name not in _KEEPS and not (name in _LIKE and _has_no_dtype(value)):
            return next(_index_uses(value, op, graph), None)
        found = next(_index_uses(value, op, graph), None)
        if found is not None:
            return found
        value = operands[0]
    return None


def _is_whole_literal(value: Value) -> bool:
    """`torch.tensor(0)`, `torch.tensor([1, 2])`, `torch.arange(n)`."""
    if not value.origin.operands or not _has_no_dtype(value):
        return False
    if value.origin.name == "arange":
        return all(
            each.origin.name in ("size", "len", "numel") or (each.has_constant and isinstance(each.constant, int))
            for each in value.origin.operands
            if each.origin.name != "device"
        )
    if value.origin.name != "tensor" or len(value.origin.operands) > 1:
        return False
    data = value.origin.operands[0]
    items = data.elements if isinstance(data.elements, tuple) else (data,)
    return bool(items) and all(
        each.has_constant and not each.is_default and isinstance(each.constant, int) for each in items
    )


def _has_no_dtype(value: Value) -> bool:
    asked = value.origin.keywords.get("dtype")
    return asked is None or asked.kind is Kind.NONE


def _index_uses(value: Value, op: Op, graph: Graph) -> Iterator[Step]:
    """Where a value is taken as an index on every path to an operator: torch takes none but integers."""
    asked = {(condition.test.key, condition.holds) for condition in op.conditions}
    for use in graph.named(*_INDEXES):
        index = use.keywords.get(_INDEXES[use.name])
        if index is None or not _is_view_of(index, value):
            continue
        if use.name == "cross_entropy_loss" and not _is_compared(value, graph):
            continue  # it takes probabilities too
        if {(condition.test.key, condition.holds) for condition in use.conditions} <= asked:
            yield Step(use.site, f"`{excerpt(value)}` is an index here, so that it holds integers")


def _is_compared(value: Value, graph: Graph) -> bool:
    """Whether a tensor is held against whole numbers, as class labels are and probabilities are not."""
    return any(
        _is_view_of(each.operands[0], value)
        and each.operands[1].has_constant
        and isinstance(each.operands[1].constant, int)
        for each in graph.named("eq", "ne")
        if len(each.operands) == 2
    )


def _is_view_of(value: Value, base: Value) -> bool:
    while value.key != base.key:
        if value.origin.name not in _VIEWS or not value.origin.operands:
            return False
        value = value.origin.operands[0]
    return True


def has_fraction(value: Value) -> bool:
    """Whether a value is proven to have digits after the point: a setting's default counts."""
    if value.has_constant:
        number = value.constant
        return isinstance(number, float) and not number.is_integer()
    if isinstance(value.elements, tuple):
        return any(has_fraction(each) for each in value.elements)
    return value.is_tensor and _holds_fractions(value)


def is_floating(value: Value) -> bool:
    """Whether a value is proven to be a float, or a tensor of floats."""
    if value.has_constant:
        return isinstance(value.constant, float)
    return value.is_tensor and (value.dtype in FLOATS or _holds_fractions(value))


def _holds_fractions(value: Value) -> bool:
    pending, seen = [value], {value.key}
    while pending and len(seen) < 60:
        current = pending.pop()
        if current.dtype in _WHOLE:
            continue
        if current.origin.name in _FRACTIONS:
            return True
        if current.origin.name in _PASSES:
            for each in current.origin.operands[: 1 if current.origin.name in _VIEWS else None]:
                if each.key not in seen and each.is_tensor:
                    seen.add(each.key)
                    pending.append(each)
    return False
