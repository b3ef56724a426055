"""the nearest of all is the element itself

`torch.cdist(x, x)` has zeros on its diagonal: the distance of each row to itself. The smallest distance of a row is always
that 0, whatever the others are, and its gradient says nothing; so is the largest entry of a row of `z @ z.t()` the row's own
product, for vectors of unit length. Mask the diagonal before.

Reported where the minimum of each row or column, or of all, is taken of the distances of one tensor from itself, or the
maximum of the cosines, and nothing was filled or added before. The hardest positive, a maximum of distances, is silent.

## Bad

```python
import torch
import torch.nn.functional as F

def nearest_neighbour_loss(embeddings, margin=0.5):
    distances = torch.cdist(embeddings, embeddings)
    return F.relu(margin - distances.amin(dim=1)).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def nearest_neighbour_loss(embeddings, margin=0.5):
    distances = torch.cdist(embeddings, embeddings)
    itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    return F.relu(margin - distances.masked_fill(itself, float("inf")).amin(dim=1)).mean()
```

No fix is offered: other elements than the diagonal may have to be left out as well.

A run confirms it by a minimum that is 0 for every input.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.cosines import is_normalized
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Role, Value

RULE = Rule(code="LL776", name="nearest-is-itself", severity=Severity.WARNING, doubted=True)

_PLACED = frozenset("float double detach contiguous clone".split())
_TRANSPOSES = frozenset({"t", "transpose", "mT", "T"})


@RULE.on_op("amin", "min", "amax", "max")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report the nearest element of a set among the set itself."""
    pairs = _scaled(op.operands[0]) if op.operands else None
    if pairs is None or not graph.matters(op.value) or len([each for each in op.operands if each.is_tensor]) != 1:
        return
    is_distance = pairs.origin.name == "cdist" and op.name in ("amin", "min")
    if not (is_distance or (pairs.origin.name in ("matmul", "mm") and op.name in ("amax", "max"))):
        return
    left, right = (_placed(each) for each in pairs.origin.operands[:2])
    if not is_distance:
        if right.origin.name not in _TRANSPOSES or not is_normalized(left) or _is_shift(op, graph):
            return
        right = _placed(right.origin.operands[0])
    if left.key != right.key:
        return
    site = pairs.origin.site
    found = "smallest distance" if is_distance else "largest cosine"
    yield RULE.finding(
        op.site,
        f"the {found} in `{excerpt(pairs)}` is always that of each row to itself: fill the diagonal first",
        evidence=with_calls(op, [Step(site, "one tensor against itself")] if site is not None else []),
    )


def _is_shift(op: Op, graph: Graph) -> bool:
    """Whether the maximum is taken off before exponentials, where it matters not which it is."""
    pending, seen = [op.value], {op.value.key}
    while pending and len(seen) < 10:
        for later in graph.uses(pending.pop()):
            if later.name == "sub":
                return True
            if later.name in ("detach", "unsqueeze", "view") and later.value.key not in seen:
                seen.add(later.value.key)
                pending.append(later.value)
    return False


def _scaled(value: Value) -> Value:
    """A matrix of pairs without a temperature and casts."""
    current = value
    while current.origin.operands:
        operands = current.origin.operands
        scales = current.origin.name in ("mul", "div") and len(operands) == 2 and _is_number(operands[1])
        if not scales and current.origin.name not in _PLACED:
            break
        current = operands[0]
    return current


def _is_number(value: Value) -> bool:
    return value.kind is Kind.NUMBER or value.role is Role.CONFIG


def _placed(value: Value) -> Value:
    return value.beneath(_PLACED)
