"""a setting that arrives as size_average

`nn.L1Loss("sum")`, `nn.SmoothL1Loss(0.1)` and `F.smooth_l1_loss(pred, target, 0.1)` give their setting by position, and the
first position after the tensors is the deprecated `size_average`. torch takes any true value for "average": the loss is a
mean, whatever was asked for, and `beta` stays 1. There is a deprecation warning and no error.

Reported are literals: a variable that is named as another parameter is reported by misplaced-argument (LL750).

## Bad

```python
import torch.nn.functional as F

def box_loss(pred, target):
    return F.smooth_l1_loss(pred, target, 0.11)
```

## Good

```python
import torch.nn.functional as F

def box_loss(pred, target):
    return F.smooth_l1_loss(pred, target, beta=0.11)
```

Name the setting: `reduction="sum"`, `beta=0.1`, `margin=1.0`. No fix is offered: it changes what is trained.

A run confirms it by a loss that does not change with the setting.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.operators import Shape, operators
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value

RULE = Rule(code="LL775", name="setting-as-size-average", severity=Severity.WARNING, preview=True)

_LOSSES = tuple(name for name, row in operators().items() if row.shape is Shape.LOSS)
_LEGACY = ("size_average", "reduce")


@RULE.on_op(*_LOSSES)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a string or a number other than 0 and 1 in the place of size_average or reduce."""
    for name in _LEGACY:
        given = op.keywords.get(name)
        module = op.origin.module
        site = op.site if module is None or module.origin.site is None else module.origin.site
        if given is None or not _is_no_flag(given) or not _is_written(given, site.node):
            continue
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
    return value.has_constant and isinstance(value.constant, (str, float))


def _is_written(value: Value, call: cst.CSTNode) -> bool:
    """Whether a value is a literal among the arguments of a call."""
    written = value.origin.site
    return written is not None and isinstance(call, cst.Call) and any(each.value is written.node for each in call.args)
