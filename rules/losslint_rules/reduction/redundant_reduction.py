"""a mean or a sum of what is one number already

torch's losses reduce by default: `F.cross_entropy(logits, target)` is one number, and `.mean()` or `.sum()` of it does
nothing. Either the call is in vain, or `reduction="none"` was meant, and what stands between the two (a weight, a mask)
works on the whole batch at once instead of on each element.

Reported where the operand comes from one of torch's losses with its reduction known, on every path. Silent where an
option decides about the reduction, and for outputs of other modules, which come in pieces from several devices.

## Bad

```python
import torch.nn.functional as F

def regression_loss(pred, target):
    loss = F.mse_loss(pred, target)
    return loss.mean()
```

## Good

```python
import torch.nn.functional as F

def regression_loss(pred, target):
    return F.mse_loss(pred, target)
```

The fix takes the call away. It is safe: value and gradient stay the same. If one loss an element was meant, give the
loss `reduction="none"` instead.

A run confirms it by a loss that reduction leaves as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, parenthesised
from losslint.semantics.values import Kind, Value
from losslint_rules.reduction.focal_weights import focal_weights
from losslint_rules.reduction.loss_operators import how_reduced, is_loss_operator, reduced_source

RULE = Rule(code="LL312", name="redundant-reduction", severity=Severity.INFO)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a reduction whose operand is a reduced loss on every path."""
    told = {reduced.key for each in focal_weights(graph) if (reduced := reduced_source(each.cross_entropy))}
    by_node: defaultdict[int, list[Op]] = defaultdict(list)
    for op in graph.named("mean", "sum"):
        by_node[id(op.site.node)].append(op)
    for ops in by_node.values():
        sources = [_source(op) for op in ops]
        first = sources[0]
        if first is None or None in sources or first.key in told or not graph.matters(ops[0].value):
            continue
        yield _finding(ops[0], first)


def _source(op: Op) -> Value | None:
    """The loss that made the operand of a reduction over all elements one number."""
    dim = op.keywords.get("dim")
    if dim is not None and dim.kind is not Kind.NONE:
        return None
    found = [reduced_source(each) for each in op.operands[0].alternatives]
    return found[0] if all(each is not None and is_loss_operator(each) for each in found) else None


def _finding(op: Op, source: Value) -> Finding:
    operand = op.operands[0]
    site = source.origin.site
    return RULE.finding(
        op.site,
        f"`{excerpt(operand)}` is one number already, the {how_reduced(source)} over all elements, so `{op.name}` does "
        'nothing to it: leave it out, or use reduction="none" if one loss an element was meant',
        evidence=with_calls(op, [Step(site, f"`{excerpt(source)}` reduces to one number")] if site is not None else []),
        rewrite=_rewrite(op),
    )


def _rewrite(op: Op) -> Rewrite | None:
    node = op.site.node
    if not isinstance(node, cst.Call):
        return None
    unit = op.site.unit
    if unit.qualified(node.func) is not None:
        text = parenthesised(unit.code(node.args[0].value)) if len(node.args) == 1 else ""
    else:
        text = unit.code(node.func.value) if isinstance(node.func, cst.Attribute) and not node.args else ""
    if not text:
        return None
    return Rewrite(Applicability.SAFE, "leave out the reduction", (Replacement(op.site, text),))
