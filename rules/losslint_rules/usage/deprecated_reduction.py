"""size_average and reduce, which reduction replaced

`size_average` and `reduce` have been deprecated since torch 0.4.1: torch warns where they are given, they override `reduction`, and
their meaning together is easy to get wrong (`reduce=False` wins over `size_average`).

## Bad

```python
import torch.nn.functional as F

def reconstruction_loss(pred, target):
    return F.mse_loss(pred, target, size_average=False)
```

## Good

```python
import torch.nn.functional as F

def reconstruction_loss(pred, target):
    return F.mse_loss(pred, target, reduction="sum")
```

| size_average | reduce | reduction |
|---|---|---|
| True | True | "mean" |
| False | True | "sum" |
| either | False | "none" |

Both are True where they are not given. The fix is safe: torch itself translates one into the other. It is offered
where they are written as True or False by name.

A run confirms it by torch's warning.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.operators import Shape, operators
from losslint.semantics.values import Kind, Site

RULE = Rule(code="LL710", name="deprecated-reduction", severity=Severity.WARNING, doubted=True)

_LEGACY = ("size_average", "reduce")
_LOSSES = tuple(name for name, row in operators().items() if row.shape is Shape.LOSS)


@RULE.on_op(*_LOSSES)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a loss that is given size_average or reduce, where that is written: the call or the constructor."""
    given = {name: op.keywords[name] for name in _LEGACY if name in op.keywords}
    known = {name: value.constant for name, value in given.items() if value.kind is not Kind.NONE}
    if not known or not all(isinstance(constant, bool) for constant in known.values()):
        return
    module = op.origin.module
    site = op.site if module is None else module.origin.site
    if site is None or not isinstance(site.node, cst.Call):
        return
    defaults = any(value.is_default for value in given.values())
    reduction = None if defaults else legacy_reduction(known.get("size_average"), known.get("reduce"))
    names = " and ".join(name for name in _LEGACY if name in known)
    instead = f'reduction="{reduction}"' if reduction is not None else "reduction"
    yield RULE.finding(
        site,
        f"{names} {'are' if len(known) > 1 else 'is'} deprecated, and torch warns of it; use {instead}",
        evidence=with_calls(op, ()),
        rewrite=_rewrite(site, site.node, reduction) if reduction is not None else None,
    )


def legacy_reduction(size_average: object, reduce: object) -> str:
    """What torch makes of the two: None stands for not given."""
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def _rewrite(site: Site, call: cst.Call, reduction: str) -> Rewrite | None:
    named = {argument.keyword.value: argument for argument in call.args if argument.keyword is not None}
    old = [named[name] for name in _LEGACY if name in named]
    if not old or "reduction" in named or any(not isinstance(argument.value, cst.Name) for argument in old):
        return None
    content = f'reduction="{reduction}"'
    message = f"use {content}"
    if len(old) == 1:
        replaced = Replacement(Site(site.unit, old[0]), content)
        return Rewrite(Applicability.SAFE, message, (replaced,))
    kept = [site.unit.code(each.with_changes(comma=cst.MaybeSentinel.DEFAULT)) for each in call.args if each not in old]
    text = f"{site.unit.code(call.func)}({', '.join([*(each.strip() for each in kept), content])})"
    return Rewrite(Applicability.SAFE, message, (Replacement(site, text),))
