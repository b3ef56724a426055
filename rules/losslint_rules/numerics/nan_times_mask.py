"""missing values multiplied with 0

`NaN * 0` is NaN. A mask made by `~torch.isnan(target)` and multiplied with an error that was computed from that very target
does not take the missing values out: one of them makes the sum, and with it every weight, NaN. Replace them before the first
operation (`torch.where(mask, target, 0)`, `nan_to_num`), or take the elements by indexing, and multiply afterwards.

Reported is a product with a 0/1 mask that asks a value for NaN or inf, where the other factor is computed from the same
value and nothing on the way replaced or left out its NaNs. A product that is then chosen from, or summed by nansum, is silent.

## Bad

```python
import torch

def observed_loss(pred, target):
    mask = ~torch.isnan(target)
    return ((pred - target) ** 2 * mask).sum() / mask.sum().clamp(min=1)
```

## Good

```python
import torch

def observed_loss(pred, target):
    mask = ~torch.isnan(target)
    target = torch.where(mask, target, 0.0)
    return ((pred - target) ** 2 * mask).sum() / mask.sum().clamp(min=1)
```

No fix is offered: what stands in for a missing value depends on what the loss does with it.

A run confirms it with a NaN in the target.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.carriers import made_of
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.numerics.choices import is_zero_one
from losslint_rules.numerics.masked_infinity import is_chosen_from
from losslint_rules.numerics.nan_sources import holds_nan_of

RULE = Rule(code="LL230", name="nan-times-mask", severity=Severity.ERROR, doubted=True)

_ASKS = frozenset({"isnan", "isfinite", "isinf"})


@RULE.on_op("mul")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a mask of what is not NaN, times something that is NaN there."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    for mask, value in (op.operands, op.operands[::-1]):
        asked = asked_for_nan(mask) if is_zero_one(mask) else None
        if asked is None or not holds_nan_of(value, asked[1]) or is_chosen_from(op, graph):
            continue
        if op.is_guarded([asked[1]]):
            continue
        site = asked[0].origin.site
        steps = [Step(site, "NaNs are looked for here")] if site is not None else []
        yield RULE.finding(
            op.site,
            f"`{excerpt(value)}` is computed from `{excerpt(asked[1])}`, NaNs and all, and NaN times the 0 of "
            f"`{excerpt(mask)}` is NaN: replace them first, by torch.where or nan_to_num, or index with the mask",
            evidence=with_calls(op, steps),
        )
        return


def asked_for_nan(mask: Value) -> tuple[Value, Value] | None:
    """The test in a mask that asks a value for NaN, and that value: `isnan(x)`, `isfinite(x)`, `x == x`."""
    for each in made_of([mask]):
        operands = each.origin.operands
        if each.origin.name in _ASKS and operands and each.origin.name != "isinf":
            return each, operands[0]
        is_comparison = each.origin.name in ("eq", "ne") or each.origin.label in ("eq", "ne")
        if is_comparison and len(operands) == 2 and operands[0].key == operands[1].key:
            return each, operands[0]
    return None
