"""probabilities passed to a loss that takes logits and applies the sigmoid itself

`F.binary_cross_entropy_with_logits`, `nn.BCEWithLogitsLoss` and `F.multilabel_soft_margin_loss` apply a sigmoid.
Given the output of one they see logits between 0 and 1, whose sigmoid lies between 0.5 and 0.73: a perfect
prediction still costs 0.31 for a positive and 0.69 for a negative, and most of the gradient is gone.

Probabilities that are turned back into logits (`torch.logit(p)`, `p.log() - (1 - p).log()`) are not reported.

## Bad

```python
import torch
import torch.nn.functional as F

def detection_loss(scores, target):
    return F.binary_cross_entropy_with_logits(torch.sigmoid(scores), target)
```

## Good

```python
import torch.nn.functional as F

def detection_loss(scores, target):
    return F.binary_cross_entropy_with_logits(scores, target)
```

The fix leaves the sigmoid out. It is unsafe: the loss and its gradient become those that were meant.

A run confirms it by a loss that stays above 0.3 however right the prediction is.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint_rules.usage.arguments import argument, instead_of, made_here, unsafe, written
from losslint_rules.usage.meanings import Meaning, kind_of, meaning_of

RULE = Rule(code="LL702", name="sigmoid-into-bce-with-logits", severity=Severity.ERROR)


@RULE.on_op("binary_cross_entropy_with_logits", "multilabel_soft_margin_loss")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report probabilities where logits are taken."""
    given = argument(op, "input")
    meant = meaning_of(given) if given is not None else None
    if meant is None or meant.meaning is not Meaning.PROBABILITY or not graph.matters(op.value):
        return
    made, shown = meant.made, written(op, "input", 0)
    can_fix = meant.plain and made.origin.name == "sigmoid"
    fix = instead_of(graph, op, "input", 0, made, made.origin.operands[0]) if can_fix else None
    yield RULE.finding(
        op.site,
        f"{op.name} applies the sigmoid itself, and `{shown}` is already the output of a {kind_of(made)}: the loss "
        "cannot come near 0 and its gradient is small; pass the logits",
        evidence=with_calls(op, made_here(made, "holds probabilities")),
        rewrite=unsafe(f"leave the {kind_of(made)} to {op.name}", fix),
    )
