"""a loop that adds the same in every turn

`for i, output in enumerate(outputs): total = total + f(outputs[0])`: nothing in what is added changes from turn to turn. The first
element is counted n times, and all others are left out. The name of the element, or its index, was meant.

Reported where a loop over a sequence, or over a range with a named index, adds up an expression that holds no name the loop
binds and no call but those of torch, which give the same again. Indices called `_`, and everything that is drawn or asked of a
network, are silent.

## Bad

```python
import torch.nn.functional as F

def multi_scale_loss(outputs, target):
    total = 0
    for output in outputs:
        total = total + F.l1_loss(outputs[0], target)
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

No fix is offered: which name belongs where, the code does not say.

A run confirms it: all elements but one have no influence.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.spelling import shortened
from losslint.semantics.syntax_walk import walk
from losslint.semantics.values import Site
from losslint_rules.usage.loop_bodies import accumulated, bound_names, for_loops, mentions, own_statements

RULE = Rule(code="LL759", name="same-every-turn", severity=Severity.WARNING, doubted=True)

_DRAWS = ("rand", "dropout", "bernoulli", "multinomial", "normal", "poisson", "gumbel")


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report sums of loops of which no turn differs from another."""
    for _, loop in for_loops(graph):
        variables = [each for each in walk(loop.target) if isinstance(each, cst.Name)]
        if not variables or any(each.value.startswith("_") for each in variables):
            continue
        names = bound_names(loop)
        for statement in own_statements(loop):
            total, added = accumulated(statement), _added(statement)
            if total is None or added is None or _starts_anew(loop, statement, total):
                continue
            if not _is_the_same(added, names - {total}, total, graph):
                continue
            yield RULE.finding(
                Site(graph.unit, statement),
                f"every turn of this loop adds the same, `{shortened(graph.unit.code(added))}`: nothing in it is of the turn; use "
                f"`{variables[-1].value}`",
                evidence=[Step(Site(graph.unit, loop.target), "what changes from turn to turn")],
            )


def _starts_anew(loop: cst.For, statement: cst.CSTNode, total: str) -> bool:
    """Whether something else in the loop binds the name, so that nothing is added up from turn to turn."""
    others = [node for node in walk(loop.body) if node is not statement and accumulated(node) != total]
    mine = {id(node) for node in walk(statement)}
    return any(
        isinstance(node, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign))
        and id(node) not in mine
        and mentions(node.target, total)
        and not any(
            node in each.targets for each in walk(loop.body) if isinstance(each, cst.Assign) and accumulated(each)
        )
        for node in others
    )


def _added(statement: cst.CSTNode) -> cst.BaseExpression | None:
    match statement:
        case cst.AugAssign(operator=cst.AddAssign(), value=value):
            return value
        case cst.Assign(
            targets=[cst.AssignTarget(target=cst.Name(value=name))],
            value=cst.BinaryOperation(left=left, operator=cst.Add(), right=right),
        ):
            for mine, other in ((left, right), (right, left)):
                if isinstance(mine, cst.Name) and mine.value == name:
                    return other
    return None


def _is_the_same(added: cst.BaseExpression, bound: frozenset[str], total: str, graph: Graph) -> bool:
    """Whether an expression reads nothing that the loop binds, and calls nothing but torch."""
    calls = 0
    for node in walk(added):
        if isinstance(node, cst.Name) and (node.value in bound or node.value == total):
            return False
        if isinstance(node, (cst.Lambda, cst.BaseComp, cst.NamedExpr)):
            return False
        if isinstance(node, cst.Call):
            calls += 1
            op = next((each for each in graph.ops if each.origin.site is not None and each.site.node is node), None)
            if op is None or any(each in op.name for each in _DRAWS):
                return False
    return calls > 0
