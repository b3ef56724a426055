"""a loss that returns one number an element instead of one number

`backward()` needs a scalar: "grad can be implicitly created only for scalar outputs". The usual reason is a
forgotten `.mean()`.

Reported where the returned value is proven to be elementwise in the inputs and nothing leaves the reduction
to the caller: no `reduction` option, no decorator, no word of per-sample losses in name or docstring, no
caller in the file.

## Bad

```python
import torch
import torch.nn as nn

class ScaledLoss(nn.Module):
    def forward(self, pred, target):
        return torch.abs(pred - target) * 2.0
```

## Good

```python
import torch
import torch.nn as nn

class ScaledLoss(nn.Module):
    def forward(self, pred, target):
        return (torch.abs(pred - target) * 2.0).mean()
```

The fix appends `.mean()` and is unsafe: it changes what the loss returns, and `.sum()` may be meant.

A run confirms it by an output with more than one element. A run alone cannot know whether the caller reduces, so what
only a run saw is an info.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.measurements import Measurements
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, RunFinding, Step, Symptom
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, parenthesised
from losslint.semantics.values import Kind
from losslint_rules.reduction.returns import (
    alternatives,
    has_elements,
    is_called_in_file,
    leaves_reduction_open,
)

RULE = Rule(
    code="LL301",
    name="unreduced-return",
    severity=Severity.INFO,
    confirmed_by=("unreduced",),
    precondition=Precondition.RESULT,
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a loss of which every return is elementwise."""
    found = alternatives(graph)
    if not found or not all(has_elements(value) for value, _ in found) or leaves_reduction_open(graph):
        return
    if graph.owner and graph.function is not None and graph.function.name.value not in ("forward", "__call__"):
        return
    if is_called_in_file(graph) or (graph.function is not None and graph.function.name.value.startswith("_")):
        return
    for op in graph.returns:
        if op.operands[0].kind is not Kind.SEQUENCE:
            yield _finding(op)


def _finding(op: Op) -> Finding:
    value = op.operands[0]
    steps = [Step(value.origin.site, "one number an element, nothing reduces it")] if value.origin.site else []
    return RULE.finding(
        op.site,
        f"`{excerpt(value)}` is returned unreduced, one number an element: backward() needs a scalar",
        evidence=steps,
        rewrite=_rewrite(op),
    )


def _rewrite(op: Op) -> Rewrite | None:
    node = op.site.node
    if not isinstance(node, cst.Return) or node.value is None:
        return None
    text = op.site.unit.code(node.value)
    content = f"return {parenthesised(text)}.mean()"
    return Rewrite(Applicability.UNSAFE, "return the mean over all elements", (Replacement(op.site, content),))


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report what came back with more than one element; whether the caller reduces it no run can tell."""
    forward = m.forward
    if forward is None or forward.status != "ok" or forward.is_scalar or not forward.shapes:
        return
    shape = forward.shapes[0]
    if shape and not m.symbol.rpartition(".")[2].startswith("_"):
        yield RULE.run_finding(
            f"a tensor of shape {list(shape)} comes back: backward() needs a scalar, so the caller must reduce it",
            Symptom.NOT_SCALAR,
            m.input_confidence or 0.0,
            severity=Severity.INFO,
        )
