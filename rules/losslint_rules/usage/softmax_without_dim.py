"""softmax without a dim

Without `dim`, `F.softmax`, `F.log_softmax`, `F.softmin` and their modules guess: dimension 0 for inputs of one or three
dimensions, else dimension 1. A batch of sequences (N, T, C) is normalised over the *batch*. torch warns of it at
every call and will take the guess away.

## Bad

```python
import torch.nn.functional as F

def classification_loss(logits, labels):
    return F.nll_loss(F.log_softmax(logits), labels)
```

## Good

```python
import torch.nn.functional as F

def classification_loss(logits, labels):
    return F.nll_loss(F.log_softmax(logits, dim=1), labels)
```

No fix is offered: which dimension holds the classes, only you know.

A run confirms it by torch's warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint_rules.usage.arguments import is_complete, made_here

RULE = Rule(code="LL719", name="softmax-without-dim", severity=Severity.WARNING, doubted=True)


@RULE.on_op("softmax", "log_softmax", "softmin")
def without_dim(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a softmax whose dim is not given, where it is called or where the module is built."""
    dim = op.keywords.get("dim")
    if not is_complete(op) or (dim is not None and (dim.origin.name != "constant" or dim.constant is not None)):
        return
    module = op.origin.module
    site = op.site if module is None or module.origin.site is None else module.origin.site
    rank = op.operands[0].rank if op.operands else None
    guess = "0 for one or three dimensions, else 1" if rank is None else "0" if rank in (0, 1, 3) else "1"
    yield RULE.finding(
        site,
        f"{op.name} without dim guesses the dimension ({guess}), and torch warns of it; say which one holds the classes",
        severity=RULE.severity
        if rank is None
        else Severity.INFO,  # the guess is the last of two dimensions, or was tried
        evidence=with_calls(op, made_here(op.value, "is normalised over a guessed dimension") if module else ()),
    )
