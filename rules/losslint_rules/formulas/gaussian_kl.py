"""a divergence from the unit Gaussian that is not 0 at the unit Gaussian

The divergence of a Gaussian from the standard normal is `0.5 * (mu ** 2 + sigma ** 2 - log(sigma ** 2) - 1)`: one factor for all
four terms, and sigma squared in both places. It is 0 for mu = 0 and sigma = 1 and positive elsewhere. A factor 1/2 that reaches
one term only, `exp(logstd)` where the square is meant, a forgotten 2 before `logstd` move its minimum: the posterior is
pulled to a variance that is not the prior's, and the "divergence" is not 0 there or even negative. A mean without its square, or
with the wrong sign, drives it away from 0 without bound.

Reported are formulas with just these terms, in the logvar, logstd, sigma and variance spellings, whose smallest value is
neither at sigma = 1 nor 0. A prior with another variance has a smallest value of 0 and is silent, and so is a formula without
its constant. A mean counts as unsquared where it is given to the loss, or linear in what is: what was computed from it before
may hold the square.

## Bad

```python
import torch

def kl_loss(mu, logstd):
    return -0.5 * torch.sum(1 + 2 * logstd - mu.pow(2) - logstd.exp(), dim=1).mean()
```

## Good

```python
import torch

def kl_loss(mu, logstd):
    return -0.5 * torch.sum(1 + 2 * logstd - mu.pow(2) - (2 * logstd).exp(), dim=1).mean()
```

No fix is offered: whether the logarithm or the exponential is the one that is meant follows from what the encoder predicts.

A run confirms it by means of 0 and standard deviations of 1: the value is not 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import ALIKE, Atom, Monomial, Polynomial, polynomial_in
from losslint_rules.formulas.sides import names_of

RULE = Rule(code="LL730", name="gaussian-kl", severity=Severity.WARNING, doubted=True)

_MEANS = frozenset({"mu", "mus", "mean", "means", "loc"})
_SQUARED = frozenset(
    (
        "sq sqr square squared squares pow norm dist distance mahalanobis quad quadratic form term error energy penalty"
    ).split()
)
_GIVEN = frozenset({"parameter", "attribute", "parameter_tensor", "setting", "unknown"})
_LINEAR = ALIKE | frozenset("getitem chunk split narrow select cat stack sequence sum mean neg add sub".split())
_MAX_VALUES = 30
_TOLERANCE = 5e-3


@dataclass(frozen=True, slots=True)
class Divergence:
    """`mean * mu ** mean_power + sigma ** power + slope * log(sigma) + constant`, scaled to a factor of 1 before the second."""

    sigma: Atom
    mu: Atom
    mean: float
    mean_power: float
    power: float
    slope: float
    constant: float

    @property
    def log_of_best(self) -> float:
        """The log of sigma at which it is smallest."""
        return math.log(-self.slope / self.power) / self.power

    @property
    def smallest(self) -> float:
        """The smallest value it takes."""
        return -self.slope / self.power + self.slope * self.log_of_best + self.constant


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the sums that are such a divergence and have their minimum elsewhere."""
    found = {}
    for op in graph.named("add", "sub"):
        divergence = divergence_of(polynomial_in(graph, op.value)) if graph.matters(op.value) else None
        if divergence is not None:
            found[op.value.key] = (op, divergence)
    parts = {each.key for op, _ in found.values() for each in ancestors([op.value]) if each.key != op.value.key}
    for key, (op, divergence) in found.items():
        if key not in parts and (_is_displaced(divergence) or _is_unbounded(divergence, op, graph)):
            yield _finding(op, divergence)


