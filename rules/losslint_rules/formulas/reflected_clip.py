"""a step that is clipped the wrong way

`old + (new - old).clamp(-c, c)` goes from the old value towards the new one, by `c` at most. With the difference the other way
round, `old + (old - new).clamp(-c, c)`, it goes away from it: the clipped value is the mirror image of the new one, and its
gradient has the wrong sign.

Reported where a difference is clamped between two bounds and added to what it was taken from.

## Bad

```python
import torch

def value_loss(values, old_values, returns, clip=0.2):
    clipped = old_values + (old_values - values).clamp(-clip, clip)
    return torch.max((values - returns) ** 2, (clipped - returns) ** 2).mean()
```

## Good

```python
import torch

def value_loss(values, old_values, returns, clip=0.2):
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return torch.max((values - returns) ** 2, (clipped - returns) ** 2).mean()
```

No fix is offered: a minus in front of the clamp may be what is missing.

A run confirms it by a gradient of the wrong sign where nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value

RULE = Rule(code="LL743", name="reflected-clip", severity=Severity.WARNING, doubted=True)


@RULE.on_op("add")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a value to which its own clamped distance from another one is added."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    for start, step in (op.operands, op.operands[::-1]):
        difference = _clamped(step)
        if difference is None:
            continue
        taken_from, other = difference.origin.operands
        if _bare(taken_from).key == _bare(start).key and not other.has_constant:
            site = step.origin.site
            yield RULE.finding(
                op.site,
                f"`{excerpt(difference)}` leads away from `{excerpt(other)}`, and is added to `{excerpt(start)}`: a clipped step "
                f"towards it is the other difference",
                evidence=with_calls(op, [Step(site, "the step that is clipped")] if site is not None else []),
            )
            return


def _clamped(value: Value) -> Value | None:
    """The difference that is clamped on both sides."""
    if value.origin.name != "clamp" or not {"min", "max"} <= value.origin.keywords.keys():
        return None
    inner = value.origin.operands[0]
    return inner if inner.origin.name == "sub" and len(inner.origin.operands) == 2 else None


def _bare(value: Value) -> Value:
    return value.beneath(("detach", "data"))
