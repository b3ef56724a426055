"""Differences that are never negative on paper and cancel in floats: distances and variances from products, 1 - cos ** 2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.semantics.values import Kind, Value
from losslint_rules.numerics.squares import squared

HELPFUL_EPS = 1e-7
_VIEWS = frozenset(
    "view reshape flatten squeeze unsqueeze expand repeat transpose t permute contiguous float clone to getitem".split()
)
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "einsum", "linear", "mv", "dot"})
_AVERAGES = frozenset({"mean", "conv1d", "conv2d", "avg_pool2d"})


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What cancels: in words, the part that is subtracted, and whether equal parts meet themselves in it."""

    words: str
    subtracted: Value
    with_itself: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Term:
    factor: float
    value: Value


def cancelling(value: Value) -> Difference | None:
    """The difference a value is; None where it is another one, or an eps keeps it above rounding."""
    terms = list(_terms(value, 1.0))
    constants = [term for term in terms if _number(term.value) is not None]
    others = [term for term in terms if _number(term.value) is None]
    constant = sum(term.factor * (_number(term.value) or 0.0) for term in constants)
    if any(term.value.kind is Kind.NUMBER for term in others):
        return None
    if abs(constant) < HELPFUL_EPS:
        return _distance(others) or _variance(others)
    return _complement(constant, others) if len(others) == 1 else None


def _terms(value: Value, factor: float, depth: int = 0) -> Iterator[_Term]:
    """The summands with their constant factors."""
    name, operands = value.origin.name, value.origin.operands
    if depth > 12:
        yield _Term(factor, value)
    elif name in ("add", "sub", "rsub") and len(operands) == 2:
        left, right = operands if name != "rsub" else operands[::-1]
        yield from _terms(left, factor, depth + 1)
        yield from _terms(right, factor if name == "add" else -factor, depth + 1)
    elif name == "addmm" and (product := _added_product(value)) is not None:
        yield from _terms(operands[0], factor, depth + 1)
        yield _Term(factor * product, value)
    elif name == "neg":
        yield from _terms(operands[0], -factor, depth + 1)
    elif name == "mul" and len(operands) == 2 and any(_number(each) is not None for each in operands):
        scale, rest = operands if _number(operands[0]) is not None else operands[::-1]
        yield from _terms(rest, factor * (_number(scale) or 0.0), depth + 1)
    elif name in _VIEWS and value.origin.operands:
        yield from _terms(operands[0], factor, depth + 1)
    elif name in _PRODUCTS and (inside := _scaled(value)) is not None:
        yield _Term(factor * inside, value)
    else:
        yield _Term(factor, value)


def _number(value: Value) -> float | None:
    return float(value.constant) if value.has_constant and isinstance(value.constant, (int, float)) else None


def _scaled(product: Value) -> float | None:
    """The 2 in `(2 * x) @ y.t()`; None where no number stands inside."""
    for operand in product.origin.operands:
        inner = _bare(operand)
        if inner.origin.name == "mul" and len(inner.origin.operands) == 2:
            numbers = [_number(each) for each in inner.origin.operands]
            found = [each for each in numbers if each is not None]
            if found:
                return found[0]
    return None


def _added_product(value: Value) -> float | None:
    """alpha of `d.addmm_(x, y.t(), beta=1, alpha=-2)`, and of the old `d.addmm_(1, -2, x, y.t())`."""
    alpha = value.origin.keywords.get("alpha")
    if alpha is not None:
        return _number(alpha)
    numbers = [_number(each) for each in value.origin.operands[1:3]]
    return numbers[1] if len(numbers) == 2 else None


def _bare(value: Value) -> Value:
    return value.beneath(_VIEWS)


def _distance(terms: list[_Term]) -> Difference | None:
    """|x| ** 2 + |y| ** 2 - 2 x y."""
    below = [term for term in terms if term.factor < 0]
    above = [term for term in terms if term.factor > 0]
    if len(below) != 1 or len(above) != 2 or not all(_is_square_sum(term.value) for term in above):
        return None
    product = below[0].value
    if product.origin.name not in (*_PRODUCTS, "addmm", "sum") or squared(product) is not None:
        return None
    if above[0].factor != above[1].factor or below[0].factor != -2 * above[0].factor:
        return None
    roots = [_root(term.value) for term in above]
    return Difference("the squared distance from products", product, roots[0].key == roots[1].key)


def _is_square_sum(value: Value) -> bool:
    """The squared length of rows: a sum of squares, the square of a norm, or the diagonal of a product with itself."""
    name, operands = value.origin.name, value.origin.operands
    if name in ("sum", "python_sum"):
        return squared(_bare(operands[0])) is not None
    base = squared(value)
    if base is not None:
        return base.origin.name in ("norm", "linalg_vector_norm", "linalg_norm")
    return name in ("diagonal", "diag", "einsum") and _is_diagonal(value)


def _is_diagonal(value: Value) -> bool:
    name, operands = value.origin.name, value.origin.operands
    if name == "einsum":
        return len({each.key for each in operands[1:]}) == 1 and len(operands) > 2
    labelled = name in ("diagonal", "diag")
    return labelled and bool(operands) and operands[0].origin.name in _PRODUCTS


def _root(value: Value) -> Value:
    """Whose length it is."""
    for _ in range(8):
        if value.origin.name in ("matmul", "mm", "bmm") or not value.origin.operands:
            return value
        base = squared(value)
        value = base if base is not None else value.origin.operands[0]
        if base is not None and base.origin.name not in ("norm", "linalg_vector_norm", "linalg_norm"):
            return base
    return value


def _variance(terms: list[_Term]) -> Difference | None:
    """E[x ** 2] - E[x] ** 2, by means, windows or pooling."""
    if len(terms) != 2 or terms[0].factor != -terms[1].factor:
        return None
    above, below = sorted(terms, key=lambda term: -term.factor)
    mean = squared(below.value)
    average = above.value
    if mean is None or average.origin.name not in _AVERAGES or _bare(mean).origin.name != average.origin.name:
        return None
    base = squared(_bare(average.origin.operands[0]))
    if base is None or base.key != _bare(mean).origin.operands[0].key:
        return None
    return Difference("the variance as E[x ** 2] - E[x] ** 2", below.value)


def _complement(constant: float, terms: list[_Term]) -> Difference | None:
    """1 - cos ** 2 and 2 - 2 cos, where rounding takes the cosine of equal vectors above 1."""
    (term,) = terms
    base = squared(term.value)
    cosine = _bare(base if base is not None else term.value)
    if constant <= 0 or term.factor != -constant or not _is_cosine(cosine):
        return None
    return Difference("this difference of cosines", term.value)


def _is_cosine(value: Value) -> bool:
    name, operands = value.origin.name, value.origin.operands
    if name == "cosine_similarity":
        return True
    if name == "sum" and operands and operands[0].origin.name == "mul":
        operands = operands[0].origin.operands
    elif name not in ("matmul", "mm", "bmm", "linear", "einsum"):
        return False
    tensors = [each for each in operands if each.kind is not Kind.STR][:2]
    return len(tensors) == 2 and all(_bare(each).origin.name == "normalize" for each in tensors)
