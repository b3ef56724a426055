"""a Gaussian likelihood whose spread is not that of the errors

`0.5 * ((x - mu) ** 2 / var + log(var))` is smallest where the variance is the squared error. With the half before one of the
two terms alone, or a log-deviation where the log-variance belongs, the spread that is learned is half or twice the squared
error: the prediction trains, and its uncertainty is wrong everywhere.

Found by reading the sum as a polynomial of the squared error and the spread and asking where it is smallest. Reported where that is
at a fixed multiple of the squared error other than 1. Losses that weigh others than squares of a difference, and sums with
further terms in the spread, are silent.

## Bad

```python
def gaussian_nll_loss(mu, log_var, x):
    return (0.5 * (x - mu) ** 2 / log_var.exp() + log_var).mean()
```

## Good

```python
def gaussian_nll_loss(mu, log_var, x):
    return 0.5 * ((x - mu) ** 2 / log_var.exp() + log_var).mean()
```

No fix is offered: which of the two terms has the right factor, the code does not say.

A run confirms it: at a variance equal to the squared error the gradient of the spread is not 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value
from losslint_rules.formulas.polynomials import Atom, Polynomial, polynomial_in

RULE = Rule(code="LL766", name="uncalibrated-likelihood", severity=Severity.WARNING, doubted=True)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """`slope * log(sigma) + factor * error ** 2 * sigma ** -power`, by the keys of the spread and of the error."""

    sigma: Atom
    error: int
    slope: float
    factor: float
    power: float

    @property
    def share(self) -> float:
        """The variance at which it is smallest, in squared errors; of `sigma ** power` where the power is 2."""
        return self.factor * self.power / self.slope


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report sums of an error over a spread and the logarithm of the spread that do not belong together."""
    found: dict[int, tuple[Op, Likelihood]] = {}
    for op in graph.named("add", "sub"):
        likelihood = _likelihood(polynomial_in(graph, op.value)) if graph.matters(op.value) else None
        if likelihood is not None and _are_learned(op.value, likelihood):
            found[op.value.key] = (op, likelihood)
    parts = {each.key for op, _ in found.values() for each in ancestors([op.value]) if each.key != op.value.key}
    for key, (op, likelihood) in found.items():
        if key in parts or abs(likelihood.share - 1) < 0.05:
            continue
        error = next(each for each in ancestors([op.value]) if each.key == likelihood.error)
        steps = [Step(error.origin.site, "the error")] if error.origin.site is not None else []
        yield RULE.finding(
            op.site,
            f"this likelihood is smallest at a variance of {likelihood.share:.3g} times the square of `{excerpt(error)}`, not at "
            "the square: it is 0.5 * (error**2 / var + log(var)), with one factor before both terms",
            evidence=with_calls(op, steps),
        )


def _likelihood(formula: Polynomial) -> Likelihood | None:
    terms = {monomial: number for monomial, number in formula.terms.items() if monomial}
    if len(terms) != 2:
        return None
    for logarithm, slope in terms.items():
        if len(logarithm) != 1 or logarithm[0][1] != 1 or logarithm[0][0][0] not in ("value", "log") or slope <= 0:
            continue
        kind, key = logarithm[0][0]
        base: Atom = ("exp" if kind == "value" else "value", key)
        weighed, factor = next((monomial, number) for monomial, number in terms.items() if monomial != logarithm)
        powers = dict(weighed)
        power = -powers.pop(base, 0.0)
        if power not in (1, 2) or factor <= 0 or len(powers) != 1:
            continue
        (error, square) = next(iter(powers.items()))
        if square == 2 and error[0] == "value" and error[1] != key:
            return Likelihood(base, error[1], slope, factor, power)
    return None


def _are_learned(value: Value, likelihood: Likelihood) -> bool:
    """Whether the error is a difference, or called so, and a gradient reaches the spread."""
    made = {each.key: each for each in ancestors([value])}
    error, spread = made.get(likelihood.error), made.get(likelihood.sigma[1])
    return (
        error is not None
        and spread is not None
        and error.origin.name in ("sub", "abs", "rsub")
        and spread.gradient is Gradient.CARRIES
    )
