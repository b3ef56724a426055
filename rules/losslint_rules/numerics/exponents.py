"""Sums of exponentials under a log: what is exponentiated, and whether anything keeps it from overflowing."""

from __future__ import annotations

from dataclasses import dataclass

from losslint.semantics.carriers import made_of
from losslint.semantics.graph import ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.values import Kind, Role, Value

LARGEST = 80.0


@dataclass(frozen=True, slots=True, eq=False)
class Exponents:
    """The values that are exponentiated under a log; `total` the sum; `is_plain` where that is log(sum(exp(x))) alone."""

    values: tuple[Value, ...]
    total: Value
    is_plain: bool = False
    is_ratio: bool = False


def exponents(operand: Value) -> Exponents | None:
    """The exponents of `sum(exp(x))`, `mean(exp(x))`, and of `exp(a) / sum(exp(b))`, an epsilon added or not."""
    inner = _without_eps(operand)
    plain = _summed(inner)
    if plain is not None:
        return Exponents((plain,), inner, is_plain=inner.key == operand.key and inner.origin.name == "sum")
    if inner.origin.name != "div" or len(inner.origin.operands) != 2:
        return None
    above, below = (_without_eps(each) for each in inner.origin.operands)
    numerator, denominators = _exponent(above), _added(below)
    if numerator is None or not denominators:
        return None
    return Exponents((*denominators, numerator), below, is_ratio=True)


_TOTALS = frozenset({"sum", "mean"})
_VIEWS = frozenset(
    "view reshape squeeze unsqueeze flatten permute transpose diagonal diag contiguous getitem gather".split()
)


def _without_eps(value: Value) -> Value:
    if value.origin.name == "add" and len(value.origin.operands) == 2:
        left, right = value.origin.operands
        for small, other in ((left, right), (right, left)):
            if small.kind is Kind.NUMBER and small.interval.high < 1e-2:
                return other
    return value


def _summed(value: Value) -> Value | None:
    """x for exp(x).sum(...) and exp(x).mean(...)."""
    if value.origin.name not in _TOTALS or not value.origin.operands:
        return None
    inner = value.origin.operands[0]
    return inner.origin.operands[0] if inner.origin.name == "exp" else None


def _exponent(value: Value) -> Value | None:
    """x for exp(x), selected from and summed."""
    for _ in range(8):
        if value.origin.name == "exp":
            return value.origin.operands[0]
        if value.origin.name not in _VIEWS | _TOTALS or not value.origin.operands:
            return None
        value = value.origin.operands[0]
    return None


def _added(value: Value) -> tuple[Value, ...]:
    """The exponents of a denominator: of one sum of exponentials, or of several added up; empty if there is another."""
    if value.origin.name in ("add", "sub") and len(value.origin.operands) == 2:
        parts = [_added(each) for each in value.origin.operands]
        return (*parts[0], *parts[1]) if all(parts) else ()
    value = value.beneath(_VIEWS)
    found = _summed(value) if value.origin.name in _TOTALS else _exponent(value)
    return (found,) if found is not None else ()


_PRODUCTS = frozenset("matmul mm bmm mv einsum dot cosine_similarity normalize".split())
_PASSED = _VIEWS | frozenset(
    "diag masked_fill where index_put cat stack detach clone float to triu tril select".split()
)
_UNBOUNDED = frozenset("linear conv1d conv2d".split())
_UNBOUNDED_MODULES = frozenset({"torch.nn.Linear()", "torch.nn.Bilinear()", "torch.nn.Conv1d()", "torch.nn.Conv2d()"})
_BOUNDED_NAMES = frozenset("sim sims similarity similarities cos cosine cosines cossim corr correlation".split())


_LOGITS = frozenset("logit logits score scores energy energies output outputs".split())


def is_named_logits(value: Value) -> bool:
    """Whether an exponent is, or is made of, an input that is named as logits, or comes from a layer."""
    names = [each for each in made_of([value]) if each.origin.name == "parameter"]
    layers = any(each.origin.label in _UNBOUNDED_MODULES or each.origin.name in _UNBOUNDED for each in made_of([value]))
    return layers or any(_LOGITS & set(words(each.origin.label)) for each in names)


def may_overflow(exponent: Value, depth: int = 12) -> bool:
    """Whether an exponent is proven to have no bound: an input, a network's output, and what is computed from those.

    Products of vectors are not: the vectors may be normalised by whoever passes them.
    """
    name, operands = exponent.origin.name, exponent.origin.operands
    if depth == 0 or exponent.interval.high <= LARGEST or exponent.role is Role.CONFIG or exponent.kind is Kind.NUMBER:
        return False
    if name == "parameter":
        return not _BOUNDED_NAMES & set(words(exponent.origin.label))
    if name == "unknown":
        return exponent.origin.label in _UNBOUNDED_MODULES
    if name in _PASSED and operands:
        return may_overflow(operands[1 if name == "where" and len(operands) > 1 else 0], depth - 1)
    if name in ("mul", "div") and len(operands) == 2:
        scales = [each for each in operands if each.role is Role.CONFIG or each.kind is Kind.NUMBER or each.rank == 0]
        factors = [each for each in operands if each not in scales]
        return bool(factors) and all(may_overflow(each, depth - 1) for each in factors)
    if name == "sub" and len(operands) == 2 and any(each.key == operands[0].key for each in ancestors(operands[1:])):
        return False  # x minus what is computed from x: its maximum, however that is written
    if name in ("add", "sub", "neg"):
        return any(may_overflow(each, depth - 1) for each in operands)
    return name in _UNBOUNDED
