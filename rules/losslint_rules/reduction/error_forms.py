"""What errors are made of: the sizes of differences, and logarithms."""

from __future__ import annotations

from losslint.semantics.graph import ancestors
from losslint.semantics.values import Value
from losslint_rules.reduction.loss_operators import is_loss_operator

_LOGARITHMS = frozenset({"log", "log_softmax", "log_sigmoid"})
_SIZES = frozenset({"abs", "pow", "square", "norm", "linalg_vector_norm", "linalg_norm", "relu"})
_VIEWS = frozenset("view reshape flatten squeeze unsqueeze float to contiguous permute transpose".split())
_FOLLOWED = _VIEWS | frozenset("mean sum div neg sqrt gather getitem clamp clamp_min abs pow masked_fill where".split())


def has_residual(value: Value) -> bool:
    """Whether a value is one of torch's losses, or a sum of the sizes of differences, or of logarithms: no overlap or score."""
    pending, seen = [value], set[int]()
    while pending and len(seen) < 40:
        current = pending.pop()
        seen.add(current.key)
        name, operands = current.origin.name, current.origin.operands
        if is_loss_operator(current) or name in _LOGARITHMS:
            return True
        if name in _SIZES and operands and _bare(operands[0]).origin.name == "sub":
            return True
        if name in ("mul", "add"):
            pending.extend(each for each in operands if each.key not in seen)
        elif name in _FOLLOWED and operands:
            pending.append(operands[0])
    return False


def _bare(value: Value) -> Value:
    return value.beneath(_VIEWS)


def is_squared_mean(value: Value) -> bool:
    """`error.mean() ** 2`, which a mean of the squares is never below: the difference of the two is a variance."""
    current = value
    while current.origin.operands and current.origin.name not in ("sum", "mean"):
        if current.origin.name in ("pow", "square", "abs"):
            return any(each.origin.name in ("sum", "mean") for each in ancestors([current.origin.operands[0]]))
        current = current.origin.operands[0]
    inner = current.origin.operands[0] if current.origin.operands else current
    return inner.origin.name in ("pow", "square") and is_squared_mean(inner)
