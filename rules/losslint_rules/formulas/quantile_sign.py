"""a quantile loss with the wrong sign on one side

The pinball loss of a quantile q is `max(q * d, (q - 1) * d)` with d = target - prediction: what is predicted too low costs
q, what is predicted too high `1 - q` for every unit, and both are positive. With `(1 - q) * d` below 0 the loss is negative
for what is predicted too high, and falls without bound the higher the prediction. With d = prediction - target the
formula gives the quantile 1 - q: the upper band is trained where the lower one is meant.

Reported are choices and maxima of the two pieces that, worked out on numbers, have just these slopes and the wrong sign or
side. Which operand is the target must be known from the roles of the parameters for the second.

## Bad

```python
import torch

def quantile_loss(pred, target, q):
    difference = target - pred
    return torch.where(difference >= 0, q * difference, (1 - q) * difference).mean()
```

## Good

```python
import torch

def quantile_loss(pred, target, q):
    difference = target - pred
    return torch.maximum(q * difference, (q - 1) * difference).mean()
```

No fix is offered: which of the pieces is wrong follows from what the difference is meant to be.

A run confirms it by a prediction far above the target: the value is negative.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Role, Value
from losslint_rules.formulas.evaluation import number_at, unknowns, worked_out_from
from losslint_rules.formulas.polynomials import bare

RULE = Rule(code="LL732", name="quantile-sign", severity=Severity.WARNING, doubted=True)

_LEVELS = (0.2, 0.7)
_QUANTILE = frozenset({"quantile", "quantiles", "pinball", "tau", "taus", "percentile", "q"})
_BENDS = frozenset(
    (
        "where masked_fill maximum minimum max min fmax fmin abs relu clamp clamp_min clamp_max compared lt le gt ge eq ne sign "
        "phi sqrt pow norm linalg_vector_norm softplus log_sigmoid"
    ).split()
)
_POSITIVE = frozenset({"abs", "relu", "square", "pow", "clamp", "clamp_min"})


@RULE.on_op("where", "maximum", "max", "amax", "minimum", "mul", "add", "sub")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report two slopes that belong to a quantile, of the wrong sign or side."""
    if not graph.matters(op.value):
        return
    for residual in _differences(op.value):
        level = _level(op.value, residual)
        slopes = None if level is None else [_slopes(op.value, residual, level, each) for each in _LEVELS]
        if (
            level is None
            or slopes is None
            or not all(_is_pinball(pair, q) for pair, q in zip(slopes, _LEVELS, strict=True))
        ):
            continue
        if any(use.name in _POSITIVE for use in graph.uses(op.value)):
            return
        above, below = slopes[0] or (0.0, 0.0)
        reason = _negative(above, below, residual) or _swapped(above, residual, level, graph)
        if reason is not None:
            site = residual.origin.site
            steps = [Step(site, "the difference that the quantile is of")] if site is not None else []
            yield RULE.finding(op.site, reason, evidence=with_calls(op, steps))
        return


def _differences(value: Value) -> Iterator[Value]:
    """The differences that a value is worked out from, by arithmetic alone."""
    made_of = list(worked_out_from(value))
    if not any(each.origin.name in _BENDS for each in made_of):
        return  # it has one slope
    for each in made_of:
        operands = each.origin.operands
        if each.origin.name == "sub" and len(operands) == 2 and not any(one.has_constant for one in (each, *operands)):
            yield each


def _level(value: Value, residual: Value) -> Value | None:
    """The only other thing that a value is made of."""
    free = unknowns(value, {residual.key}, most=2)
    if free:
        return free[0] if len(free) == 1 else None
    constants = [each for each in ancestors([value]) if each.is_default and not each.origin.operands]
    return constants[0] if len(constants) == 1 else None


def _slopes(value: Value, residual: Value, level: Value, q: float) -> tuple[float, float] | None:
    """What the value is for a difference of 1 and of -1."""
    above = number_at(value, {residual.key: 1.0, level.key: q})
    below = number_at(value, {residual.key: -1.0, level.key: q})
    twice = number_at(value, {residual.key: 2.0, level.key: q})
    if above is None or below is None or twice is None or abs(twice - 2 * above) > 1e-9:
        return None
    return above, below


def _is_pinball(slopes: tuple[float, float] | None, q: float) -> bool:
    """Whether one side costs q and the other 1 - q, whatever the signs: not a plain multiple of the difference."""
    if slopes is None:
        return False
    above, below = slopes
    sizes = sorted((abs(above), abs(below)))
    return all(abs(size - wanted) < 1e-9 for size, wanted in zip(sizes, sorted((q, 1 - q)), strict=True))


def _negative(above: float, below: float, residual: Value) -> str | None:
    if min(above, below) >= 0 or max(above, below) < 0:
        return None  # with both negative it is the whole that is turned round, on purpose or elsewhere
    side, number = ("below", below) if below < 0 else ("above", above)
    return (
        f"for the quantile {_LEVELS[0]} this is {number:.2g} where `{excerpt(residual)}` is {-1 if below < 0 else 1}: a quantile "
        f"loss is positive on both sides, and this one falls without bound {side} 0; it is max(q * d, (q - 1) * d)"
    )


def _swapped(above: float, residual: Value, level: Value, graph: Graph) -> str | None:
    left, right = (bare(each).role for each in residual.origin.operands)
    said = {*words(graph.symbol.replace(".", "_")), *words(level.origin.label.replace(".", "_"))}
    if {left, right} != {Role.PREDICTION, Role.TARGET} or above < 0 or not said & _QUANTILE:
        return None
    costs_level = abs(above - _LEVELS[0]) < 1e-9
    if costs_level is (left is Role.TARGET):
        return None
    return (
        f"with `{excerpt(residual)}` as the difference this gives the quantile 1 - `{excerpt(level)}`: what is predicted too low "
        f"has to cost `{excerpt(level)}`, and what is predicted too high 1 minus that"
    )
