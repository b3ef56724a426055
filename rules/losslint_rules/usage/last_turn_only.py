"""a sum that holds its last summand alone

`total = criterion(output, target)` in a loop, where `total = total + ...` was meant, throws away all turns but the last one.
What is computed before gets no gradient, and `total / len(outputs)` is the last loss divided by the number of all.

Reported where a name is 0 in front of a loop, is bound anew in every turn to what is computed with the loop's variable, and is
divided behind the loop by the number of its turns, so that a sum was meant. Loops that go on from their last result
are silent, and so is every name that the loop reads.

## Bad

```python
import torch.nn.functional as F

def multi_scale_loss(outputs, target):
    total = 0
    for output in outputs:
        total = F.l1_loss(output, target)
    return total / len(outputs)
```

## Good

```python
import torch.nn.functional as F

def multi_scale_loss(outputs, target):
    total = 0
    for output in outputs:
        total = total + F.l1_loss(output, target)
    return total / len(outputs)
```

No fix is offered: the last turn may be the one that is meant, and then the division is what is wrong.

A run confirms it: all but the last elements have no influence.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import walk
from losslint.semantics.values import Site
from losslint_rules.usage.loop_bodies import (
    assigned,
    for_loops,
    has_name,
    mentions,
    nodes_behind,
    own_statements,
    statements_before,
)

RULE = Rule(code="LL756", name="last-turn-only", severity=Severity.WARNING, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report names that start at 0, are bound anew in every turn, and are averaged over the turns."""
    for function, loop in for_loops(graph):
        yield from _in_loop(graph, function, loop)


def _in_loop(graph: Graph, function: Function, loop: cst.For) -> Iterator[Finding]:
    zeros = {}
    for each in statements_before(function, loop) or ():
        found = assigned(each)
        if found is not None:
            zeros[found[0]] = each if _is_zero(found[1]) else None
    variables = {each.value for each in walk(loop.target) if isinstance(each, cst.Name)}
    for statement in own_statements(loop):
        found = assigned(statement)
        start = zeros.get(found[0]) if found is not None else None
        if found is None or start is None:
            continue
        name, value = found
        inside = sum(isinstance(each, cst.Name) and each.value == name for each in walk(loop))
        if inside != 1 or not any(mentions(value, each) for each in variables):
            continue
        division = _averaged(function, loop, name)
        if division is None:
            continue
        yield RULE.finding(
            Site(graph.unit, statement),
            f"`{name}` is bound anew in every turn and holds the last one alone when `{graph.unit.code(division)}` averages over "
            f"all; add to it with `{name} = {name} + ...`",
            evidence=[Step(Site(graph.unit, start), f"`{name}` starts at 0 here, as a sum does")],
        )


def _is_zero(node: cst.BaseExpression) -> bool:
    match node:
        case cst.Integer(value="0") | cst.Float(value="0." | "0.0"):
            return True
        case cst.Call(func=cst.Attribute(attr=cst.Name(value="zeros" | "zeros_like" | "new_zeros"))):
            return True
        case cst.Call(func=cst.Attribute(attr=cst.Name(value="tensor")), args=[cst.Arg(value=first), *_]):
            return _is_zero(first)
    return False


def _averaged(function: Function, loop: cst.For, name: str) -> cst.BinaryOperation | None:
    """The division of the name behind the loop by a length, a count or what `range` was given."""
    bounds = [each.value for each in loop.iter.args] if isinstance(loop.iter, cst.Call) else [loop.iter]
    for node in nodes_behind(function, loop):
        if not isinstance(node, cst.BinaryOperation):
            continue
        if isinstance(node.operator, cst.Divide) and has_name([node.left], name):
            return node if any(_is_about(node.right, bound) for bound in bounds) else None
    return None


def _is_about(divisor: cst.BaseExpression, bound: cst.BaseExpression) -> bool:
    """Whether a divisor is the bound of the loop, or the length of what it goes over."""
    return any(each.deep_equals(bound) for each in walk(divisor) if type(each) is type(bound))
