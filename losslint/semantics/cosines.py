"""Cosines: products of vectors of unit length, whichever way both are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from losslint.semantics.values import Value

_SAME_LENGTH = frozenset(
    "transpose t permute detach view reshape unsqueeze squeeze contiguous clone expand float to getitem".split()
)
_NORMS = frozenset({"norm", "linalg_vector_norm", "linalg_norm"})
_STILL_A_NORM = frozenset("unsqueeze view reshape expand expand_as clamp clamp_min add detach maximum".split())


def is_cosine(name: str, arguments: Mapping[str, Value]) -> bool:
    """Whether an operator multiplies two normalised vectors: matmul, einsum, or a sum of products."""
    operands = list(arguments.values())
    if name in ("matmul", "mm", "bmm", "mv", "dot"):
        return len(operands) > 1 and all(is_normalized(value) for value in operands[:2])
    if name == "linear":
        return "bias" not in arguments and all(is_normalized(value) for value in operands[:2])
    if name == "sum":
        product = operands[0].origin
        pair = product.name == "mul" and len(product.operands) == 2
        return pair and "dim" in arguments and all(is_normalized(value) for value in product.operands)
    return name == "einsum" and _is_inner_product(operands)


def _is_inner_product(operands: Sequence[Value]) -> bool:
    equation = operands[0].constant if operands else None
    if not isinstance(equation, str) or len(operands) != 3 or "->" not in equation:
        return False
    given, _, made = equation.replace(" ", "").partition("->")
    summed = set(given) - set(made) - {",", "."}
    return len(summed) == 1 and all(is_normalized(value) for value in operands[1:])


def is_normalized(value: Value) -> bool:
    """Whether rows or columns have at most unit length: F.normalize, or division by the own norm, transposed or not."""
    value = value.beneath(_SAME_LENGTH)
    if value.origin.name == "div" and len(value.origin.operands) == 2:
        dividend, norm = value.origin.operands
        norm = norm.beneath(_STILL_A_NORM)
        return norm.origin.name in _NORMS and norm.origin.operands[0].key == dividend.key
    return value.origin.name == "normalize"
