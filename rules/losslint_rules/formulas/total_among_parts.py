"""a total that is summed with its own parts

A loop over all values of a dictionary takes everything that is in it. Where the total itself was put into the dictionary
before, it is one of the values: it is added to itself, and what comes out is twice the sum of the others.

Reported are loops over a dictionary that add each of its values to an entry of the same dictionary, which the function put in
before the loop and after others. A loop that tests the key is silent, and so is a total of 0 that is the first entry.

## Bad

```python
def total_loss(pred, target):
    losses = {"l1": (pred - target).abs().mean(), "l2": ((pred - target) ** 2).mean()}
    losses["total"] = 0.0
    for name in losses:
        losses["total"] = losses["total"] + losses[name]
    return losses
```

## Good

```python
def total_loss(pred, target):
    losses = {"l1": (pred - target).abs().mean(), "l2": ((pred - target) ** 2).mean()}
    losses["total"] = sum(losses.values())
    return losses
```

No fix is offered; sum into a local name and store it last.

A run confirms it: the total is larger than the sum of the other entries.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.literals import literal
from losslint.semantics.names import dotted
from losslint.semantics.syntax_walk import nodes_of_kind, walk
from losslint.semantics.values import Site

RULE = Rule(code="LL738", name="total-among-parts", severity=Severity.WARNING, doubted=True)

_ITERATES = frozenset({"list", "tuple", "sorted"})
_VIEWS = frozenset({"keys", "values", "items", "copy"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report loops of the loss that add an entry of a dictionary to itself."""
    if graph.function is None:
        return
    stored: dict[str, list[tuple[str, cst.CSTNode]]] = {}
    opaque: set[str] = set()
    nodes: list[cst.Assign | cst.For] = nodes_of_kind(graph.function, cst.Assign, cst.For)
    made = {
        target.target.value
        for node in nodes
        if isinstance(node, cst.Assign)
        for target in node.targets
        if isinstance(target.target, cst.Name)
    }
    for node in nodes:
        if isinstance(node, cst.Assign):
            for target in node.targets:
                _remember(target.target, node, stored, opaque)
        else:
            yield from _in_loop(node, stored, opaque, made, graph)


def _remember(
    target: cst.BaseExpression, node: cst.Assign, stored: dict[str, list[tuple[str, cst.CSTNode]]], opaque: set[str]
) -> None:
    if isinstance(target, cst.Name):
        stored[target.value] = []
        opaque.discard(target.value)
        if isinstance(node.value, cst.Dict):
            for element in node.value.elements:
                key = element.key if isinstance(element, cst.DictElement) else None
                stored[target.value].append((_text(key) or "", node))
        elif not _is_empty(node.value):
            opaque.add(target.value)
    entry = _entry(target)
    if entry is not None:
        stored.setdefault(entry[0], []).append((entry[1] or "", node))


def _is_empty(value: cst.BaseExpression) -> bool:
    """`dict()`, `OrderedDict()`, `defaultdict(float)`: nothing is in it yet."""
    return isinstance(value, cst.Call) and (not value.args or (dotted(value.func) or "").endswith("defaultdict"))


def _in_loop(
    loop: cst.For, stored: dict[str, list[tuple[str, cst.CSTNode]]], opaque: set[str], made: set[str], graph: Graph
) -> Iterator[Finding]:
    name = _dictionary(loop.iter)
    nodes = list(walk(loop.body))
    if name is None or any(isinstance(each, (cst.If, cst.IfExp, cst.Continue, cst.Break)) for each in nodes):
        return
    bound = {each.value for each in walk(loop.target) if isinstance(each, cst.Name)}
    for node in nodes:
        target, added = _accumulated(node)
        entry = _entry(target) if target is not None else None
        if entry is None or added is None or entry[0] != name or entry[1] is None:
            continue
        read = {each.value for each in walk(added) if isinstance(each, cst.Name)}
        known = stored.get(name, [])
        position = next((index for index, (key, _) in enumerate(known) if key == entry[1]), None)
        was_given = name in opaque or name not in made
        if not read & bound or position is None or (position == 0 and not was_given):
            continue  # an entry that comes first is still 0 when it is added
        yield RULE.finding(
            Site(graph.unit, node),
            f"`{name}[{entry[1]!r}]` is itself among the values of `{name}` that are added to it here: the total counts what was "
            "summed so far once more; sum into a local name and store it after the loop",
            evidence=[Step(Site(graph.unit, known[position][1]), "the total is put among the others here")],
        )
        return


def _accumulated(node: cst.CSTNode) -> tuple[cst.BaseExpression | None, cst.BaseExpression | None]:
    """The target and what is added to it: `d[k] += x`, `d[k] = d[k] + x`."""
    if isinstance(node, cst.AugAssign) and isinstance(node.operator, cst.AddAssign):
        return node.target, node.value
    if isinstance(node, cst.Assign) and len(node.targets) == 1 and isinstance(node.value, cst.BinaryOperation):
        target, value = node.targets[0].target, node.value
        if isinstance(value.operator, cst.Add):
            for own, other in ((value.left, value.right), (value.right, value.left)):
                if own.deep_equals(target):
                    return target, other
    return None, None


def _dictionary(iterated: cst.BaseExpression) -> str | None:
    """The name of the dictionary that is iterated: `d`, `d.items()`, `list(d)`."""
    current = iterated
    while isinstance(current, cst.Call):
        if isinstance(current.func, cst.Name) and current.func.value in _ITERATES and len(current.args) == 1:
            current = current.args[0].value
        elif isinstance(current.func, cst.Attribute) and current.func.attr.value in _VIEWS and not current.args:
            current = current.func.value
        else:
            return None
    return dotted(current)


def _entry(target: cst.BaseExpression) -> tuple[str, str | None] | None:
    """The dictionary and the constant key of `d["k"]`."""
    if isinstance(target, cst.Subscript) and len(target.slice) == 1 and isinstance(target.slice[0].slice, cst.Index):
        name = dotted(target.value)
        return None if name is None else (name, _text(target.slice[0].slice.value))
    return None


def _text(node: cst.BaseExpression | None) -> str | None:
    return str(literal(node)) if isinstance(node, cst.SimpleString) else None
