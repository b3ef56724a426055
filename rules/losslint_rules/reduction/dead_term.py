"""a term of the loss that is computed and never used

A loss is assigned to a name that nothing reads: it costs time and trains nothing. Most often it was left out of the sum, or
another name stands in its place there.

Reported for what torch's losses return, for means and sums that carry a gradient, and for computed values whose name
says loss; and for masks and weights that are computed from an input and then multiplied with nothing. Any use counts, in
a log, an f-string, a nested function or a `del`.

## Bad

```python
import torch.nn.functional as F

def two_term_loss(pred, target, features):
    data = F.mse_loss(pred, target)
    sparsity = features.abs().mean()
    return data
```

## Good

```python
import torch.nn.functional as F

def two_term_loss(pred, target, features):
    data = F.mse_loss(pred, target)
    sparsity = features.abs().mean()
    return data + 0.1 * sparsity
```

No fix is offered: only the author knows whether the term belongs into the loss.

A run confirms it by a value that does not depend on what the term is computed from.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule
from losslint.semantics.graph import RETURN, Graph, ancestors
from losslint.semantics.liveness import liveness
from losslint.semantics.loss_names import is_loss_value, words
from losslint.semantics.names import Function
from losslint.semantics.values import Gradient, Kind, Reduced, Site, Value
from losslint_rules.reduction.loss_operators import is_loss_operator

RULE = Rule(code="LL316", name="dead-term", severity=Severity.WARNING, doubted=True)

_WEIGHING = frozenset({"weight", "weights", "mask", "masks"})
_TERMS = frozenset("nll ce bce mse mae kl kld penalty".split())
_PARTS = frozenset({"split", "chunk", "unbind", "topk", "sort", "max", "min", "size"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report terms that nothing reads in the loss and in what it calls in this file."""
    values = _values(graph)
    for function in _functions(graph):
        live = liveness(function)
        read = {each.name for each in live.bindings if live.fate(each).read or each.how not in ("assign", "augment")}
        for binding in live.bindings:
            name = binding.name
            if binding.how != "assign" or binding.value is None or name in read or name.startswith("_"):
                continue
            if _is_term(graph, name, binding.value, values):
                yield RULE.finding(
                    Site(graph.unit, binding.value),
                    f"the term `{name}` is computed and never used: add it to the loss, or leave it out",
                )
            elif _weighs(name, values.get(id(binding.value))):
                yield RULE.finding(
                    Site(graph.unit, binding.value),
                    f"`{name}` is computed and never used, so every element counts alike: multiply the loss by it, or leave it out",
                )


def _values(graph: Graph) -> dict[int, Value]:
    """The value of each expression of this file that an operator made, or a call that was followed gave back."""
    found: dict[int, Value] = {}
    for op in graph.ops:
        if op.name != RETURN:
            found[id(op.site.node)] = op.value
        elif op.calls:
            found[id(op.calls[-1].site.node)] = op.operands[0]
    return found


def _functions(graph: Graph) -> Iterator[Function]:
    if graph.function is not None:
        yield graph.function
    for _, function in graph.unit.parsed_functions():
        if id(function) in graph.inlined and function is not graph.function:
            yield function


def _is_term(graph: Graph, name: str, node: cst.BaseExpression, values: dict[int, Value]) -> bool:
    """Whether a loss is assigned to a name: what torch's losses give, a mean, or something computed and so called."""
    if _MEASURED & set(words(name)):
        return False
    value = values.get(id(node))
    if value is None:
        return id(node) in graph.opaque and is_loss_value(name)
    if value.gradient is not Gradient.CARRIES or value.kind not in (Kind.TENSOR, Kind.UNKNOWN):
        return False
    reduced = value.rank == 0 and value.reduction.kind in (Reduced.MEAN, Reduced.SUM)
    return is_loss_operator(value) or reduced or is_loss_value(name) or bool(_TERMS & set(words(name)))


_MEASURED = frozenset("val valid validation test eval evaluation dev".split())
"""`loss_val` is computed after a step of training, to be looked at."""


def _weighs(name: str, value: Value | None) -> bool:
    """Whether a value, computed from an input, is named as what weighs or masks elements."""
    if value is None or value.kind is not Kind.TENSOR or value.rank == 0 or value.origin.name in _PARTS:
        return False
    return bool(_WEIGHING & set(words(name))) and any(each.origin.name == "parameter" for each in ancestors([value]))
