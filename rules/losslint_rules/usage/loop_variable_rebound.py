"""the variable of a loop is bound anew, and nothing reads it

`for t in tensors: t = t * w` gives the name `t` another value for the rest of the turn. The list, and the tensors in it,
stay as they are. Nothing is scaled, moved or cut off, and nothing complains.

## Bad

```python
import torch

def pyramid_loss(errors, weight):
    for error in errors:
        error = error * weight
    return torch.stack(errors).mean()
```

## Good

```python
import torch

def pyramid_loss(errors, weight):
    errors = [error * weight for error in errors]
    return torch.stack(errors).mean()
```

In-place operators (`t *= w`, `t.mul_(w)`) do change the tensors and are not reported; nor is `m = m.to(device)` for what
may be a module, which is moved in place.

No fix is offered: the result belongs into a list, or into the sum.

A run confirms it: without the line the loss is the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.liveness import liveness
from losslint.semantics.name_events import Binding
from losslint.semantics.syntax_walk import walk
from losslint.semantics.values import Role, Site
from losslint_rules.usage.definitions import functions
from losslint_rules.usage.tensor_proof import AMBIGUOUS, is_pure

RULE = Rule(code="LL723", name="loop-variable-rebound", severity=Severity.WARNING, doubted=True)

_TENSORS = (Role.PREDICTION, Role.TARGET, Role.MASK, Role.WEIGHT)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a binding of a loop variable, computed from itself, that nothing reads."""
    for _, function in functions(graph):
        live = liveness(function)
        for binding in live.bindings:
            loop = _loop_of(binding)
            if binding.how != "assign" or loop is None or live.fate(binding).read:
                continue
            if not _reads(binding.value, binding.name) or not _is_pure(binding.value, graph):
                continue
            iterated = graph.unit.code(loop.iter)
            assert binding.value is not None
            yield RULE.finding(
                Site(graph.unit, binding.value),
                f"`{binding.name} = {graph.unit.code(binding.value)}` binds the loop variable anew and nothing reads it, so "
                f"what `{iterated}` holds stays as it is; collect the results, for instance in a list",
                evidence=[Step(Site(graph.unit, loop.target), f"`{binding.name}` is an element of `{iterated}`")],
            )


def _loop_of(binding: Binding) -> cst.For | None:
    """The loop around a binding that it is the variable of."""
    for loop in reversed(binding.loops):
        if isinstance(loop, cst.For) and _reads(loop.target, binding.name):
            return loop
    return None


def _reads(node: cst.CSTNode | None, name: str) -> bool:
    return node is not None and any(isinstance(each, cst.Name) and each.value == name for each in walk(node))


def _is_pure(node: cst.BaseExpression | None, graph: Graph) -> bool:
    """Arithmetic, or a torch operator that only a tensor has: what else is called may change its argument."""
    match node:
        case cst.BinaryOperation(left=left, right=right):
            return _is_pure(left, graph) and _is_pure(right, graph)
        case cst.UnaryOperation(expression=inner):
            return _is_pure(inner, graph)
        case cst.Call():
            return is_pure(node) and any(
                op.origin.site is not None
                and op.site.node is node
                and bool(op.operands)
                and (op.name not in AMBIGUOUS or op.operands[0].role in _TENSORS)
                for op in graph.ops
            )
        case cst.Attribute(value=value) | cst.Subscript(value=value):
            return _is_pure(value, graph)
    return isinstance(node, (cst.Name, cst.Integer, cst.Float))
