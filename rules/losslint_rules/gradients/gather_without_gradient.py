"""embeddings gathered from all processes without their gradient

`dist.all_gather` fills tensors that have no graph. A contrastive loss against what it gathered trains each embedding only
as an anchor, never as the positive or negative of another one, and DDP's mean over the processes shrinks even that: the
result depends on the number of GPUs.

Reported is a gathered tensor that carries a gradient before, and a returned loss that is computed from the copy. Silent are
counts, labels, keys and whatever else has no gradient or is gathered under `no_grad`, and losses that put the local tensor
back among the gathered ones (`gathered[rank] = z`) or use torch.distributed.nn.

## Bad

```python
import torch
import torch.distributed as dist
import torch.nn.functional as F

def contrastive_loss(anchors, positives):
    gathered = [torch.zeros_like(positives) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, positives)
    logits = anchors @ torch.cat(gathered).t()
    labels = torch.arange(len(anchors), device=anchors.device) + dist.get_rank() * len(anchors)
    return F.cross_entropy(logits, labels)
```

## Good

```python
import torch
import torch.distributed as dist
import torch.distributed.nn
import torch.nn.functional as F

def contrastive_loss(anchors, positives):
    gathered = torch.cat(torch.distributed.nn.all_gather(positives))
    logits = anchors @ gathered.t()
    labels = torch.arange(len(anchors), device=anchors.device) + dist.get_rank() * len(anchors)
    return F.cross_entropy(logits, labels)
```

No fix is offered: whether the gradient of the others is wanted is a choice. A run confirms it only with several processes,
which losslint does not start.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.collectives import ALL_GATHER
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import carries_from_input
from losslint.semantics.values import Gradient, Value

RULE = Rule(code="LL108", name="gather-without-gradient", severity=Severity.WARNING, preview=True)

# What puts the local tensor beside the gathered ones.
_JOINS = frozenset({"cat", "stack", "sequence", "unknown", "index_put", "where", "phi", "comprehension", "add"})


@RULE.on_op(ALL_GATHER)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a gather whose source carries a gradient and whose copy ends in the loss alone."""
    source = op.operands[0]
    if not op.gradient_matters or source.gradient is not Gradient.CARRIES or not carries_from_input(source):
        return
    if graph.function is None or not graph.matters(op.value) or _is_put_back(graph, op.value):
        return
    yield RULE.finding(
        op.site,
        f"all_gather copies `{excerpt(source)}` without its gradient, and the loss is computed from the copies: use "
        "torch.distributed.nn.all_gather, or put the local tensor back among them",
        evidence=with_calls(op, [Step(op.site, f"`{excerpt(source)}` carries a gradient, what is gathered does not")]),
    )


def _is_put_back(graph: Graph, gathered: Value) -> bool:
    """Whether something with a gradient is joined with the gathered tensors."""
    for value in ancestors(graph.results):
        if value.origin.name not in _JOINS:
            continue
        parts = [*value.origin.operands, *(value.elements if isinstance(value.elements, tuple) else ())]
        copies = [part for part in parts if part.gradient is not Gradient.CARRIES and _holds(part, gathered)]
        if copies and any(part.gradient is Gradient.CARRIES for part in parts):
            return True
    return False


def _holds(part: Value, gathered: Value) -> bool:
    return any(value.key == gathered.key for value in ancestors([part]))
