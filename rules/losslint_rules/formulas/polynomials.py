"""Values as polynomials: sums of products of powers, whatever order, helpers and spellings they were written in.

What is no arithmetic is an atom. `exp` of a multiple of one atom is a power of the atom `exp(atom)`, and `log` of a product of
powers is a sum of the atoms `log(atom)`, so that `sigma ** 2`, `exp(2 * logstd)` and `logstd.exp().pow(2)` can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_with_graph
from losslint.semantics.values import Value

Atom = tuple[str, int]
Monomial = tuple[tuple[Atom, float], ...]

ALIKE = frozenset(
    (
        "view reshape squeeze unsqueeze expand expand_as contiguous clone flatten to float double half type_as permute "
        "transpose t"
    ).split()
)
_MAX_TERMS = 12
_MAX_VALUES = 200
_TINY = 1e-3
_OF_ONE = frozenset("pow square log exp sqrt".split())
_MAX_DEPTH = 30
ONE: Monomial = ()


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Coefficients by monomial; `()` is the constant."""

    terms: Mapping[Monomial, float]

    @property
    def constant(self) -> float:
        """The coefficient of 1."""
        return self.terms.get(ONE, 0.0)

    @property
    def is_number(self) -> bool:
        """Whether there is nothing but a constant."""
        return all(monomial == ONE for monomial in self.terms)

    @property
    def single(self) -> tuple[Monomial, float] | None:
        """The only term and its coefficient, or None."""
        return next(iter(self.terms.items())) if len(self.terms) == 1 else None


def polynomial(value: Value) -> Polynomial:
    """A value as a polynomial over atoms; itself as an atom where it is nothing simpler.

    A sum that a power, a log or an exponential is taken of is one atom wherever it occurs.
    """
    return _Reader(_whole(value)).read(value)


def polynomial_in(graph: Graph, value: Value) -> Polynomial:
    """A value of a loss as a polynomial; what its sums have in common is read once."""
    return _sums(graph).polynomial(value)


@kept_with_graph
def _sums(graph: Graph) -> _Sums:
    return _Sums()


def bare(value: Value) -> Value:
    """A value without views and casts around it."""
    return value.beneath(ALIKE)


class _Sums:
    """The values of one loss as polynomials, for the rules that look at many of them."""

    def __init__(self) -> None:
        self._whole: dict[int, frozenset[int]] = {}
        self._readers: dict[frozenset[int], _Reader] = {}

    def polynomial(self, value: Value) -> Polynomial:
        """A value as a polynomial."""
        whole = self._wholes_of(value)
        reader = self._readers.get(whole)
        if reader is None:
            reader = self._readers[whole] = _Reader(whole)
        return reader.read(value)

    def _wholes_of(self, value: Value) -> frozenset[int]:
        """The keys of the sums that are one atom in a value: those of its operands, and what it is itself taken of."""
        known = self._whole
        pending = [value]
        while pending:
            current = pending[-1]
            if current.key in known:
                pending.pop()
                continue
            operands = current.origin.operands
            unknown = [each for each in operands if each.key not in known]
            if unknown:
                pending += unknown
                continue
            pending.pop()
            found = {known[each.key] for each in operands if known[each.key]}
            own = _whole_operand(current)
            if own is not None:
                found.add(frozenset((own.key,)))
            known[current.key] = next(iter(found)) if len(found) == 1 else frozenset[int]().union(*found)
        return known[value.key]


def _whole(value: Value) -> frozenset[int]:
    found: set[int] = set()
    pending, seen = [value], {value.key}
    while pending and len(seen) < _MAX_VALUES:
        current = pending.pop()
        own = _whole_operand(current)
        if own is not None:
            found.add(own.key)
        for each in current.origin.operands:
            if each.key not in seen:
                seen.add(each.key)
                pending.append(each)
    return frozenset(found)


def _whole_operand(value: Value) -> Value | None:
    """The sum that a value is a power, a log or an exponential of."""
    name, operands = value.origin.name, value.origin.operands
    is_square = name == "mul" and len(operands) == 2 and operands[0].key == operands[1].key
    if not operands or not (name in _OF_ONE or is_square):
        return None
    inner = without_epsilon(bare(operands[0])) if name == "log" else bare(operands[0])
    return inner if inner.origin.name in ("add", "sub") and not inner.has_constant else None


def without_epsilon(value: Value) -> Value:
    """x of `x + 1e-8`; the value itself otherwise."""
    operands = value.origin.operands
    if value.origin.name == "add" and len(operands) == 2:
        for added, other in (operands, operands[::-1]):
            number = number_of(added)
            if number is not None and 0 < number < _TINY:
                return bare(other)
    return value


