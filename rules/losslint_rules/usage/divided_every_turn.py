"""a sum that is divided in every turn of the loop that adds it up

`total = total / n` that stands one level too deep divides what was added before once more in every turn: the first of n elements
counts 1 / n ** n, the last one 1 / n. The division belongs behind the loop.

Reported where the body of a loop adds to a name and divides the same name by the number of turns: by the length of what the loop
goes over, or by what `range` was given. Running means, which divide by what changes in the loop, are silent, and so are
products with a factor.

## Bad

```python
def pairwise_loss(distances, margins):
    total = 0
    for distance, margin in zip(distances, margins):
        total = total + (distance - margin).relu().mean()
        total = total / len(distances)
    return total
```

## Good

```python
def pairwise_loss(distances, margins):
    total = 0
    for distance, margin in zip(distances, margins):
        total = total + (distance - margin).relu().mean()
    return total / len(distances)
```

No fix is offered: a comment says so where a decaying sum is meant.

A run confirms it: elements in another order give another loss.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.values import Site
from losslint_rules.usage.loop_bodies import (
    accumulated,
    assigned,
    bound_names,
    for_loops,
    has_name,
    mentions,
    own_statements,
)

RULE = Rule(code="LL755", name="divided-every-turn", severity=Severity.WARNING, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report sums that a loop adds up and divides by the number of its turns, in every turn."""
    for _, loop in for_loops(graph):
        yield from _in_loop(graph, loop)


def _in_loop(graph: Graph, loop: cst.For) -> Iterator[Finding]:
    written = list(own_statements(loop))
    sums = {name: each for each in written if (name := accumulated(each)) is not None and not _is_list(each)}
    counts = _counts(graph, loop)
    for statement in written:
        name, divisor = _division(statement)
        added = sums.get(name, statement if _adds_and_divides(statement, name) else None)
        if divisor is None or added is None:
            continue
        text = graph.unit.code(divisor)
        if text.replace("float(", "").rstrip(")") not in {each.rstrip(")") for each in counts}:
            continue
        if any(mentions(divisor, bound) for bound in bound_names(loop)):
            continue
        yield RULE.finding(
            Site(graph.unit, statement),
            f"`{name}` is divided by `{text}` in every turn of the loop that adds it up, so the first elements hardly count; "
            "divide once, behind the loop",
            evidence=[Step(Site(graph.unit, added), f"`{name}` is added up here")],
        )


def _is_list(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.Expr)


def _division(statement: cst.CSTNode) -> tuple[str, cst.BaseExpression | None]:
    """The name and the divisor of `x /= n`, `x = x / n` and `x = (x + y) / n`."""
    match statement:
        case cst.AugAssign(target=cst.Name(value=name), operator=cst.DivideAssign(), value=divisor):
            return name, divisor
    found = assigned(statement)
    if found is not None:
        name, value = found
        match value:
            case cst.BinaryOperation(left=left, operator=cst.Divide(), right=divisor):
                if has_name([left], name) or _adds_and_divides(statement, name):
                    return name, divisor
    return "", None


def _adds_and_divides(statement: cst.CSTNode, name: str) -> bool:
    """Whether this is `x = (x + y) / n`."""
    found = assigned(statement)
    if found is None or found[0] != name or not isinstance(found[1], cst.BinaryOperation):
        return False
    inner = found[1].left
    return (
        isinstance(found[1].operator, cst.Divide)
        and isinstance(inner, cst.BinaryOperation)
        and isinstance(inner.operator, cst.Add)
        and has_name([inner.left, inner.right], name)
    )


def _counts(graph: Graph, loop: cst.For) -> set[str]:
    """How the number of turns may be written."""
    code = graph.unit.code
    match loop.iter:
        case cst.Call(func=cst.Name(value="range"), args=[cst.Arg(value=bound)]):
            return {code(bound)}
        case cst.Call(func=cst.Name(value="enumerate" | "zip"), args=args):
            return {f"len({code(each.value)})" for each in args}
    return {f"len({code(loop.iter)})", f"{code(loop.iter)}.size(0)", f"{code(loop.iter)}.shape[0]"}
