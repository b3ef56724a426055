"""nll_loss of something that holds no log-probabilities

`F.nll_loss` and `nn.NLLLoss` only pick the element of the right class and negate it; the log and the
normalisation are the caller's. Given probabilities the loss is -p, between -1 and 0, whose gradient vanishes for
a prediction that is confidently wrong. Given the raw scores of a layer it has no lower bound at all.

Picking the probability on purpose is not reported: `-F.nll_loss(p, y)` and `1 + F.nll_loss(p, y)`.

## Bad

```python
import torch.nn.functional as F

def classification_loss(logits, labels):
    return F.nll_loss(F.softmax(logits, dim=1), labels)
```

## Good

```python
import torch.nn.functional as F

def classification_loss(logits, labels):
    return F.nll_loss(F.log_softmax(logits, dim=1), labels)
```

`F.cross_entropy(logits, labels)` is the same in one call. The fix writes log_softmax; it is unsafe, because the
loss becomes the one that was meant.

A run confirms it by a loss below 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint_rules.usage.arguments import argument, in_log_space, made_here, unsafe, written
from losslint_rules.usage.meanings import Meaning, kind_of, meaning_of

RULE = Rule(code="LL703", name="nll-without-log-softmax", severity=Severity.ERROR)


@RULE.on_op("nll_loss")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report probabilities, or a layer's scores, where log-probabilities are taken."""
    given = argument(op, "input")
    meant = meaning_of(given) if given is not None else None
    if meant is None or meant.meaning is Meaning.LOG_PROBABILITY or not graph.matters(op.value):
        return
    if _picks_on_purpose(op, graph):
        return
    made, shown = meant.made, written(op, "input", 0)
    why = (
        f"is the output of a {kind_of(made)}: the loss is minus the probability, without its log"
        if meant.meaning is Meaning.PROBABILITY
        else f"is the raw output of a {kind_of(made)}: the loss has no lower bound"
    )
    yield RULE.finding(
        op.site,
        f"nll_loss takes log-probabilities and only picks and negates them, and `{shown}` {why}; use log_softmax",
        evidence=with_calls(op, made_here(made, f"holds {meant.meaning.value}")),
        rewrite=unsafe("use log_softmax", in_log_space(graph, op, "input", 0, made)),
    )


def _picks_on_purpose(op: Op, graph: Graph) -> bool:
    """`-nll_loss(p, y)` is p of the right class, `1 + nll_loss(p, y)` is 1 - p: the pick is what is wanted."""
    for other in graph.named("neg", "add", "sub", "rsub"):
        operands = other.operands
        if all(each.key != op.value.key for each in operands):
            continue
        if other.name == "neg" or any(each.has_constant and each.constant in (0, 1) for each in operands):
            return True
    return False
