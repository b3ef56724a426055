"""a Python loop over a tensor or its batch

Each turn launches its own small kernels and adds its own nodes to the autograd graph: a batch of 64 is 64
times the overhead. Tracing unrolls the loop for one batch size; torch.compile recompiles for another.

A warning where every turn does the same maths on its element, so that one expression over the batch dimension
does it. Where the work is ragged (boolean masks, branches, calls nothing is known of) it is info. Loops over
lists of feature maps, scales, classes or settings are silent.

## Bad

```python
import torch

def pair_loss(pred: torch.Tensor, target: torch.Tensor):
    total = 0.0
    for i in range(pred.size(0)):
        total = total + ((pred[i] - target[i]) ** 2).mean()
    return total / pred.size(0)
```

## Good

```python
import torch

def pair_loss(pred: torch.Tensor, target: torch.Tensor):
    return ((pred - target) ** 2).mean()
```

No fix is offered. A run confirms it by the number of operators growing with the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls
from losslint.semantics.graph import BRANCH, LOOP, Graph, Op
from losslint.semantics.loops import is_carried
from losslint.semantics.spelling import excerpt
from losslint.semantics.syntax_walk import children
from losslint.semantics.terms import carries_from_input
from losslint.semantics.values import Gradient

RULE = Rule(
    code="LL802",
    name="loop-over-tensor",
    severity=Severity.INFO,
    confirmed_by=("trace",),
    precondition=Precondition.TRACED,
)

_RAGGED = frozenset({"nonzero", "masked_select", "unique", "argwhere", "unique_consecutive", BRANCH, LOOP})


@RULE.on_op(LOOP)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a loop over a tensor whose body the loss depends on."""
    body = [each for each in graph.ops if any(site.node is op.site.node for site in each.in_loop)]
    if op.detail != "sum" and not any(graph.matters(each.value) for each in body):
        return
    if not op.gradient_matters or all(value.gradient is Gradient.NEUTRAL for value in op.operands):
        return  # a loop over targets or settings costs time, but no gradient flows through it
    ragged = next((each for each in body if _is_ragged(each)), None) if body else None
    names = ", ".join(dict.fromkeys(f"`{excerpt(value)}`" for value in op.operands))
    steps = [
        Step(value.origin.site, f"`{excerpt(value)}` is a tensor") for value in op.operands[:1] if value.origin.site
    ]
    if ragged is not None:
        steps.append(Step(ragged.site, "what a turn does here depends on the data"))
    known = (
        ragged is None
        and not _calls_unknown(op.site.node, graph)
        and any(carries_from_input(each) for each in op.operands)
    )
    severe = known and _over_batch(op) and any(_is_maths(each, graph) for each in body)
    yield RULE.finding(
        op.site,
        f"Python loops over the tensor {names}: "
        + (
            "every turn does the same maths, which one expression over that dimension does at once"
            if severe
            else "each turn launches its own kernels, and tracing unrolls it for one size"
        ),
        severity=RULE.severity if severe else Severity.INFO,
        evidence=with_calls(op, steps),
    )


def _is_maths(op: Op, graph: Graph) -> bool:
    """Whether an operator computes something of the loss from this turn alone, and does not only pick elements."""
    carries = op.value.gradient is Gradient.CARRIES and graph.matters(op.value)
    return carries and op.name not in ("getitem", "select", "add") and not is_carried(op.operands)


def _is_ragged(op: Op) -> bool:
    if op.name in _RAGGED or op.value.origin.label in ("mask", "ragged"):
        return True
    return op.name == "where" and len(op.operands) == 1


def _calls_unknown(node: cst.CSTNode, graph: Graph) -> bool:
    """Whether something is called in the loop that nothing is known of."""
    return id(node) in graph.opaque or any(_calls_unknown(child, graph) for child in children(node))


def _over_batch(op: Op) -> bool:
    """Whether the loop goes over the first dimension: over the tensor itself, or over a range of its first size."""
    node = op.site.node
    iterated: cst.BaseExpression | None = None
    if isinstance(node, cst.For):
        iterated = node.iter
    elif isinstance(node, (cst.ListComp, cst.GeneratorExp, cst.SetComp)):
        iterated = node.for_in.iter
    if not isinstance(iterated, cst.Call) or not isinstance(iterated.func, cst.Name) or iterated.func.value != "range":
        return True
    text = op.site.unit.code(iterated.args[-1].value)
    sizes = [value for name, value in op.scope.items() if name == text and value.origin.name == "size"]
    if sizes:
        return sizes[0].origin.label == "0"
    return any(mark in text for mark in ("size(0)", "shape[0]", "len(", "size()[0]"))
