"""Log-probabilities, and what a target picks of them or weighs them by."""

from __future__ import annotations

from losslint.semantics.graph import ancestors
from losslint.semantics.values import Gradient, Kind, Value

_KEEP = frozenset(
    "mean sum squeeze unsqueeze view reshape flatten float double to contiguous clone expand getitem select".split()
)


def picked_log_probability(value: Value) -> Value | None:
    """The log-probabilities that a value is a mean or a sum of, as a target picks or weighs them; None if it is not."""
    name, operands = value.origin.name, value.origin.operands
    picks = name in ("gather", "getitem", "take_along_dim", "index_select") and any(map(_is_label, operands[1:]))
    if picks and is_log_probability(operands[0]):
        return operands[0]
    if name in _KEEP and operands:
        return picked_log_probability(operands[0])
    if name == "mul" and len(operands) == 2:
        return _picked_by_product(*operands) or _picked_by_product(*operands[::-1])
    if name == "div" and len(operands) == 2 and _is_positive(operands[1]):
        return picked_log_probability(operands[0])
    if name == "add" and len(operands) == 2:
        return _binary_pair(*operands) or _both(*operands)
    return None


def is_log_probability(value: Value) -> bool:
    """Whether a value is proven to be the logarithm of a probability that carries a gradient."""
    current = value
    while current.origin.name in _KEEP - {"mean", "sum"} and current.origin.operands:
        current = current.origin.operands[0]
    if current.gradient is not Gradient.CARRIES:
        return False
    if current.origin.name in ("log_softmax", "log_sigmoid"):
        return True
    if current.origin.name != "log":
        return False
    inside = current.origin.operands[0]
    if inside.origin.name == "add" and isinstance(inside.origin.operands[1].constant, float):
        inside = inside.origin.operands[0]
    return inside.interval.low >= 0 and inside.interval.high <= 1


def _is_label(value: Value) -> bool:
    return value.kind in (Kind.TENSOR, Kind.UNKNOWN) and value.gradient is Gradient.NEUTRAL and _is_input(value)


def _is_input(value: Value) -> bool:
    return any(each.origin.name == "parameter" for each in ancestors([value]))


def _picked_by_product(weight: Value, other: Value) -> Value | None:
    """one_hot * log_p, alpha * (what is picked already)."""
    if _is_positive(weight):
        return picked_log_probability(other)
    one_hot = weight.gradient in (Gradient.NEUTRAL, Gradient.CUT) and weight.interval.low >= 0
    return other if one_hot and is_log_probability(other) and _is_input(weight) else None


def _is_positive(value: Value) -> bool:
    """A positive constant, a size, or a count of a mask."""
    if value.origin.name in ("size", "numel", "len"):
        return True
    if (
        value.origin.name in ("sum", "clamp", "clamp_min")
        and value.gradient is Gradient.NEUTRAL
        and value.interval.low >= 0
    ):
        return True
    return value.has_constant and isinstance(value.constant, (int, float)) and value.constant > 0


def _binary_pair(left: Value, right: Value) -> Value | None:
    """t * log(p) + (1 - t) * log(1 - p)."""
    for first, second in ((left, right), (right, left)):
        if first.origin.name == second.origin.name == "mul":
            for t, log_p in (first.origin.operands, first.origin.operands[::-1]):
                for rest, log_q in (second.origin.operands, second.origin.operands[::-1]):
                    if _is_complement(rest, t) and is_log_probability(log_p) and is_log_probability(log_q):
                        return log_p
    return None


def _is_complement(value: Value, of: Value) -> bool:
    operands = value.origin.operands
    return value.origin.name == "sub" and operands[0].constant == 1 and operands[1].key == of.key and _is_label(of)


def _both(left: Value, right: Value) -> Value | None:
    first = picked_log_probability(left)
    return first if first is not None and picked_log_probability(right) is not None else None
