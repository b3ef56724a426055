"""Epsilons: small numbers that are added to keep a value away from 0, and where they were put."""

from __future__ import annotations

from losslint.semantics.graph import Graph, Op
from losslint.semantics.role_names import says_epsilon
from losslint.semantics.values import Kind, Role, Value

LARGEST_EPS = 1e-3
_VIEWS = frozenset("view reshape squeeze unsqueeze expand flatten permute transpose contiguous neg float".split())


def is_epsilon(value: Value) -> bool:
    """Whether a value is a small positive number: by its constant, or a setting that is named as one."""
    if value.has_constant:
        number = value.constant
        return isinstance(number, float) and 0 < number <= LARGEST_EPS
    name = value.origin.label.rpartition(".")[2]
    return (value.role is Role.CONFIG or value.kind is Kind.NUMBER) and says_epsilon(name)


def is_data(value: Value) -> bool:
    """Whether a value is, or may be, a tensor that is computed, and no setting."""
    return value.kind in (Kind.TENSOR, Kind.UNKNOWN) and value.role is not Role.CONFIG and not value.has_constant


def split_epsilon(value: Value) -> tuple[Value, Value] | None:
    """x and eps for `x + eps` and `eps + x`."""
    if value.origin.name != "add" or len(value.origin.operands) != 2:
        return None
    left, right = value.origin.operands
    for small, other in ((right, left), (left, right)):
        if is_epsilon(small) and not is_epsilon(other):
            return other, small
    return None


_NEEDS_MARGIN = frozenset(
    "log log2 log10 log1p sqrt rsqrt reciprocal logit pow float_power acos asin atanh xlogy special_entr".split()
)


_SCALED = frozenset({"mul", "abs", "detach", "clamp"})
_SUMMED = _SCALED | {"sum", "mean"}


def eps_after(op: Op, graph: Graph, even_as_guard: bool = False) -> Op | None:
    """The operator that gives the *result* of another an epsilon, `torch.log(x) + eps`; None where there is none.

    An epsilon that is there for the next operator, as in `a / (torch.log(x) + eps)`, counts only `even_as_guard`; then a
    clamp of the result counts too.
    """
    pending, seen = [op.value], 0
    while pending and seen < 6:
        value = pending.pop()
        seen += 1
        for use in graph.uses(value):
            split = split_epsilon(use.value)
            if not graph.matters(use.value):
                continue
            if split is not None and split[0].key == value.key:
                if even_as_guard or not is_guard(use, graph, summed=True):
                    return use
            elif even_as_guard and use.name in ("clamp", "clamp_min") and any(map(is_epsilon, use.operands[1:])):
                return use
            elif use.name in _VIEWS or (use.name == "mul" and value.key == op.value.key):
                pending.append(use.value)
    return None


def is_guard(addition: Op, graph: Graph, summed: bool = False) -> bool:
    """Whether what an epsilon is added to is used as a divisor, under a root or a log: it is there for that.

    So it may be where it is `summed` before, as rows are that are normalised in turn.
    """
    passed_on = _SUMMED if summed else _SCALED
    pending, seen = [addition.value], 0
    while pending and seen < 8:
        value = pending.pop()
        seen += 1
        for use in graph.uses(value):
            divides = use.name == "div" and len(use.operands) > 1 and use.operands[1].key == value.key
            if divides or use.name in _NEEDS_MARGIN:
                return True
            if use.name in _VIEWS or use.name in passed_on:
                pending.append(use.value)
    return False
