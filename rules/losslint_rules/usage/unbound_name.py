"""a local name that is read before anything is bound to it

Every path to this line leaves the name without a value, so Python raises UnboundLocalError: mostly a misspelt name, or one
that only the other branch binds. It shows the first time the branch is taken.

## Bad

```python
import torch.nn.functional as F

def dice_loss(logits, target):
    if logits.shape[1] == 1:
        probs = logits.sigmoid()
    else:
        probs = F.softmax(probs, dim=1)
    return 1 - 2 * (probs * target).sum() / (probs + target).sum().clamp(min=1)
```

## Good

```python
import torch.nn.functional as F

def dice_loss(logits, target):
    if logits.shape[1] == 1:
        probs = logits.sigmoid()
    else:
        probs = F.softmax(logits, dim=1)
    return 1 - 2 * (probs * target).sum() / (probs + target).sum().clamp(min=1)
```

Names that some path has bound, and names read in loops, where an earlier turn may have bound them, are left alone. No fix is
offered. A run confirms it by the exception.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule
from losslint.semantics.graph import Graph

RULE = Rule(code="LL728", name="unbound-name", severity=Severity.ERROR)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report reads of local names that no path has bound, in the file of the loss."""
    for site in graph.unbound:
        if site.unit is graph.unit and isinstance(site.node, cst.Name):
            name = site.node.value
            yield RULE.finding(
                site,
                f"nothing is bound to `{name}` on any path to this line: Python raises UnboundLocalError; bind it before, or "
                "read the name that was meant",
            )
