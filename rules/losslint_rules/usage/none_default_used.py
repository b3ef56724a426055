"""an argument that is None by default is used as if it were never None

A parameter with the default None may be left out. Where nothing on the way asks whether it was, leaving it out raises
TypeError or AttributeError: the default that the signature offers does not work.

Reported once, where no test, no `or` and no early exit asks for the value, and the use is not the matter of another option
(`if self.weighted:`). It is an info for a prediction or target that the code never compares with None: such a default
often mirrors the signature of a sibling, and a call without it can only fail.

## Bad

```python
def weighted_mse_loss(pred, target, weight=None):
    return (weight * (pred - target) ** 2).mean()
```

## Good

```python
def weighted_mse_loss(pred, target, weight=None):
    error = (pred - target) ** 2
    if weight is not None:
        error = weight * error
    return error.mean()
```

## Use instead

A test, a default that works, or no default where the argument is needed. No fix is offered.

A run confirms it: called without the argument, the loss raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import UNASKED, Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.syntax_walk import nodes_of_kind, walk
from losslint.semantics.values import Role, Value
from losslint_rules.usage.attribute_use import is_assigned_again
from losslint_rules.usage.definitions import functions
from losslint_rules.usage.stored_settings import stored
from losslint_rules.usage.torch_bases import reads_nothing

RULE = Rule(code="LL725", name="none-default-used", severity=Severity.WARNING, preview=True)

_RAISES = {
    "arithmetic": "None takes part in no arithmetic",
    "attribute": "None has no such attribute",
    "item": "None has no items",
    "call": "None cannot be called",
}


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report uses of a value that may be its default None, on every way through the loss."""
    asked = {id(node) for _, function in functions(graph) for node in _behind_try(function)}
    uses = list(graph.named(UNASKED))
    told: set[int] = set()
    for op in uses:
        if op.site.unit is not graph.unit or id(op.site.node) in asked or not _is_certain(op, uses, graph):
            continue
        value = op.operands[0]
        if _is_checked(graph, value.origin.label):
            continue
        if value.origin.name == "setting" and any(
            _is_a_mode(graph, name) for name in _names(graph, value.origin.label)
        ):
            continue
        site = value.origin.site
        assert site is not None
        if value.key in told:
            continue  # the first use has raised already
        told.add(value.key)
        yield RULE.finding(
            op.site,
            f"`{excerpt(value)}` is None by default and nothing asks whether it is before it is used here: "
            f"{_RAISES[op.detail]}; test it, or take the default away",
            severity=Severity.INFO if _is_needed(graph, value) else Severity.WARNING,
            evidence=[Step(site, "None where the caller gives nothing")],
        )


def _is_needed(graph: Graph, value: Value) -> bool:
    """Whether no loss can do without this: a prediction or target, and nowhere does the function compare it with None."""
    if value.role not in (Role.PREDICTION, Role.TARGET) or graph.function is None:
        return False
    return not re.search(rf"\b{re.escape(value.origin.label)}\s+is\b", graph.unit.code(graph.function))


def _is_checked(graph: Graph, name: str) -> bool:
    """Whether the loss hands the value to something that may refuse it: `check_inputs(pred, target, weight)`."""
    checks = re.compile(rf"\w*(?:check|valid|assert|ensure|require)\w*\([^()]*\b{name}\b")
    return graph.function is not None and bool(checks.search(graph.unit.code(graph.function)))


def _names(graph: Graph, parameter: str) -> set[str]:
    """What a parameter of a constructor is called there and as an attribute."""
    found = {parameter}
    for base in graph.lineage:
        constructor = base.unit.functions.get(f"{base.name}.__init__")
        if constructor is not None:
            found.update(stored(constructor, parameter).attributes)
    return found


def _is_a_mode(graph: Graph, name: str) -> bool:
    """Whether a setting may get its value later, or is left out on purpose where this code does not run.

    `train_cfg` is None for a detector that is only tested: its class asks for it somewhere else.
    """
    if not reads_nothing(graph) or is_assigned_again(graph, name):
        return True
    asked = re.compile(rf"\b{name}\s+(?:is|or|and|if)\b|\b(?:if|not|and|or|while|assert)\s+(?:self\.)?{name}\b|bool\(")
    return any(asked.search(base.unit.code(base.unit.classes[base.name])) for base in graph.lineage)


def _behind_try(function: cst.FunctionDef) -> Iterator[cst.CSTNode]:
    tried: list[cst.Try | cst.TryStar] = nodes_of_kind(function, cst.Try, cst.TryStar)
    for node in tried:
        yield from walk(node.body)


def _is_certain(op: Op, uses: list[Op], graph: Graph) -> bool:
    """Whether the use lies on every way through the loss: of each test on its way both answers lead to it, or one raises."""
    ends = graph.returns
    if not ends or any(_may_be_empty(site.node, graph) for site in op.in_loop):
        return False
    same = [each for each in uses if each.site.node is op.site.node]
    for test, answer in op.assumptions.items():
        if all(end.assumptions.get(test) is answer for end in ends):
            continue
        if all(each.assumptions.get(test) is answer for each in same):
            return False
    return True


def _may_be_empty(loop: cst.CSTNode, graph: Graph) -> bool:
    """Whether a loop goes over an argument with a default: it may be as empty as the other one is None."""
    over = loop.iter if isinstance(loop, cst.For) else loop
    optional = {each.origin.label for each in graph.parameters if _has_default(each)}
    return any(isinstance(node, cst.Name) and node.value in optional for node in walk(over))


def _has_default(value: Value) -> bool:
    node = value.origin.site.node if value.origin.site is not None else None
    return isinstance(node, cst.Param) and node.default is not None
