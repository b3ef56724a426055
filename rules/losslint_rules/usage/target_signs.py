"""targets 0 and 1 for a loss that takes -1 and 1

`F.margin_ranking_loss`, `F.cosine_embedding_loss`, `F.hinge_embedding_loss` and `F.soft_margin_loss` multiply by the
target, or compare it with 1 and -1. A target of 0 is accepted and contributes a constant without a gradient:
every negative pair of the batch is ignored.

## Bad

```python
import torch.nn.functional as F

def pair_loss(first, second, labels):
    same = (labels[:, 0] == labels[:, 1]).float()
    return F.cosine_embedding_loss(first, second, same)
```

## Good

```python
import torch.nn.functional as F

def pair_loss(first, second, labels):
    same = (labels[:, 0] == labels[:, 1]).float()
    return F.cosine_embedding_loss(first, second, 2 * same - 1)
```

Only targets that provably hold zeros and nothing but zeros and ones are reported; a target of ones is fine.

The fix writes `2 * target - 1`. It is unsafe: the loss becomes the one that was meant.

A run confirms it by a loss whose gradient is zero for every pair of target 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import parenthesised
from losslint.semantics.values import DType, Site, Value
from losslint_rules.usage.arguments import argument, argument_node, made_here, unsafe, written
from losslint_rules.usage.value_sets import numbers_of

RULE = Rule(code="LL707", name="target-signs", severity=Severity.WARNING, doubted=True)

_POSITIONS = {
    "margin_ranking_loss": 2,
    "cosine_embedding_loss": 2,
    "hinge_embedding_loss": 1,
    "soft_margin_loss": 1,
}


@RULE.on_op(*_POSITIONS)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a target that holds zeros and ones, or only zeros."""
    target = argument(op, "target")
    numbers = numbers_of(target) if target is not None else None
    if target is None or numbers is None or 0 not in numbers or not numbers <= {0, 1} or not graph.matters(op.value):
        return
    shown = written(op, "target", _POSITIONS[op.name])
    held = "zeros and ones" if len(numbers) == 2 else "nothing but zeros"
    yield RULE.finding(
        op.site,
        f"{op.name} takes targets of -1 and 1, and `{shown}` holds {held}: where the target is 0 the loss is a constant "
        "without a gradient; use 2 * target - 1",
        evidence=with_calls(op, made_here(target, f"holds {held}")),
        rewrite=_rewrite(op, target),
    )


def _rewrite(op: Op, target: Value) -> Rewrite | None:
    node = argument_node(op, "target", _POSITIONS[op.name])
    if node is None or target.dtype is DType.BOOL:
        return None
    content = f"2 * {parenthesised(op.site.unit.code(node))} - 1"
    return unsafe(f"use `{content}`", Replacement(Site(op.site.unit, node), content))
