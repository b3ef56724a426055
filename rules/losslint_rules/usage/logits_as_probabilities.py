"""logits where probabilities are taken

Logits are any numbers. As the target of a KL divergence they are no distribution, and their logarithm is NaN below 0;
clamped to `[1e-7, 1]`, everything negative becomes 1e-7 and everything above 1 becomes 1, without a gradient. A softmax or
sigmoid was left out.

Reported where an input is named as logits, and what it is given to takes probabilities alone: the target of `F.kl_div`, or a
clamp between a small positive number and 1. Where an option decides whether a softmax is taken, it is silent.

## Bad

```python
import torch.nn.functional as F

def mutual_loss(logits, peer_logits):
    return F.kl_div(F.log_softmax(logits, dim=1), peer_logits.detach(), reduction="batchmean")
```

## Good

```python
import torch.nn.functional as F

def mutual_loss(logits, peer_logits):
    return F.kl_div(F.log_softmax(logits, dim=1), F.softmax(peer_logits.detach(), dim=1), reduction="batchmean")
```

No fix is offered: whether a softmax or a sigmoid is meant, and along which dimension, is the author's to say.

A run confirms it by a divergence that is NaN or negative.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.usage.arguments import flag
from losslint_rules.usage.meanings import VIEWS

RULE = Rule(code="LL791", name="logits-as-probabilities", severity=Severity.WARNING, doubted=True)

_SMALL = 0.01


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report logits as the target of a divergence, or clamped into [0, 1], on every path."""
    by_node: defaultdict[int, list[tuple[Op, Value | None]]] = defaultdict(list)
    for op in graph.named("kl_div", "clamp"):
        given = _given(op)
        if given is not None and graph.matters(op.value):
            by_node[id(op.site.node)].append((op, given if _is_logits(_bare(given)) else None))
    for pairs in by_node.values():
        op, given = pairs[0]
        if given is None or any(other is None for _, other in pairs):
            continue
        site = given.origin.site
        where = (
            "the target of kl_div is a distribution" if op.name == "kl_div" else "this clamp is one of probabilities"
        )
        yield RULE.finding(
            op.site,
            f"{where}, and `{excerpt(_bare(given))}` are logits: take the softmax or sigmoid first",
            evidence=with_calls(op, [Step(site, "given as it is")] if site is not None else []),
        )


def _given(op: Op) -> Value | None:
    """What should be probabilities."""
    if op.name == "kl_div":
        return op.operands[1] if len(op.operands) > 1 and flag(op, "log_target") is False else None
    low, high = op.keywords.get("min"), op.keywords.get("max")
    if low is None or high is None or not (low.has_constant and high.has_constant):
        return None
    is_probable = isinstance(low.constant, float) and 0 < low.constant <= _SMALL
    return (
        op.operands[0]
        if is_probable and isinstance(high.constant, (int, float)) and 1 - _SMALL <= high.constant <= 1
        else None
    )


def _bare(value: Value) -> Value:
    return value.beneath(VIEWS)


def _is_logits(value: Value) -> bool:
    return value.origin.name == "parameter" and bool({"logit", "logits"} & set(words(value.origin.label)))
