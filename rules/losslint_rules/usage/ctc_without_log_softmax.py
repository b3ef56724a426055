"""ctc_loss of a softmax instead of a log_softmax

`F.ctc_loss` and `nn.CTCLoss` take log-probabilities and add them up along the paths. Probabilities are taken for
logs between 0 and 1: the loss is negative, its gradient is nearly the same everywhere, and nothing fails.

## Bad

```python
import torch.nn.functional as F

def speech_loss(logits, targets, input_lengths, target_lengths):
    return F.ctc_loss(logits.softmax(2), targets, input_lengths, target_lengths)
```

## Good

```python
import torch.nn.functional as F

def speech_loss(logits, targets, input_lengths, target_lengths):
    return F.ctc_loss(logits.log_softmax(2), targets, input_lengths, target_lengths)
```

The fix writes log_softmax. It is unsafe: the loss becomes the one that was meant.

A run confirms it by a loss below 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint_rules.usage.arguments import argument, in_log_space, made_here, unsafe, written
from losslint_rules.usage.meanings import Meaning, kind_of, meaning_of

RULE = Rule(code="LL712", name="ctc-without-log-softmax", severity=Severity.WARNING)


@RULE.on_op("ctc_loss")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report probabilities where log-probabilities are taken."""
    given = argument(op, "log_probs")
    meant = meaning_of(given) if given is not None else None
    if meant is None or meant.meaning is not Meaning.PROBABILITY or not graph.matters(op.value):
        return
    made, shown = meant.made, written(op, "log_probs", 0)
    yield RULE.finding(
        op.site,
        f"ctc_loss takes log-probabilities, and `{shown}` is the output of a {kind_of(made)}: the loss is negative and "
        "means nothing; use log_softmax",
        evidence=with_calls(op, made_here(made, "holds probabilities")),
        rewrite=unsafe("use log_softmax", in_log_space(graph, op, "log_probs", 0, made)),
    )
