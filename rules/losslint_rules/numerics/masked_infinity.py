"""a mask multiplied with infinity

`0 * inf` is NaN. Logits that were filled with `-inf` stay `-inf` through `log_softmax`, scaling and selection, and a 0/1 mask
or a one-hot code multiplied with them does not take them out: it makes them NaN, and NaN the sum. Fill after the last log, take
elements by `torch.where` or by indexing, or fill with a large finite number.

Reported are infinities and NaNs that the code itself writes (`masked_fill(..., float("-inf"))`, `torch.where(m, x, -inf)`)
where they meet such a factor. What softmax, exp, logsumexp or a second fill made finite again is silent, and so is a product
that a mask chooses from afterwards. A log or a division that may be infinite is reported where it is made.

## Bad

```python
import torch
import torch.nn.functional as F

def policy_loss(logits, actions, allowed):
    log_p = F.log_softmax(logits.masked_fill(~allowed, float("-inf")), dim=-1)
    chosen = F.one_hot(actions, logits.size(-1))
    return -(log_p * chosen).sum(-1).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def policy_loss(logits, actions, allowed):
    log_p = F.log_softmax(logits.masked_fill(~allowed, float("-inf")), dim=-1)
    return -log_p.gather(-1, actions.unsqueeze(-1)).mean()
```

No fix is offered: whether to choose, to index or to fill with a finite number depends on what the mask means.

A run confirms it with a mask that leaves some elements out: the value is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.numerics.choices import choices, is_mask

RULE = Rule(
    code="LL212",
    name="masked-infinity",
    severity=Severity.WARNING,
    confirmed_by=("forward", "degenerate"),
    precondition=Precondition.ZERO,
)

_PASSED = frozenset(
    (
        "view reshape squeeze unsqueeze flatten permute transpose t contiguous clone float double to expand repeat getitem "
        "narrow select gather detach neg log_softmax cat sort"
    ).split()
)


@RULE.on_op("mul")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a 0/1 factor of something that holds a written infinity."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    for mask, value in (op.operands, op.operands[::-1]):
        filled = infinity_in(value) if is_mask(mask) else None
        if filled is None or is_chosen_from(op, graph):
            continue
        what, source = filled
        site = source.origin.site
        steps = [Step(site, f"elements are set to {what} here")] if site is not None else []
        yield RULE.finding(
            op.site,
            f"`{excerpt(value)}` holds {what}, and where `{excerpt(mask)}` is 0 the product is NaN, not 0: choose with "
            "torch.where or by indexing, or fill with a finite number",
            evidence=with_calls(op, steps),
        )
        return


def infinity_in(value: Value, depth: int = 12) -> tuple[str, Value] | None:
    """The infinity or NaN that the code writes into some elements of a value, and where; None where it is gone again."""
    name, operands = value.origin.name, value.origin.operands
    written = _written(value)
    if written is not None:
        return written, value
    if depth == 0 or not operands:
        return None
    if name in _PASSED:
        return infinity_in(operands[0], depth - 1)
    if name in ("add", "sub", "mul", "div") and len(operands) == 2:
        held = [infinity_in(each, depth - 1) for each in operands]
        if name == "div" or None not in held:
            return held[0] if held[0] is None or held[1] is None else None  # the difference of two may be anything
        other = operands[0 if held[1] is not None else 1]
        if name == "mul" and is_mask(other):
            return None  # that product is the one to report
        return held[0] or held[1]
    return None


def _written(value: Value) -> str | None:
    """The constant that a fill, a choice or a write puts in, if it is not finite."""
    arguments, operands = value.origin.keywords, value.origin.operands
    match value.origin.name:
        case "masked_fill":
            put = [arguments["value"]] if "value" in arguments else []
        case "where":
            put = [arguments[each] for each in ("input", "other") if each in arguments]
        case "index_put":
            put = list(operands[1:2])
        case _:
            return None
    for each in put:
        number = each.constant
        if isinstance(number, float) and each.has_constant and not math.isfinite(number):
            return "NaN" if math.isnan(number) else f"{'-' if number < 0 else ''}inf"
    return None


_REPLACING = frozenset({"nan_to_num", "nansum", "nanmean"})


def is_chosen_from(op: Op, graph: Graph) -> bool:
    """Whether the product is only used where a choice leaves elements out, or where NaNs are replaced."""
    uses = graph.uses(op.value)
    return bool(uses) and all(
        use.name in _REPLACING
        or any(choice.kept.key == op.value.key and not choice.by_product for choice in choices(use))
        for use in uses
    )
