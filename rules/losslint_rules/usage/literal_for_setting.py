"""a number written where a setting with that default is used elsewhere

`F.relu(positive - negative + 0.1)` beside `F.relu(a - b + self.margin)`, with `margin=0.1` in the constructor: the first was
written before the setting was, and keeps its default. Whoever sets another margin changes one half of the loss.

Reported where the number is exactly the default of a setting of the class or the function, stands where that setting stands in
another call of the same function there, in the same arithmetic, and is none that formulas are full of: 0, 1/2, 1 and 2.

## Bad

```python
import torch.nn as nn
import torch.nn.functional as F

class TripletLoss(nn.Module):
    def __init__(self, margin=0.3, hardest=True):
        super().__init__()
        self.margin = margin
        self.hardest = hardest

    def forward(self, positive, negative):
        if self.hardest:
            return F.relu(positive.max(1).values - negative.min(1).values + 0.3).mean()
        return F.relu(positive - negative + self.margin).mean()
```

## Good

```python
import torch.nn as nn
import torch.nn.functional as F

class TripletLoss(nn.Module):
    def __init__(self, margin=0.3, hardest=True):
        super().__init__()
        self.margin = margin
        self.hardest = hardest

    def forward(self, positive, negative):
        if self.hardest:
            return F.relu(positive.max(1).values - negative.min(1).values + self.margin).mean()
        return F.relu(positive - negative + self.margin).mean()
```

No fix is offered: results so far were made with the number.

A run confirms it by another value of the setting that gives the same loss on that path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.literals import number
from losslint.semantics.names import Function
from losslint.semantics.stored_attributes import methods_of
from losslint.semantics.syntax_walk import nodes_of_kind
from losslint.semantics.values import Site
from losslint_rules.usage.definitions import constructors, functions
from losslint_rules.usage.stored_settings import stored

RULE = Rule(code="LL753", name="literal-for-setting", severity=Severity.WARNING, doubted=True)

_FORMULA = frozenset({0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 10.0, 100.0})
_OPERATORS = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.Power)
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A name or a number inside of a call's argument, and the way from the call to it: the function, argument, operators."""

    node: cst.BaseExpression
    place: Place


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report numbers that stand where the setting of which they are the default stands elsewhere."""
    kept = dict(_kept(graph))
    attributes = [each for each in _all_leaves(graph) if isinstance(each.node, cst.Attribute)]
    for _, function in functions(graph):
        leaves = _leaves(function)
        own = {
            each.name.value: number for each in _parameters(function) if (number := _number(each.default)) is not None
        }
        own_names = [each for each in leaves if isinstance(each.node, cst.Name) and each.node.value in own]
        named = attributes + own_names
        for leaf in leaves:
            number = _number(leaf.node)
            if number is None or number in _FORMULA:
                continue
            twin = next(
                (each for each in named if each.place == leaf.place and _default(each, own, kept) == number), None
            )
            if twin is not None:
                yield _finding(graph, leaf, twin)


def _kept(graph: Graph) -> Iterator[tuple[str, float]]:
    """The attributes that keep a setting of a constructor, with its default."""
    for _, constructor in constructors(graph):
        for parameter in _parameters(constructor):
            number = _number(parameter.default)
            if number is not None:
                yield from ((name, number) for name in stored(constructor, parameter.name.value).attributes)


def _parameters(function: Function) -> list[cst.Param]:
    return [*function.params.posonly_params, *function.params.params, *function.params.kwonly_params]


def _number(node: cst.BaseExpression | None) -> float | None:
    return float(number(node)) if isinstance(node, (cst.Integer, cst.Float)) else None


def _default(leaf: Leaf, own: dict[str, float], kept: dict[str, float]) -> float | None:
    match leaf.node:
        case cst.Name(value=name):
            return own.get(name)
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)):
            return kept.get(name)
    return None


def _all_leaves(graph: Graph) -> Iterator[Leaf]:
    """The leaves of all methods of the loss's class in this file, those that this entry does not call included."""
    for function in methods_of(graph.unit, graph.owner) if graph.owner else ():
        yield from _leaves(function)


@kept_for_a_file
def _leaves(function: Function) -> tuple[Leaf, ...]:
    return tuple(_read_leaves(function))


def _read_leaves(function: Function) -> Iterator[Leaf]:
    for node in nodes_of_kind(function, cst.Call):
        called = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
        if not isinstance(called, cst.Name):
            continue
        for position, argument in enumerate(node.args):
            slot = argument.keyword.value if argument.keyword is not None else str(position)
            if argument.keyword is not None or isinstance(argument.value, cst.BinaryOperation):
                yield from _below(argument.value, (called.value, slot))


def _below(node: cst.BaseExpression, place: Place) -> Iterator[Leaf]:
    match node:
        case cst.BinaryOperation(left=left, operator=operator, right=right) if isinstance(operator, _OPERATORS):
            kind = type(operator).__name__
            yield from _below(left, (*place, f"{kind} left"))
            yield from _below(right, (*place, f"{kind} right"))
        case cst.Name() | cst.Attribute() | cst.Integer() | cst.Float():
            yield Leaf(node, place)


def _finding(graph: Graph, leaf: Leaf, twin: Leaf) -> Finding:
    number, name = graph.unit.code(leaf.node), graph.unit.code(twin.node)
    return RULE.finding(
        Site(graph.unit, leaf.node),
        f"`{number}` is the default of `{name}`, which stands in its place in another `{leaf.place[0]}`: another value of the "
        f"setting changes that one alone; use `{name}` here too",
        evidence=[Step(Site(graph.unit, twin.node), "the setting is used here")],
    )
