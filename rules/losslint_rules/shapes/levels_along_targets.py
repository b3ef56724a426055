"""quantile levels that line up with the targets instead of the quantiles

Quantile regression on samples, as QR-DQN and IQN do it, takes the difference of every predicted quantile and every target
sample, and weighs it by |level - [difference < 0]|. The level belongs to the predicted quantile. Where the levels vary along
the other axis, every quantile is fitted with all levels alike: all learn the same value, and the loss falls as it should.

Reported where the two sides of the difference were given their axes by unsqueeze, None or view, a gradient flows to one
side alone, and the levels vary along the axis of the other. Weights of target samples are silent: only what the sign of
the difference is taken from, or chooses, is a level.

## Bad

```python
import torch

def quantile_loss(quantiles, target, levels):
    error = target.detach()[:, None, :] - quantiles[:, :, None]
    below = (error.detach() < 0).float()
    return ((levels.view(1, 1, -1) - below).abs() * error.abs()).mean()
```

## Good

```python
import torch

def quantile_loss(quantiles, target, levels):
    error = target.detach()[:, None, :] - quantiles[:, :, None]
    below = (error.detach() < 0).float()
    return ((levels.view(1, -1, 1) - below).abs() * error.abs()).mean()
```

No fix is offered: the levels, or the axes of the difference, may be the wrong ones.

A run confirms it by quantiles that all get the same gradient where they are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import sizes_of
from losslint.semantics.sizes import Size, Sizes, is_pack, pack_position
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value

RULE = Rule(code="LL408", name="levels-along-targets", severity=Severity.WARNING, doubted=True)

_CASTS = frozenset({"to", "float", "double", "half", "type", "type_as", "detach", "data"})


@RULE.on_op("sub", "where")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report levels that are compared with, or chosen by, the sign of a difference along whose other axis they vary."""
    if not graph.matters(op.value):
        return
    for indicator, level in _pairs(op):
        difference = _difference_below_zero(indicator)
        axes = _axes(difference) if difference is not None else None
        if difference is None or axes is None:
            continue
        shape = _filled(sizes_of(level), axes.rank)
        if shape is not None and shape[axes.targets] != 1 and shape[axes.quantiles] == 1:
            yield _finding(op, level, difference, axes)
            return


def _pairs(op: Op) -> Iterator[tuple[Value, Value]]:
    """What may be the indicator, and what may be the levels."""
    if op.name == "where" and len(op.operands) == 3:
        yield from ((op.operands[0], each) for each in op.operands[1:])
    elif op.name == "sub" and len(op.operands) == 2:
        yield op.operands[1], op.operands[0]
        yield op.operands[0], op.operands[1]


def _difference_below_zero(indicator: Value) -> Value | None:
    """`u` of `(u < 0).float()`."""
    asked = _uncast(indicator)
    if asked.origin.name not in ("lt", "le", "gt", "ge") or len(asked.origin.operands) != 2:
        return None
    left, right = asked.origin.operands
    compared = left if right.has_constant and right.constant == 0 else None
    found = _uncast(compared) if compared is not None else None
    return found if found is not None and found.origin.name == "sub" else None


def _uncast(value: Value) -> Value:
    for _ in range(10):
        if value.origin.name not in _CASTS or not value.origin.operands:
            return value
        value = value.origin.operands[0]
    return value


@dataclass(frozen=True, slots=True)
class _Axes:
    """Along which dimensions of a difference the quantiles and the targets vary, counted from the back."""

    prediction: Value
    target: Value
    rank: int
    quantiles: int
    targets: int


def _axes(difference: Value) -> _Axes | None:
    """The axes of every quantile less every target; None for other differences."""
    sides = difference.origin.operands
    trained = [each for each in sides if each.gradient is Gradient.CARRIES]
    if len(sides) != 2 or len(trained) != 1:
        return None
    prediction = trained[0]
    target = sides[1] if sides[0] is prediction else sides[0]
    shapes = sizes_of(prediction), sizes_of(target)
    if shapes[0] is None or shapes[1] is None:
        return None
    rank = max(sum(not is_pack(size) for size in shape) for shape in shapes if shape is not None)
    mine, other = _filled(shapes[0], rank), _filled(shapes[1], rank)
    if mine is None or other is None:
        return None
    quantiles = [at for at in range(rank) if other[at] == 1 and mine[at] != 1]
    targets = [at for at in range(rank) if mine[at] == 1 and other[at] != 1]
    if len(quantiles) != 1 or len(targets) != 1:
        return None
    return _Axes(prediction, target, rank, quantiles[0] - rank, targets[0] - rank)


def _filled(sizes: Sizes | None, rank: int) -> tuple[Size, ...] | None:
    """A shape of this rank: its pack taken for as many dimensions as are left; in front of it ones, as broadcasting puts them.

    What is nothing but a pack says nothing.
    """
    if sizes is None or not sizes or (len(sizes) == 1 and is_pack(sizes[0])):
        return None
    at = pack_position(sizes)
    missing = rank - len(sizes) + (at is not None)
    if missing < 0:
        return None
    if at is None:
        return (*(1 for _ in range(missing)), *sizes)
    return (*sizes[:at], *("" for _ in range(missing)), *sizes[at + 1 :])


def _finding(op: Op, level: Value, difference: Value, axes: _Axes) -> Finding:
    steps = []
    if difference.origin.site is not None:
        said = f"in `{excerpt(difference)}` the quantiles vary along dimension {axes.quantiles}, the targets along {axes.targets}"
        steps.append(Step(difference.origin.site, said))
    return RULE.finding(
        op.site,
        f"`{excerpt(level)}` varies along dimension {axes.targets}, which is that of the targets `{excerpt(axes.target)}`: every "
        f"quantile of `{excerpt(axes.prediction)}` is fitted with all levels alike; they belong along {axes.quantiles}",
        evidence=with_calls(op, steps),
    )
