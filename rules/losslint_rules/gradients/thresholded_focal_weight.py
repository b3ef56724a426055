"""a focal weight of thresholded probabilities

`(1 - p_t) ** gamma` weighs an example by how far its probability is from the label. If `p` was thresholded before, `p_t` is
0 or 1 and nothing in between, and so is every power of it: `gamma` has no effect, examples on the right side of the threshold
have no loss at all, and those on the wrong side all the same weight.

Reported where a comparison of a prediction is turned into numbers and, alone or combined with a target, raised to a power that
is a setting.

## Bad

```python
import torch.nn.functional as F

def focal_loss(logits, target, gamma=2.0):
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = (logits.sigmoid() > 0.5).float()
    p_t = p * target + (1 - p) * (1 - target)
    return ((1 - p_t) ** gamma * ce).mean()
```

## Good

```python
import torch.nn.functional as F

def focal_loss(logits, target, gamma=2.0):
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = logits.sigmoid()
    p_t = p * target + (1 - p) * (1 - target)
    return ((1 - p_t) ** gamma * ce).mean()
```

No fix is offered: the threshold may be wanted, without the power.

A run confirms it: two values of the exponent give the same loss.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Role, Value

RULE = Rule(code="LL122", name="thresholded-focal-weight", severity=Severity.WARNING, doubted=True)

_COMPARISONS = frozenset({"gt", "ge", "lt", "le"})
_COMBINES = frozenset("add sub mul float to type double half where unsqueeze squeeze view reshape long int neg".split())


@RULE.on_op("pow")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report powers of what is made of a thresholded prediction and targets alone."""
    base, exponent = op.operands[0], op.operands[-1]
    is_setting = exponent.role is Role.CONFIG or (exponent.kind is Kind.NUMBER and exponent.is_default)
    if base.gradient is not Gradient.ZERO or not is_setting or not graph.matters(op.value):
        return
    threshold = _threshold(base)
    if threshold is None:
        return
    site = threshold.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(base)}` is made of the thresholded `{excerpt(threshold)}` and is 0 or 1, whatever power it is raised to: "
        f"`{excerpt(exponent)}` has no effect; take the probabilities themselves",
        evidence=with_calls(op, [Step(site, "0 or 1 from here on")] if site is not None else []),
    )


def _threshold(base: Value) -> Value | None:
    """The comparison of a prediction with a number that a base is made of, with nothing else that carried a gradient."""
    found: list[Value] = []
    pending, seen = [base], set[int]()
    while pending and len(seen) < 40:
        current = pending.pop()
        if current.key in seen or current.gradient is Gradient.NEUTRAL:
            continue
        seen.add(current.key)
        if current.origin.name in _COMPARISONS and current.origin.operands[1].kind is Kind.NUMBER:
            found.append(current)
        elif current.origin.name in _COMBINES:
            pending.extend(current.origin.operands)
        else:
            return None
    carries = any(each.gradient is Gradient.CARRIES for one in found for each in ancestors([one]))
    return found[0] if len(found) == 1 and carries else None
