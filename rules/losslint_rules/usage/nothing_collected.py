"""a list or a count that stays empty for some batches

`torch.stack(losses)` raises for an empty list, and a sum divided by a counter that was never raised divides by 0. Both happen where
the list or the counter is only filled for samples that have something: the first batch in which none has ends the training.

Reported where a list that starts empty, or a counter that starts at 0, is filled in a loop only under a test, or behind a
`continue`, and is then stacked or divided by without a test of it. Lists that every turn fills are silent, and so is everything
behind a test of the list, its length or the counter, `max(count, 1)`, and an initial element.

## Bad

```python
import torch
import torch.nn.functional as F

def instance_loss(preds, targets):
    losses = []
    for pred, target in zip(preds, targets):
        if target.numel() > 0:
            losses.append(F.l1_loss(pred, target))
    return torch.stack(losses).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def instance_loss(preds, targets):
    losses = []
    for pred, target in zip(preds, targets):
        if target.numel() > 0:
            losses.append(F.l1_loss(pred, target))
    if not losses:
        return sum(pred.sum() for pred in preds) * 0
    return torch.stack(losses).mean()
```

No fix is offered: what the loss of nothing is, the code does not say.

A run confirms it with a batch in which no sample has a target.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import nodes_of, walk
from losslint.semantics.values import Site
from losslint_rules.usage.loop_bodies import assigned, for_loops, mentions, nodes_behind, statements_before

RULE = Rule(code="LL758", name="nothing-collected", severity=Severity.WARNING, preview=True)

_JOINS = frozenset({"stack", "cat", "concat", "vstack"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report lists and counters that a loop fills under a test, and that are joined or divided by untested."""
    for function, loop in for_loops(graph):
        if _is_guarded(function, loop):
            continue
        for name, filled in _filled(function, loop):
            use = _use(function, loop, name)
            if use is not None and not _is_tested(function, name, loop, use):
                yield _finding(graph, name, filled, use)


def _is_guarded(function: Function, loop: cst.For) -> bool:
    """Whether an assertion, or a way out, in front of the loop asks how much there is."""
    for node in nodes_of(function):
        if node is loop:
            return False
        if isinstance(node, cst.Assert) and _is_about_data(node.test):
            return True
        ends = isinstance(node, cst.If) and any(isinstance(each, (cst.Return, cst.Raise)) for each in walk(node.body))
        if ends and isinstance(node, cst.If) and _is_about_data(node.test):
            return True
    return False


def _filled(function: Function, loop: cst.For) -> Iterator[tuple[str, cst.CSTNode]]:
    """The names that start empty in front of a loop, and where a test alone fills them."""
    empty: dict[str, cst.CSTNode] = {}
    for each in statements_before(function, loop) or ():
        found = assigned(each)
        if found is not None:
            empty.pop(found[0], None)
            if _is_empty(found[1]):
                empty[found[0]] = each
    for name in empty:
        fills = [node for node in walk(loop.body) if _fills(node, name)]
        if not fills or any(_other_binding(node, name) for node in walk(loop.body)):
            continue
        if all(_is_conditional(loop, node) for node in fills):
            yield name, fills[0]


def _is_empty(node: cst.BaseExpression) -> bool:
    return (isinstance(node, cst.List) and not node.elements) or (isinstance(node, cst.Integer) and node.value == "0")


def _fills(node: cst.CSTNode, name: str) -> bool:
    match node:
        case cst.Call(func=cst.Attribute(value=cst.Name(value=written), attr=cst.Name(value="append"))):
            return written == name
        case cst.AugAssign(target=cst.Name(value=written), operator=cst.AddAssign(), value=cst.Integer(value="1")):
            return written == name
    return False


def _other_binding(node: cst.CSTNode, name: str) -> bool:
    """Whether a name is bound by something else than what fills it."""
    match node:
        case cst.AssignTarget(target=target) | cst.For(target=target):
            return mentions(target, name)
        case cst.AugAssign(target=target):
            return mentions(target, name) and not _fills(node, name)
    return False


def _is_conditional(loop: cst.For, fill: cst.CSTNode) -> bool:
    """Whether a test about data stands around what fills, or a `continue` under such a test in front of it."""
    for line in loop.body.body:
        inside = any(node is fill for node in walk(line))
        if inside:
            return isinstance(line, cst.If) and line.orelse is None and _is_about_data(line.test)
        skips = isinstance(line, cst.If) and any(isinstance(node, cst.Continue) for node in walk(line.body))
        if skips and isinstance(line, cst.If) and _is_about_data(line.test):
            return True
    return False


def _is_about_data(test: cst.BaseExpression) -> bool:
    """A number of elements, a sum or `any` held against a number: what a batch decides."""
    return any(
        (
            isinstance(node, cst.Call)
            and (
                (
                    isinstance(node.func, cst.Attribute)
                    and node.func.attr.value in ("numel", "sum", "any", "nonzero", "size")
                )
                or (isinstance(node.func, cst.Name) and node.func.value == "len")
            )
        )
        or (isinstance(node, cst.Attribute) and node.attr.value == "shape")
        for node in walk(test)
    )


def _use(function: Function, loop: cst.For, name: str) -> cst.BaseExpression | None:
    """Where the list is joined, or the counter divided by, behind the loop."""
    for node in nodes_behind(function, loop):
        match node:
            case cst.Call(
                func=cst.Attribute(attr=cst.Name(value=joined)), args=[cst.Arg(value=cst.Name(value=given)), *_]
            ):
                if joined in _JOINS and given == name:
                    return node
            case cst.BinaryOperation(operator=cst.Divide(), right=cst.Name(value=divisor)):
                if divisor == name:
                    return node
            case cst.BinaryOperation(
                operator=cst.Divide(),
                right=cst.Call(func=cst.Name(value="len"), args=[cst.Arg(value=cst.Name(value=given))]),
            ):
                if given == name:
                    return node
    return None


def _is_tested(function: Function, name: str, loop: cst.For, use: cst.BaseExpression) -> bool:
    """Whether a test asks for the name behind the loop, anything gives it an element, or it is handed on."""
    for node in nodes_behind(function, loop):
        match node:
            case cst.If(test=test) | cst.IfExp(test=test) | cst.Assert(test=test) | cst.While(test=test):
                if mentions(test, name):
                    return True
            case cst.AssignTarget(target=target) | cst.AugAssign(target=target):
                if mentions(target, name):
                    return True
            case cst.Call(func=cst.Attribute(value=cst.Name(value=written), attr=cst.Name(value="append" | "extend"))):
                if written == name:
                    return True
            case cst.Try():
                return True
    return False


def _finding(graph: Graph, name: str, filled: cst.CSTNode, use: cst.BaseExpression) -> Finding:
    is_list = isinstance(filled, cst.Call)
    what = "stays empty, and torch raises" if is_list and isinstance(use, cst.Call) else "stays 0, and divides by it"
    return RULE.finding(
        Site(graph.unit, use),
        f"`{name}` is filled under a test alone: where no sample passes it, it {what}; say what the loss of nothing is",
        evidence=[Step(Site(graph.unit, filled), "filled here, under a test")],
    )
