"""nothing is reduced where the option says mean or sum

Under `reduction="mean"` one number is expected, and the branch for it returns one number an element: `backward()` fails, or
the caller adds it to another term and broadcasts. Most often `.mean()` was left out, or the branches were changed over.

Reported where a test of an option named as a reduction says mean or sum, and what is returned there is proven to be
elementwise. Means over some dimensions, and losses divided element by element by a count, are silent.

## Bad

```python
import torch.nn as nn

class AbsoluteLoss(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        loss = (pred - target).abs()
        if self.reduction == "mean":
            return loss
        return loss.sum() if self.reduction == "sum" else loss
```

## Good

```python
import torch.nn as nn

class AbsoluteLoss(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        loss = (pred - target).abs()
        if self.reduction == "mean":
            return loss.mean()
        return loss.sum() if self.reduction == "sum" else loss
```

No fix is offered: which branch is wrong is for the author to say.

A run confirms it by an output with more than one element.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Condition, Graph
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Reduced

RULE = Rule(code="LL351", name="mean-not-taken", severity=Severity.WARNING, doubted=True, confirmed_by=("unreduced",))

_WORDS = frozenset({"mean", "sum"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report what is returned with its elements where a reduction was asked for."""
    told: set[int] = set()
    for op in graph.returns:
        value = op.operands[0]
        if value.reduction.kind is not Reduced.NONE or value.rank == 0 or value.gradient is not Gradient.CARRIES:
            continue
        if value.origin.name in ("div", "phi") or id(op.site.node) in told:
            continue
        asked = next((word for each in op.conditions if (word := _asked(each)) is not None), None)
        if asked is None or asked[1].site is None:
            continue
        told.add(id(op.site.node))
        yield RULE.finding(
            op.site,
            f"`{excerpt(value)}` is returned with one number an element where the reduction is {asked[0]!r}",
            evidence=[Step(asked[1].site, f"here the reduction is {asked[0]!r}")],
        )


def _asked(condition: Condition) -> tuple[str, Condition] | None:
    """The word of `reduction == "mean"` where it holds."""
    origin = condition.test.origin
    if origin.name != "compared" or origin.label != "eq" or not condition.holds or len(origin.operands) != 2:
        return None
    setting, word = origin.operands
    if "reduc" not in setting.origin.label or not isinstance(word.constant, str) or word.constant not in _WORDS:
        return None
    return word.constant, condition
