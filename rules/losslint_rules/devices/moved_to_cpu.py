"""a tensor that is moved to the CPU and then meets the inputs

`mask.cpu()` and `mask.type(torch.FloatTensor)` are on the CPU wherever the mask was. With the inputs on a GPU the next
operator that takes both fails: "Expected all tensors to be on the same device". A test on the CPU never sees it.
`.type(torch.FloatTensor)` looks like a cast, and is a move too.

Reported where the tensor that is moved was with the inputs, and the result meets one that still is. Silent where all is
moved, where the code asks for the device, and for what is brought back.

## Bad

```python
import torch

def masked_loss(pred, target):
    mask = (target > 0).type(torch.FloatTensor)
    return (mask * (pred - target) ** 2).mean()
```

## Good

```python
def masked_loss(pred, target):
    mask = (target > 0).to(pred.dtype)
    return (mask * (pred - target) ** 2).mean()
```

No fix is offered: the move may be meant, and then it is the other operand that has to follow.

A run confirms it on a GPU, or on a pretend device that has CUDA's rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph
from losslint.semantics.spelling import excerpt
from losslint_rules.devices.mixing import moved_mixtures

RULE = Rule(code="LL530", name="moved-to-cpu", severity=Severity.WARNING, doubted=True, confirmed_by=("device",))


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the move of a tensor whose result meets an input, once."""
    told: set[int] = set()
    for mixture in moved_mixtures(graph):
        mover = graph.op_of(mixture.source)
        if mover is None or mixture.source.key in told:
            continue
        told.add(mixture.source.key)
        moved, meets = excerpt(mixture.source), excerpt(mixture.on_input)
        steps = [
            Step(mover.site, f"`{moved}` is on the CPU"),
            Step(mixture.op.site, f"and meets `{meets}`, which is where the inputs are"),
        ]
        yield RULE.finding(
            mover.site,
            f"`{moved}` is on the CPU wherever the inputs are, and cannot be mixed with `{meets}` when they are on a GPU; keep it "
            "there, with .to(dtype) for a cast",
            evidence=with_calls(mover, steps),
        )
