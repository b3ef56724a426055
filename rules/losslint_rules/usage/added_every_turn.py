"""an input that grows by the same amount with every turn of a loop over samples

`for i in range(len(target)): transition = transition + correction`: what is to be corrected once is corrected once for every
sample before this one, so that the loss of a sample depends on its place in the batch. The sum belongs in front of the loop, or
under a name of its own.

Reported where a loop counts over samples, adds one argument of the function to another one under the same name, uses the
result for the sample at hand, and nothing reads it afterwards. Sums that are read after the loop, positions and states that
move on, loops over time, numbers that count on, and additions that change from turn to turn are silent.

## Bad

```python
import torch

def corrected_loss(log_p, bias, shift, target):
    losses = []
    for i in range(len(target)):
        bias = bias + shift
        losses.append(-(log_p[i] + bias)[target[i]])
    return torch.stack(losses).mean()
```

## Good

```python
import torch

def corrected_loss(log_p, bias, shift, target):
    losses = []
    corrected = bias + shift
    for i in range(len(target)):
        losses.append(-(log_p[i] + corrected)[target[i]])
    return torch.stack(losses).mean()
```

No fix is offered: a running sum is meant at times, and then a comment says so.

A run confirms it by samples in another order, for which the loss is another one.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.loss_names import words
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import nodes_of_kind, walk
from losslint.semantics.values import Site
from losslint_rules.usage.definitions import functions, owner_of, parameters

RULE = Rule(code="LL752", name="added-every-turn", severity=Severity.WARNING, doubted=True)

_COUNTS = frozenset({"range", "enumerate", "zip"})
_MOVES = frozenset(
    "position positions pos point points state states time t x z y start end index step steps velocity latent trajectory".split()
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report arguments to which a loop over samples adds another argument again and again."""
    for name, function in functions(graph):
        given = {each.name.value for each in parameters(function, bool(owner_of(graph, name))) if each.default is None}
        for loop in nodes_of_kind(function, cst.For):
            if _goes_over_samples(loop):
                for statement, total, added in _additions(loop):
                    if (
                        {total, added} <= given
                        and total != added
                        and not _MOVES & set(words(total))
                        and _counts_once(function, loop, statement, total, added)
                    ):
                        yield _finding(graph, statement, total, added)


def _goes_over_samples(loop: cst.For) -> bool:
    """`for i in range(...)`, `for i, x in enumerate(...)`; not one over steps in time, which go on from each other."""
    called = loop.iter.func if isinstance(loop.iter, cst.Call) else None
    names = {word for node in walk(loop.target) if isinstance(node, cst.Name) for word in words(node.value)}
    return (
        isinstance(called, cst.Name) and called.value in _COUNTS and not names & {"t", "time", "step", "k", "iteration"}
    )


def _additions(loop: cst.For) -> Iterator[tuple[cst.BaseSmallStatement, str, str]]:
    """The statements of the loop's own body, run every turn, that add a name to a name: `x = x + y`, `x += y`."""
    for line in loop.body.body:
        for statement in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            match statement:
                case cst.Assign(
                    targets=[cst.AssignTarget(target=cst.Name(value=total))],
                    value=cst.BinaryOperation(
                        left=cst.Name(value=left), operator=cst.Add(), right=cst.Name(value=right)
                    ),
                ) if total in (left, right):
                    yield statement, total, right if left == total else left
                case cst.AugAssign(target=cst.Name(value=total), operator=cst.AddAssign(), value=cst.Name(value=added)):
                    yield statement, total, added


def _counts_once(function: Function, loop: cst.For, statement: cst.BaseSmallStatement, total: str, added: str) -> bool:
    """Whether what is added is the same every turn, the sum is computed with in the loop, and nothing reads it later."""
    inside = list(walk(loop.body))
    if _bound_in(loop, added) or sum(_binds(node, total) for node in inside) != 1:
        return False
    bounds = {id(each) for node in inside if isinstance(node, (cst.Slice, cst.Index)) for each in walk(node)}
    uses = [node for node in inside if _computes_with(node, total) and id(node) not in bounds]
    mine = {id(node) for node in walk(statement)}
    here = {id(node) for node in walk(loop)}
    later = [node for node in _behind(function, loop) if isinstance(node, cst.Name) and node.value == total]
    return any(id(node) not in mine for node in uses) and not any(id(node) not in here for node in later)


def _bound_in(loop: cst.For, name: str) -> bool:
    targets = [*walk(loop.target)]
    is_target = any(isinstance(node, cst.Name) and node.value == name for node in targets)
    return is_target or any(_binds(node, name) for node in walk(loop.body))


def _binds(node: cst.CSTNode, name: str) -> bool:
    match node:
        case cst.AssignTarget(target=target) | cst.AugAssign(target=target) | cst.For(target=target):
            return any(isinstance(each, cst.Name) and each.value == name for each in walk(target))
        case cst.NamedExpr(target=target) | cst.AsName(name=target):
            return isinstance(target, cst.Name) and target.value == name
    return False


def _computes_with(node: cst.CSTNode, name: str) -> bool:
    """Whether a name is an operand or gives a method here, as tensors are; not an index, a bound or an argument."""
    match node:
        case cst.Attribute(value=cst.Name(value=written)):
            return written == name
        case cst.BinaryOperation(left=left, right=right):
            return any(isinstance(each, cst.Name) and each.value == name for each in (left, right))
    return False


def _behind(function: Function, loop: cst.For) -> Iterator[cst.CSTNode]:
    """What is written behind a loop, and in a loop around it all of it."""
    order = list(walk(function.body))
    around = [each for each in order if isinstance(each, (cst.For, cst.While)) and each is not loop]
    for each in around:
        if any(node is loop for node in walk(each)):
            yield from walk(each)
    start = next(at for at, node in enumerate(order) if node is loop)
    yield from order[start:]


def _finding(graph: Graph, statement: cst.BaseSmallStatement, total: str, added: str) -> Finding:
    return RULE.finding(
        Site(graph.unit, statement),
        f"every turn adds `{added}` to `{total}` once more, so the loss of a sample depends on how many come before it: add it "
        "in front of the loop",
        evidence=[Step(Site(graph.unit, statement), f"`{added}` is the same in every turn")],
    )
