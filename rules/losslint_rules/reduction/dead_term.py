"""a term of the loss that is computed and never used

A loss is assigned to a name that nothing reads, overwritten before anything reads it, or computed by a statement of its
own: it costs time and trains nothing. Most often it was left out of the sum, `loss = ` stands where `loss += ` was
meant, or `loss.mean()` was taken for a change of `loss`.

Reported for what torch's losses return, for means and sums that carry a gradient, and for computed values whose name
says loss. Any use counts, in a log, an f-string, a nested function or a `del`.

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

from collections.abc import Iterator, Sequence

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import RETURN, Graph
from losslint.semantics.loss_names import is_loss_value
from losslint.semantics.names import Function
from losslint.semantics.values import Gradient, Kind, Reduced, Site, Value
from losslint_rules.reduction.loss_operators import is_loss_operator
from losslint_rules.reduction.names_read import blocks, names_read, sees_every_name

RULE = Rule(code="LL316", name="dead-term", severity=Severity.WARNING)

Statement = tuple[cst.CSTNode, cst.BaseSmallStatement | None]


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report terms that nothing reads in the loss and in what it calls in this file."""
    values = _values(graph)
    for function in _functions(graph):
        if not sees_every_name(function):
            yield from _unread(graph, function, values)


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
    for function in graph.unit.functions.values():
        if id(function) in graph.inlined and function is not graph.function:
            yield function


def _unread(graph: Graph, function: Function, values: dict[int, Value]) -> Iterator[Finding]:
    read = names_read(function)
    for block in blocks(function):
        statements = _statements(block)
        for position, (_, small) in enumerate(statements):
            if isinstance(small, cst.Expr):
                yield from _thrown_away(graph, small, values)
            name = _assigned(small)
            if name is None or not isinstance(small, cst.Assign) or not _is_term(graph, name, small.value, values):
                continue
            site = Site(graph.unit, small)
            if name not in read:
                yield RULE.finding(
                    site, f"the term `{name}` is computed and never used: add it to the loss, or leave it out"
                )
                continue
            later = _overwriting(name, statements[position + 1 :])
            if later is not None:
                yield RULE.finding(
                    site,
                    f"`{name}` is overwritten before anything reads it, so this term is lost: add to it instead",
                    evidence=[Step(Site(graph.unit, later), "overwritten here")],
                )


def _statements(block: cst.BaseSuite) -> list[Statement]:
    """The statements of a block one after the other, the simple ones of a line apart."""
    found: list[Statement] = []
    for statement in block.body:
        if isinstance(statement, cst.SimpleStatementLine):
            found.extend((small, small) for small in statement.body)
        else:
            found.append((statement, statement if isinstance(statement, cst.BaseSmallStatement) else None))
    return found


def _assigned(statement: cst.BaseSmallStatement | None) -> str | None:
    """The name a plain `name = value` binds; `_` and what starts with it is meant to be unused."""
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0].target
    return target.value if isinstance(target, cst.Name) and not target.value.startswith("_") else None


def _overwriting(name: str, following: Sequence[Statement]) -> cst.CSTNode | None:
    """The statement of the same block that binds a name again before anything reads it."""
    for node, small in following:
        if name in names_read(node):
            return None
        if _assigned(small) == name:
            return node
        if _binds_somewhere(node, name):
            return None
    return None


def _binds_somewhere(node: cst.CSTNode, name: str) -> bool:
    """Whether a compound statement may bind a name, on one of its paths or not at all."""
    if isinstance(node, cst.AssignTarget | cst.AugAssign):
        return isinstance(node.target, cst.Name) and node.target.value == name
    return any(_binds_somewhere(child, name) for child in node.children)


def _is_term(graph: Graph, name: str, node: cst.BaseExpression, values: dict[int, Value]) -> bool:
    """Whether a loss is assigned to a name: what torch's losses give, a mean, or something computed and so called."""
    value = values.get(id(node))
    if value is None:
        return id(node) in graph.opaque and is_loss_value(name)
    if value.gradient is not Gradient.CARRIES or value.kind not in (Kind.TENSOR, Kind.UNKNOWN):
        return False
    reduced = value.rank == 0 and value.reduction.kind in (Reduced.MEAN, Reduced.SUM)
    return is_loss_operator(value) or reduced or is_loss_value(name)


def _thrown_away(graph: Graph, statement: cst.Expr, values: dict[int, Value]) -> Iterator[Finding]:
    """`loss.mean()` and `F.mse_loss(a, b)` as statements of their own."""
    value = values.get(id(statement.value))
    if value is None or value.gradient is not Gradient.CARRIES or not isinstance(statement.value, cst.Call):
        return
    called = statement.value.func
    in_place = isinstance(called, cst.Attribute) and called.attr.value.endswith("_")
    if not in_place and (is_loss_operator(value) or value.origin.name in ("mean", "sum")):
        yield RULE.finding(
            Site(graph.unit, statement),
            f"the result of `{graph.unit.code(statement.value)}` is thrown away: assign it, or add it to the loss",
        )
