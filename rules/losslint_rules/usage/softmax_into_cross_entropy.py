"""probabilities passed to cross_entropy, which takes logits

`F.cross_entropy` and `nn.CrossEntropyLoss` apply log_softmax themselves. Given the output of a softmax or a
sigmoid they see logits between 0 and 1: a perfect prediction of ten classes still costs 1.46, the gradient
vanishes where the prediction is confidently wrong, and training is slow and stops early. Nothing fails.

log_softmax before cross_entropy changes nothing and is not reported; neither are probabilities as *targets*.

## Bad

```python
import torch.nn.functional as F

def classification_loss(logits, labels):
    return F.cross_entropy(F.softmax(logits, dim=1), labels)
```

## Good

```python
import torch.nn.functional as F

def classification_loss(logits, labels):
    return F.cross_entropy(logits, labels)
```

Where the model ends in a softmax, take it out of the model and apply it where probabilities are wanted, or
use `F.nll_loss(torch.log(p.clamp(min=1e-7)), labels)`.

The fix leaves the softmax out. It is unsafe: the loss and its gradient become those that were meant.

A run confirms it by a loss that stays above a floor however right the prediction is.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint_rules.usage.arguments import argument, instead_of, made_here, unsafe, written
from losslint_rules.usage.meanings import Meaning, kind_of, meaning_of

RULE = Rule(code="LL701", name="softmax-into-cross-entropy", severity=Severity.ERROR)


@RULE.on_op("cross_entropy_loss")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an input of cross_entropy that a softmax or a sigmoid made."""
    given = argument(op, "input")
    meant = meaning_of(given) if given is not None else None
    if given is None or meant is None or meant.meaning is not Meaning.PROBABILITY or not graph.matters(op.value):
        return
    made, shown = meant.made, written(op, "input", 0)
    can_fix = meant.plain and made.origin.name in ("softmax", "sigmoid")
    fix = instead_of(graph, op, "input", 0, made, made.origin.operands[0]) if can_fix else None
    yield RULE.finding(
        op.site,
        f"cross_entropy applies log_softmax itself, and `{shown}` is already the output of a {kind_of(made)}: with "
        "logits between 0 and 1 the loss cannot come near 0; pass the logits",
        evidence=with_calls(op, made_here(made, "holds probabilities")),
        rewrite=unsafe(f"leave the {kind_of(made)} to cross_entropy", fix),
    )
