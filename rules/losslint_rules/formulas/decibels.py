"""decibels with the factor of the other quantity

Ten times the decimal logarithm is for powers, twenty times for amplitudes: `10 * log10(mse)` and `20 * log10(sqrt(mse))` are
the same number. With 20 before a mean of squares, or 10 before a norm, the value is twice or half of what the unit says,
thresholds and targets in decibels are missed, and it weighs twice or half as much beside other terms.

Reported where `10 *` or `20 *` stands before a `log10` of which the argument is proven to be a power (a mean or sum of squares, a
mean squared error, a ratio of two) or an amplitude (a norm, a root of one of those). What is neither for certain is silent.

## Bad

```python
import torch
import torch.nn.functional as F

def psnr_loss(pred, target):
    return 20 * torch.log10(F.mse_loss(pred, target) + 1e-8)
```

## Good

```python
import torch
import torch.nn.functional as F

def psnr_loss(pred, target):
    return 10 * torch.log10(F.mse_loss(pred, target) + 1e-8)
```

No fix is offered: the root may be what is missing.

A run confirms it: a tenfold error in amplitude is not 20 decibels.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import bare

RULE = Rule(code="LL764", name="decibels", severity=Severity.WARNING, doubted=True)

_NORMS = frozenset("norm linalg_vector_norm linalg_norm".split())
_SAME = frozenset("sum mean clamp clamp_min add phi amax max".split())


@RULE.on_op("mul")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report 10 or 20 before a decimal logarithm of the other quantity."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    for number, other in (op.operands, op.operands[::-1]):
        logarithm = bare(other)
        while logarithm.origin.name in ("mean", "sum") and logarithm.origin.operands:
            logarithm = bare(logarithm.origin.operands[0])
        if not number.has_constant or number.is_default or logarithm.origin.name != "log10":
            continue
        degree = _degree(logarithm.origin.operands[0])
        factor = abs(number.constant) if isinstance(number.constant, (int, float)) else 0
        if degree is None or factor not in (10, 20) or factor * degree == 20:
            continue
        argument = logarithm.origin.operands[0]
        what, right = ("a power", 10) if degree == 2 else ("an amplitude", 20)
        site = argument.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(argument)}` is {what}, of which decibels are {right} times the decimal logarithm, not {factor:g} times",
            evidence=with_calls(op, [Step(site, f"this is {what}")] if site is not None else []),
        )
        return


def _degree(value: Value, depth: int = 12) -> int | None:
    """2 for what grows with the square of the signals, 1 for what grows with them; None for what is not known."""
    value = bare(value)
    name, operands = value.origin.name, value.origin.operands
    if depth == 0 or not operands:
        return None
    if name == "mse_loss":
        return 2
    if name in _NORMS:
        return 1
    if name == "sqrt":
        return 1 if _degree(operands[0], depth - 1) == 2 else None
    if name == "square" or (name == "pow" and operands[-1].constant in (2, 2.0)):
        return 2 if _degree(operands[0], depth - 1) in (1, None) and not operands[0].has_constant else None
    if name == "mul" and len(operands) == 2 and bare(operands[0]).key == bare(operands[1]).key:
        return 2
    if name == "div" and len(operands) == 2:
        return _ratio(operands, depth)
    if name in _SAME:
        return _degree(operands[0], depth - 1)
    return None


def _ratio(operands: tuple[Value, ...], depth: int) -> int | None:
    """The degree of a ratio: both have the same, or one of them is a number."""
    degrees = []
    for each in operands:
        if each.has_constant:
            if each.constant not in (1, 1.0):
                return None
            continue
        degrees.append(_degree(each, depth - 1))
    return degrees[0] if len(set(degrees)) == 1 else None
