"""a root or fractional power of a value that can be exactly zero

The slope of `x ** p` at 0 is infinite for every p between 0 and 1, that of `sqrt` too. The chain rule multiplies it
with the 0 that underflow left behind: the gradient is NaN, while the loss itself looks fine. A power that is no
integer of something negative is NaN at once.

A finding names where the zero comes from: `1 - p`, a variance, an absolute difference. Where only an underflow makes it, or a
sum of squares, it is an info. Powers of 1 and more (focal losses with `gamma >= 1`) are fine, and so is a ReLU right
under the power: its own backward writes zeros where it was inactive. Roots of sums of squares are LL205's,
those of differences that cancel LL223's.

## Bad

```python
import torch
import torch.nn.functional as F

def generalised_cross_entropy_loss(logits, labels, q=0.7):
    p = F.softmax(logits, dim=1).gather(1, labels[:, None]).squeeze(1)
    return ((1 - p**q) / q).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def generalised_cross_entropy_loss(logits, labels, q=0.7):
    log_p = F.log_softmax(logits, dim=1).gather(1, labels[:, None]).squeeze(1)
    return ((1 - torch.exp(q * log_p)) / q).mean()
```

## Use instead

The power in log space, `exp(p * log_softmax(x))`, where there are logits; else `x.clamp(min=eps) ** p` or
`(x + eps) ** p` with an eps that is small against your values. No fix is offered, because only you know that eps.

A run confirms it by saturated logits or equal inputs and a gradient that is not finite at this line.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls, zero_path
from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import chain
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Certainty, DType, Gradient, Role, Value, ZeroWitness
from losslint_rules.numerics.default_paths import excludes_default
from losslint_rules.numerics.differences import cancelling
from losslint_rules.numerics.squares import added_squares, squared
from losslint_rules.numerics.underflows import underflows

RULE = Rule(
    code="LL220",
    name="fractional-power",
    severity=Severity.WARNING,
    doubted=True,
    confirmed_by=("saturation", "degenerate"),
    precondition=Precondition.ZERO,
)


@RULE.on_op("sqrt")
def root_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a root of what can be exactly 0."""
    if not _is_mean_square(op.operands[0]):
        yield from _at_zero(op, graph, "the slope of `sqrt`")


@RULE.on_op("pow", "float_power")
def power_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `x ** p`, p between 0 and 1, of what can be 0; and of what can be negative where p is no integer."""
    if len(op.operands) != 2:
        return
    exponent = op.operands[1].constant
    if not isinstance(exponent, float) or excludes_default(op, op.operands[1]):
        return
    if 0 < exponent < 1 and not (exponent == 0.5 and _is_mean_square(op.operands[0])):
        yield from _at_zero(op, graph, f"the slope of `x ** {exponent:.4g}`")
    negative = _negative(op.operands[0])
    if not exponent.is_integer() and negative is not None and graph.matters(op.value):
        site = negative.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(op.operands[0])}` is negative for some inputs, and its power of {exponent:.4g} is NaN there",
            evidence=with_calls(op, [Step(site, "this can be negative")] if site is not None else []),
        )


def _at_zero(op: Op, graph: Graph, slope: str) -> Iterator[Finding]:
    base = op.operands[0]
    zero = base.zero
    if zero is None or zero.certainty is Certainty.POSSIBLE or base.dtype is DType.INT or base.role is Role.CONFIG:
        return
    if base.gradient is not Gradient.CARRIES or not op.gradient_matters or not graph.differentiates(op.value):
        return
    if _masked(zero) or cancelling(base) is not None or op.is_guarded(chain(base)):
        return
    yield RULE.finding(
        op.site,
        f"{slope} is infinite where `{excerpt(base)}` is 0, and the gradient is NaN there: {zero.reason}",
        severity=Severity.INFO if _is_unlikely(base, zero) else Severity.WARNING,
        evidence=with_calls(op, zero_path(base)),
    )


def _is_unlikely(base: Value, zero: ZeroWitness) -> bool:
    """Whether only an underflow makes the zero, or squares that all have to be 0 together: two rows that are equal."""
    return underflows(zero.source) or (base.origin.name in ("sum", "mean") and squared(zero.source) is not None)


def _masked(zero: ZeroWitness) -> bool:
    """A ReLU or a clamp passes no gradient on where it made the zero."""
    return zero.source.origin.name in ("relu", "relu6", "clamp", "clamp_min", "where", "masked_fill")


def _is_mean_square(base: Value) -> bool:
    """The root of a sum of squares is LL205's, and a mean of squares is 0 for a perfect fit alone."""
    if base.origin.name == "div":
        base = base.origin.operands[0]
    if base.origin.name in ("sum", "mean"):
        base = base.origin.operands[0]
    if base.origin.name in ("flatten", "view", "reshape"):
        base = base.origin.operands[0]
    if base.origin.name == "mul" and len(base.origin.operands) == 2:
        return any(added_squares(each) for each in (base, *base.origin.operands))
    return bool(added_squares(base))


_SIGNED = frozenset({"cosine_similarity", "tanh", "sin", "cos", "log_softmax", "log_sigmoid", "erf", "softsign"})
_SELECTS = frozenset("getitem gather select view reshape squeeze unsqueeze mul div diagonal".split())


def _negative(value: Value) -> Value | None:
    """The operator that makes a value negative for ordinary inputs, through selections and positive factors."""
    while value.interval.low < 0:
        if value.origin.name in _SIGNED:
            return value
        if value.origin.name not in _SELECTS:
            return None
        value = value.origin.operands[0]
    return None
