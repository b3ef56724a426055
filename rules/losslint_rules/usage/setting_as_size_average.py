"""a setting that arrives as size_average

`nn.L1Loss("sum")`, `nn.SmoothL1Loss(0.1)` and `F.smooth_l1_loss(pred, target, beta)` give their setting by position, and the
first position after the tensors is the deprecated `size_average`. torch takes any true value for "average": the loss is a
mean, whatever was asked for, and `beta` stays 1. There is a deprecation warning and no error.

## Bad

```python
import torch.nn.functional as F

def box_loss(pred, target, beta=0.11):
    return F.smooth_l1_loss(pred, target, beta)
```

## Good

```python
import torch.nn.functional as F

def box_loss(pred, target, beta=0.11):
    return F.smooth_l1_loss(pred, target, beta=beta)
```

Name the setting: `reduction="sum"`, `beta=0.1`, `margin=1.0`. No fix is offered: it changes what is trained.

A run confirms it by a loss that does not change with the setting.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.operators import Shape, operators
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value

RULE = Rule(code="LL775", name="setting-as-size-average", severity=Severity.WARNING, preview=True)

_LOSSES = tuple(name for name, row in operators().items() if row.shape is Shape.LOSS)
_LEGACY = ("size_average", "reduce")


@RULE.on_op(*_LOSSES)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a string or a number other than 0 and 1 in the place of size_average or reduce."""
    for name in _LEGACY:
        given = op.keywords.get(name)
        if given is None or not _is_no_flag(given):
            continue
        module = op.origin.module
        site = op.site if module is None or module.origin.site is None else module.origin.site
        meant = "reduction" if isinstance(given.constant, str) else "its setting"
        yield RULE.finding(
            site,
            f"`{excerpt(given)}` stands where {name} is: torch takes it for true and keeps {meant} at the default; name the "
            "argument",
            evidence=with_calls(op, ()),
        )
        return


def _is_no_flag(value: Value) -> bool:
    """Whether a value is proven to be a string, or a number that nobody writes for true or false."""
    if value.kind is Kind.NONE or not value.has_constant:
        return value.kind is Kind.STR
    constant = value.constant
    return isinstance(constant, str) or (isinstance(constant, float) and not isinstance(constant, bool))