def number_of(value: Value) -> float | None:
    """The number that a value is written as; None for settings with a default, which their users replace."""
    if value.has_constant and not value.is_default and isinstance(value.constant, (int, float)):
        return float(value.constant)
    return None


def _atom(atom: Atom, power: float = 1.0) -> Polynomial:
    return Polynomial({((atom, power),): 1.0})


class _Reader:
    def __init__(self, whole: frozenset[int]) -> None:
        self._whole = whole
        self._known: dict[int, Polynomial] = {}

    def read(self, value: Value, depth: int = _MAX_DEPTH) -> Polynomial:
        known = self._known.get(value.key)
        if known is None:
            found = self._arithmetic(value, depth) if depth and value.key not in self._whole else None
            known = found if found is not None and len(found.terms) <= _MAX_TERMS else _atom(("value", value.key))
            self._known[value.key] = known
        return known

    def _arithmetic(self, value: Value, depth: int) -> Polynomial | None:
        number = number_of(value)
        if number is not None:
            return Polynomial({ONE: number} if number else {})
        name, operands = value.origin.name, value.origin.operands
        if value.has_constant or not operands:
            return None
        if name == "log":
            inner = bare(operands[0])
            return _logarithm(self.read(inner if inner.key in self._whole else without_epsilon(inner), depth - 1))
        first = self.read(operands[0], depth - 1)
        if name in ALIKE:
            return first
        if name in _UNARY:
            return _UNARY[name](first)
        if len(operands) != 2:
            return None
        second = self.read(operands[1], depth - 1)
        if name == "pow":
            return _power(first, second.constant) if second.is_number else None
        return _BINARY[name](first, second) if name in _BINARY else None


def _scaled(given: Polynomial, factor: float) -> Polynomial:
    return Polynomial({monomial: factor * number for monomial, number in given.terms.items()})


def _sum(left: Polynomial, right: Polynomial) -> Polynomial:
    terms = dict(left.terms)
    for monomial, number in right.terms.items():
        terms[monomial] = terms.get(monomial, 0.0) + number
    return Polynomial({monomial: number for monomial, number in terms.items() if abs(number) > 1e-12})


def _product(left: Polynomial, right: Polynomial) -> Polynomial | None:
    if len(left.terms) * len(right.terms) > _MAX_TERMS:
        return None
    found = Polynomial({})
    for one, first in left.terms.items():
        for other, second in right.terms.items():
            powers = dict(one)
            for atom, power in other:
                powers[atom] = powers.get(atom, 0.0) + power
            monomial = tuple(sorted((atom, power) for atom, power in powers.items() if power))
            found = _sum(found, Polynomial({monomial: first * second}))
    return found


def _power(base: Polynomial, exponent: float) -> Polynomial | None:
    only = base.single
    if only is not None:
        monomial, number = only
        if number > 0 or (exponent.is_integer() and number):
            scaled = number**exponent
            return Polynomial({tuple((atom, power * exponent) for atom, power in monomial): scaled})
    if exponent == 2:
        return _product(base, base)
    return None


def _exponential(inner: Polynomial) -> Polynomial | None:
    only = inner.single
    if only is None or len(only[0]) != 1:
        return None
    ((kind, key), power), number = only[0][0], only[1]
    if power != 1:
        return None
    return _atom(("value", key), number) if kind == "log" else _atom(("exp", key), number) if kind == "value" else None


def _logarithm(inner: Polynomial) -> Polynomial | None:
    """The log of a product of powers; that of a number is not folded, and no coefficient may stand in front."""
    only = inner.single
    if only is None or only[1] != 1 or not only[0]:
        return None
    found = Polynomial({})
    for (kind, key), power in only[0]:
        if kind == "log":
            return None
        found = _sum(found, Polynomial({((("value" if kind == "exp" else "log", key), 1.0),): power}))
    return found


_UNARY: dict[str, Callable[[Polynomial], Polynomial | None]] = {
    "neg": lambda inner: _scaled(inner, -1.0),
    "square": lambda inner: _product(inner, inner),
    "sqrt": lambda inner: _power(inner, 0.5),
    "reciprocal": lambda inner: _power(inner, -1.0),
    "exp": _exponential,
}
_BINARY: dict[str, Callable[[Polynomial, Polynomial], Polynomial | None]] = {
    "add": _sum,
    "sub": lambda left, right: _sum(left, _scaled(right, -1.0)),
    "rsub": lambda left, right: _sum(right, _scaled(left, -1.0)),
    "mul": _product,
    "div": lambda left, right: None if (inverse := _power(right, -1.0)) is None else _product(left, inverse),
}
