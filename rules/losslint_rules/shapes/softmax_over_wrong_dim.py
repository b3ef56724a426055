"""softmax along one dimension, classes picked along another

`F.log_softmax(x, dim=0)` of an (N, C) tensor makes the samples of a batch compete for each class: the loss of one sample depends
on the others, and the scores of a sample do not sum to one. What follows shows where the classes are: nll_loss takes them from
dimension 1, `gather(1, target.unsqueeze(1))` picks them there, `(target * log_p).sum(dim=1)` sums over them.

A warning, and only where the dimension of the softmax and that of the classes are both known to differ. A softmax over the batch
that is meant, as in attention over samples or a contrastive loss in both directions, is followed by no such operator.

## Bad

```python
import torch.nn.functional as F

def classification_loss(logits, target):
    log_p = F.log_softmax(logits, dim=0)
    return -log_p.gather(1, target.unsqueeze(1)).mean()
```

## Good

```python
import torch.nn.functional as F

def classification_loss(logits, target):
    log_p = F.log_softmax(logits, dim=1)
    return -log_p.gather(1, target.unsqueeze(1)).mean()
```

No fix is offered: which of the two dimensions is wrong is for the author to say.

A run confirms it by a sample whose loss changes with the other samples of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.measures import literal_int, sizes_of
from losslint.semantics.sizes import rank_of
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.shapes.batches import batch_source
from losslint_rules.shapes.unit_lengths import differ

RULE = Rule(code="LL405", name="softmax-over-wrong-dim", severity=Severity.WARNING, doubted=True)

_SAME_PLACES = frozenset(
    "log add sub mul div clamp clamp_min neg pow exp float half double detach clone contiguous".split()
)


@RULE.on_op("nll_loss", "gather", "take_along_dim")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report classes picked along a dimension that is not the one normalised."""
    softmax = _normalised(op.operands[0])
    dim = op.keywords.get("dim")
    classes = 1 if op.name == "nll_loss" else literal_int(dim)
    if softmax is None or classes is None or not graph.matters(op.value):
        return
    along = literal_int(softmax.origin.keywords.get("dim"))
    if along is None or not differ(softmax.origin.operands[0], along, classes):
        return
    if op.name == "nll_loss" and (rank_of(sizes_of(softmax)) or 0) < 2:
        return
    site = softmax.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(softmax)}` normalises along dimension {along}, but classes are taken from dimension {classes}: "
        + ("the samples of the batch compete" if along == 0 else "it is not the classes that compete")
        + ", and the scores of one sample do not sum to one",
        evidence=with_calls(op, [Step(site, f"this softmax runs along dimension {along}")] if site is not None else []),
    )


@RULE.on_op("sum")
def soft_targets_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `(target * log_softmax(logits, dim=0)).sum(dim=1)`, where the logits are those of a batch."""
    product = _without_sign(op.operands[0])
    if (
        literal_int(op.keywords.get("dim")) not in (1, -1)
        or product.origin.name != "mul"
        or not graph.matters(op.value)
    ):
        return
    for factor in product.origin.operands:
        softmax = _without_sign(factor)
        if softmax.origin.name != "log_softmax" or literal_int(softmax.origin.keywords.get("dim")) != 0:
            continue
        site = softmax.origin.site
        if site is None or _is_of_pairs(softmax, graph) or batch_source(softmax) is None or not _is_matrix(softmax):
            continue
        yield RULE.finding(
            op.site,
            f"`{excerpt(softmax)}` normalises over the batch, but this sum goes over the classes of each sample: the samples "
            "compete for each class, and the scores of one sample do not sum to one",
            evidence=with_calls(op, [Step(site, "this softmax runs along dimension 0")]),
        )


def _is_matrix(value: Value) -> bool:
    sizes = sizes_of(value)
    return sizes is not None and rank_of(sizes) in (2, None)


_PAIRS = frozenset("matmul mm bmm einsum cdist cosine_similarity t".split())


def _is_of_pairs(softmax: Value, graph: Graph) -> bool:
    """Whether the logits are similarities of pairs, whose columns are normalised as well as their rows."""
    logits = softmax.origin.operands[0]
    both = any(
        op.operands[0].key == logits.key and op.value.key != softmax.key
        for op in graph.named("softmax", "log_softmax", "cross_entropy_loss", "logsumexp")
    )
    return both or any(each.origin.name in _PAIRS for each in ancestors([logits]))


def _without_sign(value: Value) -> Value:
    while value.origin.name == "neg":
        value = value.origin.operands[0]
    return value


def _is_total_of(logits: Value, total: Value) -> bool:
    """`logits - logsumexp(logits, keepdim=True)`, a log_softmax that is written out."""
    return total.origin.name == "logsumexp" and total.origin.operands[0].key == logits.key


def _normalised(value: Value) -> Value | None:
    """The softmax behind a value, through what leaves every element in its place."""
    for _ in range(20):
        if value.origin.name in ("softmax", "log_softmax"):
            return value
        if value.origin.name == "sub" and _is_total_of(*value.origin.operands[:2]):
            return value.origin.operands[1]
        if value.origin.name not in _SAME_PLACES or not value.origin.operands:
            return None
        value = value.origin.operands[0]
    return None
