"""Functions of one residual: values that are made of one tensor or difference, and of numbers and settings alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from losslint.semantics.graph import ancestors
from losslint.semantics.values import Role, Value
from losslint_rules.formulas.evaluation import defaults, number_at, unknowns
from losslint_rules.formulas.polynomials import bare

_TINY = 1e-3
COMPARISONS = frozenset({"lt", "le", "gt", "ge", "compared"})


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A value as a function of `residual`, with numbers for the settings that have none."""

    value: Value
    residual: Value
    settings: Mapping[int, float]
    has_defaults: bool = True

    def at(self, residual: float) -> float | None:
        """What the value is where the residual is this number."""
        return number_at(self.value, {**self.settings, self.residual.key: residual})


def curves(value: Value, residual: Value) -> Iterator[Curve]:
    """A value as a function of a residual, at the defaults of its settings and at others; none where more than settings decide.

    A formula that holds for the default of 1 alone is told by the second.
    """
    free = unknowns(value, {residual.key})
    if not all(is_setting(each) for each in free):
        return
    plain = {each.key: 1.0 for each in free}
    replaced = {key: 1.5 * number + 0.25 for key, number in defaults(value).items() if number > _TINY}
    yield Curve(value, residual, plain)
    if replaced:
        yield Curve(value, residual, {**plain, **replaced}, has_defaults=False)


def is_setting(value: Value) -> bool:
    """Whether a value is one that a user chooses: an attribute of self, a number of the constructor, a default."""
    return value.role is Role.CONFIG or value.origin.name == "setting"


def compared_in(value: Value) -> Iterator[tuple[Value, Value, Value]]:
    """The comparisons that a value is made of, with their two sides."""
    for each in ancestors([value]):
        if each.origin.name in COMPARISONS and len(each.origin.operands) == 2:
            yield each, *each.origin.operands


def inside(value: Value) -> Value:
    """The residual of a side of a comparison: x of `abs(x)` and of views of it."""
    current = bare(value)
    while current.origin.name in ("abs", "detach") and current.origin.operands:
        current = bare(current.origin.operands[0])
    return current
