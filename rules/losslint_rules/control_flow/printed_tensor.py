"""print of a tensor in a loss

Printing a tensor of the GPU waits for it, copies it, and formats it, at every step, and under DDP once a process. It is what
debugging left behind more often than not. torch.compile cannot capture it.

Reported where every call of the loss prints a tensor computed from its inputs. What stands behind a test (`if self.verbose:`,
`if torch.isnan(loss):`), prints of shapes and settings, and prints in evaluations under `no_grad` are silent.

## Bad

```python
import torch.nn.functional as F

def debug_loss(pred, target):
    loss = F.mse_loss(pred, target)
    print("loss:", loss)
    return loss
```

## Good

```python
import torch.nn.functional as F

def plain_loss(pred, target):
    return F.mse_loss(pred, target)
```

Log every hundredth step, of the detached value, where the training loop is. No fix is offered.

A run confirms it by what it prints.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.syntax_walk import holds
from losslint.semantics.values import Value
from losslint_rules.control_flow.data_dependence import is_computed_from_inputs

RULE = Rule(code="LL807", name="printed-tensor", severity=Severity.INFO, preview=True)


@RULE.on_op("print")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an unconditional print of a tensor."""
    shown = next((value for value in _printed(op) if value.is_tensor and is_computed_from_inputs(value)), None)
    if shown is None or not op.gradient_matters or _is_tested(op):
        return
    yield RULE.finding(
        op.site,
        f"every step prints `{excerpt(shown)}`, which waits for the GPU and copies it; log it outside the loss",
        evidence=with_calls(op, ()),
    )


def _printed(op: Op) -> Iterator[Value]:
    for value in op.operands:
        yield from value.origin.operands if value.origin.name == "formatted" else (value,)


def _is_tested(op: Op) -> bool:
    """Whether the print stands in the body of an `if`, here or around a call that led to it."""
    tests = [each.site.node for each in op.conditions if each.site is not None and isinstance(each.site.node, cst.If)]
    return any(holds(test, op.site.node) or any(holds(test, call.site.node) for call in op.calls) for test in tests)