def divergence_of(formula: Polynomial) -> Divergence | None:
    """The divergence that a polynomial has the terms of: a square, a power, the log of its base, and a constant."""
    terms = {monomial: number for monomial, number in formula.terms.items() if monomial}
    if len(terms) != 3 or not formula.constant or any(len(monomial) != 1 for monomial in terms):
        return None
    for (((kind, key), power),), slope in terms.items():
        if power != 1 or kind not in ("value", "log"):
            continue
        base = ("exp" if kind == "value" else "value", key)
        spread = _only(terms, base)
        means = [each for each in terms if each not in (spread, (((kind, key), 1.0),))]
        if spread is None or len(means) != 1 or means[0][0][0][0] != "value" or means[0][0][1] not in (1, 2):
            continue
        factor = terms[spread]
        found = Divergence(
            base,
            means[0][0][0],
            terms[means[0]] / factor,
            means[0][0][1],
            spread[0][1],
            slope / factor,
            formula.constant / factor,
        )
        if found.power > 0 and found.slope < 0:
            return found
    return None


def _only(terms: dict[Monomial, float], base: Atom) -> Monomial | None:
    found = [monomial for monomial in terms if monomial[0][0] == base]
    return found[0] if len(found) == 1 else None


def _is_displaced(divergence: Divergence) -> bool:
    is_square = divergence.mean_power == 2 and divergence.mean > 0
    return is_square and abs(divergence.log_of_best) > _TOLERANCE and abs(divergence.smallest) > _TOLERANCE


def _is_unbounded(divergence: Divergence, op: Op, graph: Graph) -> bool:
    """Whether all is right but the mean, which enters without its square, or with the wrong sign."""
    is_right = abs(divergence.log_of_best) < _TOLERANCE and abs(divergence.smallest) < _TOLERANCE
    if not is_right or (divergence.mean_power == 2 and divergence.mean > 0):
        return False
    means = [each for each in ancestors([op.value]) if each.key == divergence.mu[1]]
    if not means or not _may_be_a_mean(means[0]):
        return False
    said = {word for name in (means[0].origin.label, *names_of(means[0], graph)) for word in words(name)}
    return bool(said & _MEANS) and not said & _SQUARED


def _may_be_a_mean(value: Value) -> bool:
    """Whether a value is given to the loss, or linear in such: what anything else is computed by may hold the square."""
    pending, seen = [value], {value.key}
    while pending and len(seen) < _MAX_VALUES:
        current = pending.pop()
        origin = current.origin
        if origin.name in _LINEAR:
            pending += [each for each in origin.operands if each.key not in seen]
            seen.update(each.key for each in origin.operands)
        elif origin.name == "unknown" and origin.label:  # a part of what an encoder gives has no label
            if not _MEANS & set(words(origin.label)):
                return False
        elif origin.name not in _GIVEN and not current.has_constant:
            return False
    return True


def _finding(op: Op, divergence: Divergence) -> Finding:
    steps = [
        Step(each.origin.site, f"`{excerpt(each)}` is the {what}")
        for each, what in _named(op.value, divergence.sigma)
        if each.origin.site is not None
    ]
    if not _is_displaced(divergence):
        how = "without its square" if divergence.mean_power == 1 else "with the wrong sign"
        return RULE.finding(
            op.site,
            f"the mean enters this divergence from the unit Gaussian {how}, and the farther it goes the lower this gets: it is "
            "0.5 * (mu**2 + sigma**2 - log(sigma**2) - 1)",
            evidence=with_calls(op, steps),
        )
    name, best = _name(op.value, divergence.sigma), divergence.log_of_best
    where = f"{name} = {best:.3g}" if divergence.sigma[0] == "exp" else f"{name} = {math.exp(best):.3g}"
    at_unit = "0" if divergence.sigma[0] == "exp" else "1"
    return RULE.finding(
        op.site,
        f"this divergence from the unit Gaussian is smallest at `{where}`, not at {at_unit}, and is "
        f"{'negative' if divergence.smallest < 0 else 'not 0'} there: its terms do not have one common factor, or the "
        "exponential and the logarithm do not belong together; it is 0.5 * (mu**2 + sigma**2 - log(sigma**2) - 1)",
        evidence=with_calls(op, steps),
    )


def _named(value: Value, sigma: Atom) -> Iterator[tuple[Value, str]]:
    for each in ancestors([value]):
        if each.key == sigma[1]:
            yield each, "logarithm of the spread" if sigma[0] == "exp" else "spread"
            return


def _name(value: Value, sigma: Atom) -> str:
    return next((excerpt(each) for each, _ in _named(value, sigma)), "sigma")
