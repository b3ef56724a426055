"""Whether rows and columns of a broadcast result are told apart later: then the matrix is meant."""

from __future__ import annotations

from losslint.semantics.graph import RETURN, Graph
from losslint.semantics.measures import sizes_of
from losslint.semantics.values import Kind, Role, Value
from losslint_rules.shapes.misalignment import consumers, introducer

ARITHMETIC = ("add", "sub", "rsub", "mul", "div", "maximum", "minimum", "xlogy", "atan2")
REDUCTIONS = frozenset(
    "sum mean amax amin max min logsumexp norm linalg_vector_norm prod std var nansum nanmean any all argmax argmin median".split()
)


def is_used_as_matrix(graph: Graph, value: Value, known: tuple[Value, ...], seen: set[int]) -> bool:
    """Whether rows and columns of the result are told apart later."""
    if value.key in seen:
        return False
    seen.add(value.key)
    for op in consumers(graph, value):
        if op.name == RETURN:
            continue
        if op.name in REDUCTIONS:
            if op.keywords.get("dim") is not None and op.keywords["dim"].kind is not Kind.NONE:
                return True
        elif op.name in ELEMENTWISE:
            others = [each for each in op.operands if each.kind in (Kind.TENSOR, Kind.UNKNOWN)]
            if any(_is_matrix(each, value, known) for each in others if each.key != value.key):
                return True
            if op.value.rank != 0 and is_used_as_matrix(graph, op.value, known, seen):
                return True
        else:
            return True
    return False


def _is_matrix(other: Value, value: Value, known: tuple[Value, ...]) -> bool:
    """Whether an operand beside the result has rows and columns by its own right, or may have."""
    if other.role is Role.CONFIG or sizes_of(other) in {(), *(sizes_of(each) for each in known)}:
        return False
    return sizes_of(other) != sizes_of(value) or introducer(other).origin.name not in ARITHMETIC


ELEMENTWISE = frozenset(
    (
        "add sub mul div neg pow exp log log1p abs square sqrt relu clamp clamp_min clamp_max sigmoid tanh softplus where "
        "log_sigmoid float double half to detach clone type_as contiguous mse_loss l1_loss smooth_l1_loss huber_loss"
    ).split()
)


_EXPLICIT = frozenset("unsqueeze view reshape expand expand_as view_as getitem zeros ones full transpose t".split())


def is_written_out(column: Value, vector: Value, in_loss: bool) -> bool:
    """Whether the code gives the column its dimension on purpose; in a loss of torch that alone is no purpose."""
    source, other = introducer(column), introducer(vector)
    if source.origin.name not in _EXPLICIT or _is_slice(source):
        return False
    return not in_loss or any(each.key == other.key for each in source.origin.operands)


def _is_slice(value: Value) -> bool:
    """`x[:, 0:1]` keeps a dimension, `x[:, None]` makes one."""
    return value.origin.name == "getitem" and all(each.kind is not Kind.NONE for each in value.origin.operands[1:])
