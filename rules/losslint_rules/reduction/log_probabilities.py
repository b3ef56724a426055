"""Log-probabilities, and what a target picks of them or weighs them by."""

from __future__ import annotations

from losslint.semantics.carriers import made_of
from losslint.semantics.values import Gradient, Kind, Value

_KEEP = frozenset(
    "mean sum squeeze unsqueeze view reshape flatten float double to contiguous clone expand getitem select".split()
)


def picked_log_probability(value: Value) -> Value | None:
    """The log-probabilities that a value is a mean or a sum of, as a target picks or weighs them; None if it is not."""
    name, operands = value.origin.name, value.origin.operands
    if _picks(value) and is_log_probability(operands[0]):
        return operands[0]
    if name == "log" and is_log_probability(value) and _picks(_unguarded(operands[0])):
        return value
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
    current = value.beneath(_KEEP - {"mean", "sum"})
    if current.gradient is not Gradient.CARRIES:
        return False
    if current.origin.name in ("log_softmax", "log_sigmoid") or _is_written_out(current):
        return True
    if current.origin.name != "log":
        return False
    inside = _unguarded(current.origin.operands[0])
    return inside.interval.low >= 0 and inside.interval.high <= 1


def _is_written_out(value: Value) -> bool:
    """`x - logsumexp(x)`, `x - log(exp(x).sum())`, with a mask in the sum or a small number beside it."""
    operands = value.origin.operands
    if value.origin.name != "sub" or len(operands) != 2:
        return False
    logits, total = operands
    if total.origin.name == "logsumexp":
        return total.origin.operands[0].key == logits.key
    if total.origin.name != "log":
        return False
    inside = total.origin.operands[0]
    if inside.origin.name in ("add", "clamp", "clamp_min") and inside.origin.operands:
        inside = inside.origin.operands[0]
    if inside.origin.name != "sum":
        return False
    terms = inside.origin.operands[0]
    factors = terms.origin.operands if terms.origin.name == "mul" else (terms,)
    return any(each.origin.name == "exp" and each.origin.operands[0].key == logits.key for each in factors)


def _unguarded(probability: Value) -> Value:
    """A probability without the small constant that is added to it."""
    operands = probability.origin.operands
    guarded = probability.origin.name == "add" and isinstance(operands[1].constant, float)
    return operands[0] if guarded else probability


def _picks(value: Value) -> bool:
    """Whether a value is what a target picks: `x.gather(1, target)`, `x[rows, target]`."""
    picking = value.origin.name in ("gather", "getitem", "take_along_dim", "index_select")
    return picking and any(map(_is_label, value.origin.operands[1:]))


def _is_label(value: Value) -> bool:
    return value.kind in (Kind.TENSOR, Kind.UNKNOWN) and value.gradient is Gradient.NEUTRAL and _is_input(value)


def _is_input(value: Value) -> bool:
    return any(each.origin.name == "parameter" for each in made_of([value]))


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
    """A sum of log-probabilities, of which the target picks at least one: label smoothing adds all classes."""
    first, second = picked_log_probability(left), picked_log_probability(right)
    if first is not None and (second is not None or _averages(right)):
        return first
    return second if second is not None and _averages(left) else None


def _averages(value: Value) -> bool:
    """Log-probabilities times a positive number, or their mean or sum."""
    current = value
    while current.origin.operands:
        operands = current.origin.operands
        if current.origin.name == "mul" and any(map(_is_positive, operands)):
            current = operands[1] if _is_positive(operands[0]) else operands[0]
        elif current.origin.name in _KEEP and not is_log_probability(current):
            current = operands[0]
        else:
            break
    return is_log_probability(current)
