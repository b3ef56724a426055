"""a masked entry that wins every maximum

An entry that must not be chosen is filled with -inf before a maximum, and with inf before a minimum. Filled with the other
sign, or filled before `1 - x` or a minus turned the sign round, it wins each time: the hardest negative is the masked
diagonal, the loss is a constant 0 or inf, and nothing is learned.

Reported are infinities, and fills of a million and more, that the code itself writes, followed with their sign through
differences, negations and scaling to a `max` or `amax` of +inf, or to a `min` or `amin` of -inf. `topk` is silent: entries are
filled with inf there to be chosen for certain.

## Bad

```python
import torch

def hardest_triplet_loss(distance, same, margin=0.3):
    farthest = distance.masked_fill(~same, float("inf")).max(dim=1).values
    nearest = distance.masked_fill(same, float("inf")).min(dim=1).values
    return torch.relu(farthest - nearest + margin).mean()
```

## Good

```python
import torch

def hardest_triplet_loss(distance, same, margin=0.3):
    farthest = distance.masked_fill(~same, float("-inf")).max(dim=1).values
    nearest = distance.masked_fill(same, float("inf")).min(dim=1).values
    return torch.relu(farthest - nearest + margin).mean()
```

No fix is offered: the sign, the mask or the reduction is wrong.

A run confirms it: the value does not depend on what was masked.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value

RULE = Rule(code="LL231", name="masked-entry-wins", severity=Severity.WARNING, doubted=True)

_HUGE = 1e6
_PASSED = frozenset(
    (
        "view reshape squeeze unsqueeze flatten permute transpose t contiguous clone float double to expand repeat "
        "detach relu sqrt getitem"
    ).split()
)
_WINNER = {"max": 1, "amax": 1, "min": -1, "amin": -1}


@RULE.on_op(*_WINNER)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a maximum of what holds +inf, and a minimum of what holds -inf."""
    if op.origin.label == "indices" or not graph.matters(op.value) or not op.operands:
        return
    sign = _WINNER[op.name]
    found = huge_entries(op.operands[0])
    if found is None or found[0] != sign or _is_dropped(op, graph):
        return
    site = found[1].origin.site
    most = "largest" if sign > 0 else "smallest"
    yield RULE.finding(
        op.site,
        f"the entries that were filled to be left out are {'+' if sign > 0 else '-'}inf or huge in `{excerpt(op.operands[0])}`, "
        f"and so the {most} each time: fill with the other sign",
        evidence=with_calls(op, [Step(site, "they are filled here")] if site is not None else []),
    )


def huge_entries(value: Value, depth: int = 12) -> tuple[int, Value] | None:
    """The sign of the huge entries that the code writes into a value, and where; None where there are none, or both."""
    name, operands = value.origin.name, value.origin.operands
    written = _written(value)
    if written is not None:
        under = huge_entries(operands[0], depth - 1) if name in ("masked_fill", "index_put") and depth else None
        return (written, value) if under is None or under[0] == written else None
    if depth == 0 or not operands or value.has_constant:
        return None
    if name in _PASSED:
        return huge_entries(operands[0], depth - 1)
    if name == "neg":
        return _turned(huge_entries(operands[0], depth - 1))
    if name in ("add", "sub", "mul", "div") and len(operands) == 2:
        left, right = (huge_entries(each, depth - 1) for each in operands)
        if (left is None) is (right is None) or (name == "div" and left is None):
            return None
        if name in ("mul", "div"):
            factor = operands[1] if left is not None else operands[0]
            sign = 1 if factor.interval.low > 0 else -1 if factor.interval.high < 0 else 0
            held = left or right
            return None if sign == 0 else held if sign > 0 else _turned(held)
        return left if left is not None else _turned(right) if name == "sub" else right
    return None


def _turned(found: tuple[int, Value] | None) -> tuple[int, Value] | None:
    return None if found is None else (-found[0], found[1])


def _written(value: Value) -> int | None:
    """The sign of the huge constant that a fill, a choice or a write puts in."""
    keywords, operands = value.origin.keywords, value.origin.operands
    match value.origin.name:
        case "masked_fill":
            put = [keywords["value"]] if "value" in keywords else []
        case "where":
            put = [keywords[each] for each in ("input", "other") if each in keywords]
        case "index_put" | "fill_diagonal_":
            put = list(operands[1:2])
        case _:
            return None
    signs = {1 if each.constant > 0 else -1 for each in put if _is_huge(each)}  # type: ignore[operator]
    return signs.pop() if len(signs) == 1 else None


def _is_huge(value: Value) -> bool:
    number = value.constant
    return value.has_constant and isinstance(number, (int, float)) and abs(number) >= _HUGE


def _is_dropped(op: Op, graph: Graph) -> bool:
    """Whether what was found is asked about afterwards: `torch.isinf(largest)`, `largest < inf`."""
    asks = (
        "isinf",
        "isfinite",
        "isnan",
        "lt",
        "le",
        "gt",
        "ge",
        "eq",
        "ne",
        "compared",
        "nan_to_num",
        "clamp",
        "where",
    )
    return any(use.name in asks for use in graph.uses(op.value))
