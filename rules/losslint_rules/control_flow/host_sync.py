"""a number read out of a tensor, for which the CPU waits for the GPU

`.item()`, `.tolist()`, `int(t)`, `float(t)` and `.cpu()` give Python a number that the GPU has to compute first. Everything
queued up to there is waited for, once a call: a loss that does it in a loop, or for every sample, can cost more than the
network. torch.compile splits its graph at all of these but `.cpu()`.

Reported for tensors that are computed from the inputs, outside `no_grad`, where the loss goes on to compute with the number.
What is only logged or returned beside the loss, and work that has to happen on the CPU (an assignment by scipy), is silent.
This is about speed alone: info, and preview.

## Bad

```python
import torch.nn.functional as F

def masked_loss(pred, target, mask):
    loss = F.mse_loss(pred, target, reduction="none")
    count = mask.sum().item()
    return (loss * mask).sum() / max(count, 1)
```

## Good

```python
import torch.nn.functional as F

def masked_loss(pred, target, mask):
    loss = F.mse_loss(pred, target, reduction="none")
    count = mask.sum().clamp(min=1)
    return (loss * mask).sum() / count
```

Keep the number a tensor: `clamp(min=1)` for `max(n, 1)`, `torch.where` for a choice. No fix is offered.

A run confirms it by a profile that waits here, or by the graph break that torch.compile reports.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import RETURN, Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind
from losslint_rules.control_flow.data_dependence import is_computed_from_inputs

RULE = Rule(code="LL805", name="host-sync", severity=Severity.INFO, preview=True)

_READS = {
    "item": ".item()",
    "tolist": ".tolist()",
    "int": "int()",
    "float": "float()",
    "cpu": ".cpu()",
}
_READ_ALREADY = frozenset({"item", "tolist", "cpu", "numpy", "int", "float"})


@RULE.on_op(*_READS)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a tensor of the inputs that becomes a Python number the loss computes with."""
    read = op.operands[0]
    if op.name in ("int", "float") and op.value.kind is Kind.TENSOR:
        return  # the method, which casts
    if (
        not read.is_tensor
        or not op.gradient_matters
        or not is_computed_from_inputs(read, _READ_ALREADY)
        or not _goes_on(op, graph)
    ):
        return
    often = " in every round of the loop" if op.in_loop else ""
    yield RULE.finding(
        op.site,
        f"{_READS[op.name]} waits until the GPU has computed `{excerpt(read)}`{often}; keep it a tensor",
        evidence=with_calls(op, [Step(op.site, f"`{excerpt(read)}` is computed from the inputs of the loss")]),
    )


def _goes_on(op: Op, graph: Graph) -> bool:
    """Whether the loss, or a test on its way, is computed from the number, by what losslint knows as a computation."""
    if op.name == "cpu":
        return graph.matters(op.value) and any(_is_torch(use) for use in graph.uses(op.value))
    if graph.matters(op.value) and not _is_only_returned(op, graph):
        return True
    asked = {condition.test.key: condition.test for each in graph.ops for condition in each.conditions}
    return any(value.key == op.value.key for value in ancestors(asked.values()))


def _is_only_returned(op: Op, graph: Graph) -> bool:
    """Whether nothing is computed with it: it goes into a tuple or a mapping that is returned, for the log."""
    return all(use.name == RETURN for use in graph.uses(op.value))


def _is_torch(use: Op) -> bool:
    return use.value.kind is Kind.TENSOR and use.name not in (
        "unknown",
        "numpy",
        "escape",
        "from_numpy",
        "detach",
        RETURN,
    )
