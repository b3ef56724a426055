"""the pieces of a loss that do not meet

A reverse Huber, Wing or smooth L1 loss is put together of two formulas at a threshold, and a constant makes them meet there.
Where it is wrong the loss jumps: `d` below delta and `(d**2 + delta**2) / delta` above are delta and 2 delta at the
threshold, and an error that shrinks across it changes the loss by that much at once.

Reported where both formulas can be evaluated at the threshold, with the settings at their defaults or at several values, and
differ there. Pieces that are one constant (a cut-off), that differ by a constant everywhere (an angle that wraps), or that
depend on anything else than what is compared are silent; a Huber loss whose settings are known is left to jumping-huber
(LL731).

## Bad

```python
import torch

def reverse_huber_loss(pred, target, delta=0.2):
    error = (pred - target).abs()
    return torch.where(error < delta, error, (error**2 + delta**2) / delta).mean()
```

## Good

```python
import torch

def reverse_huber_loss(pred, target, delta=0.2):
    error = (pred - target).abs()
    return torch.where(error < delta, error, (error**2 + delta**2) / (2 * delta)).mean()
```

`F.huber_loss(delta=)` and `F.smooth_l1_loss(beta=)` meet; huber is smooth L1 times delta. No fix is offered: which of the two
formulas is meant is not written.

A run confirms it by the values on both sides of the threshold.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.excluding_masks import bare_mask
from losslint_rules.numerics.formulas import Point, evaluated

RULE = Rule(code="LL243", name="discontinuous-pieces", severity=Severity.WARNING, preview=True)

_ORDERS = frozenset({"lt", "le", "gt", "ge"})
_FREE = (0.37, 1.7, 2.9)


@RULE.on_op("where")
def in_where(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report torch.where over two formulas that differ where the condition turns."""
    if len(op.operands) == 3 and graph.matters(op.value):
        condition, piece, other = op.operands
        yield from _finding(op, bare_mask(condition), (piece, {}), (other, {}))


@RULE.on_op("add")
def in_sum(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `mask * one + (1 - mask) * other` likewise: the sum with the mask at 1, and at 0."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    for first, second in (op.operands, op.operands[::-1]):
        rests = [each for each in _factors(second) if each.origin.name == "sub"]
        for mask in _factors(first):
            asked = bare_mask(mask)
            if asked.origin.name in _ORDERS and any(_is_complement(each, asked) for each in rests):
                yield from _finding(op, asked, (op.value, {asked.key: 1.0}), (op.value, {asked.key: 0.0}))
                return


def _factors(value: Value) -> Iterator[Value]:
    if value.origin.name == "mul":
        for operand in value.origin.operands:
            yield from _factors(operand)
    else:
        yield value


def _is_complement(rest: Value, asked: Value) -> bool:
    operands = rest.origin.operands
    return len(operands) == 2 and operands[0].constant == 1 and bare_mask(operands[1]).key == asked.key


Piece = tuple[Value, dict[int, float]]


def _finding(op: Op, asked: Value, piece: Piece, other: Piece) -> Iterator[Finding]:
    if asked.origin.name not in _ORDERS or len(asked.origin.operands) != 2:
        return
    compared, threshold = asked.origin.operands
    if evaluated(threshold, Point({}, _FREE[0])) is None:
        compared, threshold = threshold, compared
    gap = _gap(compared, threshold, piece, other)
    if gap is None:
        return
    site = asked.origin.site
    yield RULE.finding(
        op.site,
        f"the two formulas do not meet at `{excerpt(threshold)}`: where `{excerpt(compared)}` reaches it, one is {gap[0]:.4g} and "
        f"the other {gap[1]:.4g}{gap[2]}",
        evidence=with_calls(op, [Step(site, "which of them holds turns here")] if site is not None else []),
    )


def _gap(compared: Value, threshold: Value, piece: Piece, other: Piece) -> tuple[float, float, str] | None:
    """The values of both pieces at the threshold and for which settings, if they differ there whatever the settings are."""
    shown: tuple[float, float, str] | None = None
    settings: set[int] = set()
    for free in _FREE:
        at = evaluated(threshold, Point({}, free, settings))
        if at is None:
            return None
        below, here, above = (_both(compared, x, free, piece, other) for x in (0.8 * at - 0.1, at, 1.2 * at + 0.1))
        if here is None or below is None or above is None or _is_close(*here):
            return None
        gaps = [one - another for one, another in (below, here, above)]
        if _is_close(below[0], above[0]) or _is_close(below[1], above[1]) or max(gaps) - min(gaps) < 1e-9:
            return None  # a cut-off, or two pieces that differ by a constant
        for each, mask in (piece, other):
            evaluated(each, Point(_at(compared, at) | mask, free, settings))
        if not settings and any(_is_parabola(compared, at, each) for each in (piece, other)):
            return None  # a Huber loss with its settings known, which LL731 works out
        shown = (*here, f", with {free} for what is not known" if settings else "")
    return shown


def _both(compared: Value, at: float, free: float, piece: Piece, other: Piece) -> tuple[float, float] | None:
    one, another = (evaluated(each, Point(_at(compared, at) | mask, free)) for each, mask in (piece, other))
    return None if one is None or another is None else (one, another)


def _is_parabola(compared: Value, at: float, piece: Piece) -> bool:
    """Whether a piece is a multiple of the square."""
    formula, mask = piece
    one, two = (evaluated(formula, Point(_at(compared, x) | mask, 1.0)) for x in (at, 2 * at))
    return one is not None and two is not None and abs(one) > 1e-9 and abs(two / one - 4) < 1e-6


def _at(compared: Value, at: float) -> dict[int, float]:
    """What is known where the compared value is `at`: for a magnitude, what it is the magnitude of."""
    if compared.origin.name == "abs" and compared.origin.operands:
        return {compared.key: at, compared.origin.operands[0].key: at}
    return {compared.key: at}


def _is_close(left: float, right: float) -> bool:
    return abs(left - right) <= 1e-3 + 1e-2 * max(abs(left), abs(right))
