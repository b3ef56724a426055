"""the result of an operator is thrown away

`x.clamp(min=0)` makes a new tensor and leaves `x` as it is. As a statement of its own it does nothing: the name with the
underscore (`x.clamp_`) changes the tensor itself, or the result has to be bound to a name.

Reported where the receiver is proven to be a tensor: `model.to(device)`, for instance, does move a module. And for a sum or a
product of tensors that stands alone: `weight * loss` where `total += weight * loss` was meant.

## Bad

```python
import torch

def masked_loss(pred, target, mask):
    error = (pred - target) ** 2
    error.masked_fill(mask, 0.0)
    return error.mean()
```

## Good

```python
import torch

def masked_loss(pred, target, mask):
    error = (pred - target) ** 2
    error = error.masked_fill(mask, 0.0)
    return error.mean()
```

The fix binds the result to the receiver's name, and is unsafe: it changes what the loss is worth, as was meant.

A run confirms it: without the line the loss is the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.names import dotted
from losslint.semantics.operators import Shape, operators
from losslint.semantics.spelling import shortened
from losslint.semantics.syntax_walk import children
from losslint.semantics.values import Gradient
from losslint_rules.usage.definitions import functions
from losslint_rules.usage.tensor_proof import is_pure, is_tensor_for_certain

RULE = Rule(code="LL722", name="discarded-result", severity=Severity.WARNING, doubted=True)

_SYNCHRONISES = frozenset({"item", "tolist", "numpy", "cpu", "equal", "allclose"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report statements that consist of a pure operator on a tensor."""
    statements = frozenset[int]().union(*(_called_in(function) for _, function in functions(graph)))
    for op in graph.ops if statements else ():
        if op.origin.site is not None and op.site.unit is graph.unit and id(op.site.node) in statements:
            yield from _finding(op, graph)


@kept_for_a_file
def _called_in(function: cst.FunctionDef) -> frozenset[int]:
    return frozenset(map(id, _statements(function)))


def _statements(node: cst.CSTNode) -> Iterator[cst.Call | cst.BinaryOperation]:
    """The calls and sums that are statements; those behind a `try` may be made to see whether they raise."""
    match node:
        case cst.Expr(value=cst.Call() | cst.BinaryOperation() as alone):
            yield alone
        case cst.Try() | cst.TryStar():
            return
        case cst.SimpleStatementLine(body=body):
            for small in body:
                if type(small) is cst.Expr:
                    yield from _statements(small)
        case _:
            for child in children(node):
                if not isinstance(child, cst.BaseExpression):
                    yield from _statements(child)


def _finding(op: Op, graph: Graph) -> Iterator[Finding]:
    call = op.site.node
    row = operators().get(op.name)
    if isinstance(call, cst.BinaryOperation):
        if op.value.is_tensor and op.value.gradient is Gradient.CARRIES:
            yield RULE.finding(
                op.site,
                f"`{shortened(graph.unit.code(call))}` is computed and nothing keeps it; add it to the loss, or bind it to a name",
                evidence=with_calls(op, ()),
            )
        return
    assert isinstance(call, cst.Call)
    if row is None or row.random or row.shape is Shape.FACTORY or op.name in _SYNCHRONISES:
        return
    if not is_pure(call) or not op.operands or _is_there_already(op):
        return
    is_function = (graph.unit.qualified(call.func) or "").startswith("torch.")
    if not is_function and not is_tensor_for_certain(op.operands[0], op, graph):
        return
    name = _receiver(op, call, graph)
    written = graph.unit.code(call)
    advice = f"write `{name} = {written}`" if name else "bind its result to a name"
    rewrite = Rewrite(
        Applicability.UNSAFE, f"bind the result to `{name}`", (Replacement(op.site, f"{name} = {written}"),)
    )
    yield RULE.finding(
        op.site,
        f"`{shortened(written)}` makes a new tensor that nothing keeps, and changes nothing; {shortened(advice, 70)}",
        evidence=with_calls(op, ()),
        rewrite=rewrite if name else None,
    )


def _is_there_already(op: Op) -> bool:
    """Whether a tensor is sent to the device of what it is computed from: `weight = 1 - p; weight.to(p.device)`."""
    sources = {each.key for each in ancestors(op.operands[:1])}
    places = [each for each in op.operands[1:] if each.origin.name == "device"]
    return op.name == "to" and any(place.origin.operands[0].key in sources for place in places if place.origin.operands)


def _receiver(op: Op, call: cst.Call, graph: Graph) -> str:
    """The name that the result can be bound to: what the method is called on, where that is a name, and no owner of a module."""
    is_method = isinstance(call.func, cst.Attribute) and op.origin.module is None
    if not is_method or graph.unit.qualified(call.func) is not None:
        return ""
    return dotted(cst.ensure_type(call.func, cst.Attribute).value) or ""
