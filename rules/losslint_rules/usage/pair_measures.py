"""Whether a value is a similarity of two tensors, or a distance between them."""

from __future__ import annotations

from losslint.semantics.values import Kind, Value

_VIEWS = frozenset(
    "squeeze unsqueeze view reshape flatten float double to contiguous diagonal diag getitem expand gather masked_fill".split()
)
_SIMILARITIES = frozenset("cosine_similarity matmul mm bmm dot einsum".split())
_DISTANCES = frozenset("pairwise_distance cdist pdist".split())
_NORMS = frozenset("norm linalg_vector_norm linalg_norm".split())
_SUMS = frozenset({"sum", "mean"})
_TOTALS = frozenset({"sum", "mean", "amax", "amin", "max", "min"})


def is_similarity(value: Value) -> bool:
    """A cosine, an inner product, or a sum of products of two different tensors, of which none holds weights."""
    current = _measured(value)
    if current.origin.name in _SIMILARITIES:
        return True
    if current.origin.name in _SUMS and current.origin.operands:
        product = current.origin.operands[0]
        factors = [each for each in product.origin.operands if each.kind is not Kind.NUMBER]
        is_product = product.origin.name == "mul" and len(factors) == 2 and factors[0].key != factors[1].key
        return is_product and not any(each.beneath(_VIEWS).origin.name == "softmax" for each in factors)
    return False


def is_distance(value: Value) -> bool:
    """A torch distance, a norm of a difference, or a sum of squares of one."""
    current = _measured(value)
    name, operands = current.origin.name, current.origin.operands
    if name in _DISTANCES:
        return True
    if name in _NORMS and operands:
        return _is_difference(operands[0])
    if name in _SUMS and operands:
        inner = operands[0]
        squared = inner.origin.name in ("pow", "square", "abs") or (
            inner.origin.name == "mul"
            and len(inner.origin.operands) == 2
            and inner.origin.operands[0].key == inner.origin.operands[1].key
        )
        return squared and _is_difference(inner.origin.operands[0])
    return name in ("sqrt", "add") and bool(operands) and is_distance(operands[0])


def _measured(value: Value) -> Value:
    """A measure without views, selections, a division by a temperature, and the reduction over the pairs."""
    current = value
    while current.origin.operands:
        name, operands = current.origin.name, current.origin.operands
        scales = name in ("div", "mul") and _is_scale(operands[1])
        reduces = name in _TOTALS and _filled(operands[0]).origin.name in _SIMILARITIES | _DISTANCES | _NORMS
        if name in _VIEWS or scales or reduces:
            current = operands[0]
        else:
            break
    return current


def _filled(value: Value) -> Value:
    """The measures of all pairs, of which some were filled."""
    return value.origin.operands[0] if value.origin.name == "masked_fill" else value


def _is_scale(value: Value) -> bool:
    return value.has_constant and isinstance(value.constant, (int, float)) and value.constant > 0


def _is_difference(value: Value) -> bool:
    return value.origin.name == "sub" and not any(each.has_constant for each in value.origin.operands)
