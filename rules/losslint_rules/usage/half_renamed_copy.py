"""a line that was copied, and one name in it kept

Two lines that are the same but for one word, `loss_x = f(pred_x, target_x)` and `loss_y = f(pred_y, target_x)`: the second was
copied from the first, and one name was forgotten. `target_y`, which is there, is read by nobody.

Reported where two assignments of one block, or two summands, have the same form, where all names that differ do so by the same word
(`x` for `y`, `real` for `fake`, `1` for `2`), where one name keeps the word of the first, and where the name that belongs
there is bound in the function and is read nowhere. That it is read nowhere is what makes it a slip: what both lines share on
purpose leaves no name over.

## Bad

```python
import torch.nn.functional as F

def two_view_loss(pred_a, pred_b, target_a, target_b):
    loss_a = F.mse_loss(pred_a, target_a)
    loss_b = F.mse_loss(pred_b, target_a)
    return loss_a + loss_b
```

## Good

```python
import torch.nn.functional as F

def two_view_loss(pred_a, pred_b, target_a, target_b):
    loss_a = F.mse_loss(pred_a, target_a)
    loss_b = F.mse_loss(pred_b, target_b)
    return loss_a + loss_b
```

The fix writes the other name. It is unsafe, because it changes what is computed.

A run confirms it: the forgotten input has no influence.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.loss_names import words
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import children, nodes_of, nodes_of_kind
from losslint.semantics.values import Site
from losslint_rules.usage.arguments import unsafe
from losslint_rules.usage.definitions import functions
from losslint_rules.usage.loop_bodies import assigned

RULE = Rule(code="LL761", name="half-renamed-copy", severity=Severity.WARNING, doubted=True)

_NEAR = 4
_Leaves = list[tuple[cst.Name, cst.Name]]


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report copies of a line or a summand in which one of the names was kept."""
    for _, function in functions(graph):
        for first, second, original, leaf, other in _slips(function):
            yield RULE.finding(
                Site(graph.unit, leaf),
                f"`{graph.unit.code(second)}` is `{graph.unit.code(first)}` with other names, but for `{leaf.value}`; `{other}`, "
                "which belongs here, is read nowhere",
                evidence=[Step(Site(graph.unit, original), f"`{leaf.value}` goes with this line")],
                rewrite=unsafe(f"use `{other}`", Replacement(Site(graph.unit, leaf), other)),
            )


@kept_for_a_file
def _slips(
    function: Function,
) -> tuple[tuple[cst.BaseExpression, cst.BaseExpression, cst.Name, cst.Name, str], ...]:
    """The copies in a function: both expressions, the name that was kept, in both, and the one that belongs there."""
    alike = [(*pair, *kept) for pair in _copies(function) if (kept := _kept(*pair)) is not None]
    bound, read = _names(function) if alike else (set[str](), dict[str, int]())
    return tuple(each for each in alike if each[4] in bound and not read.get(each[4], 0) and each[4] != each[3].value)


def _names(function: Function) -> tuple[set[str], dict[str, int]]:
    """The names that a function binds, and how often it reads each."""
    targets: set[int] = set()
    bound = {each.name.value for each in nodes_of(function.params) if isinstance(each, cst.Param)}
    for node in nodes_of(function):
        if isinstance(node, (cst.AssignTarget, cst.AnnAssign)):
            pending: list[cst.CSTNode] = [node.target]
            while pending:
                current = pending.pop()
                if isinstance(current, cst.Name):
                    bound.add(current.value)
                    targets.add(id(current))
                elif isinstance(current, (cst.Tuple, cst.List, cst.Element, cst.StarredElement)):
                    pending.extend(children(current))
        elif isinstance(node, cst.Param):
            targets.add(id(node.name))
        elif isinstance(node, cst.Arg) and node.keyword is not None:
            targets.add(id(node.keyword))
        elif isinstance(node, cst.Attribute):
            targets.add(id(node.attr))
    read: dict[str, int] = {}
    for node in nodes_of(function):
        if isinstance(node, cst.Name) and id(node) not in targets:
            read[node.value] = read.get(node.value, 0) + 1
    return bound, read


def _copies(function: Function) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """The expressions that may be copies of each other: of assignments near each other, and summands."""
    places: list[cst.IndentedBlock | cst.BinaryOperation] = nodes_of_kind(
        function, cst.IndentedBlock, cst.BinaryOperation
    )
    for node in places:
        if isinstance(node, cst.IndentedBlock):
            written = [
                found[1]
                for line in node.body
                if isinstance(line, cst.SimpleStatementLine)
                for each in line.body
                if (found := assigned(each)) is not None
            ]
            for position, first in enumerate(written):
                yield from ((first, second) for second in written[position + 1 : position + 1 + _NEAR])
        elif isinstance(node.operator, (cst.Add, cst.Subtract)):
            yield node.left, node.right


def _kept(first: cst.BaseExpression, second: cst.BaseExpression) -> tuple[cst.Name, cst.Name, str] | None:
    """The name that was kept, where it stands in both, and the name that belongs there."""
    leaves: _Leaves = []
    if not _aligned(first, second, leaves):
        return None
    changes = {_change(one.value, other.value) for one, other in leaves if one.value != other.value}
    if len(changes) != 1:
        return None
    change = changes.pop()
    if change is None:
        return None
    old, new = change
    kept = [(one, other) for one, other in leaves if one.value == other.value and old in _parts(one.value)]
    if len(kept) != 1:
        return None
    original, leaf = kept[0]
    parts = _parts(leaf.value)
    if parts.count(old) != 1:
        return None
    return original, leaf, "".join(new if each == old else each for each in parts)


def _aligned(first: cst.CSTNode, second: cst.CSTNode, leaves: _Leaves) -> bool:
    """Whether two expressions have the same form; their names side by side in `leaves`."""
    if type(first) is not type(second):
        return False
    if isinstance(first, cst.Name) and isinstance(second, cst.Name):
        leaves.append((first, second))
        return True
    if isinstance(first, (cst.Integer, cst.Float, cst.SimpleString)):
        return first.deep_equals(second)
    mine, others = children(first), children(second)
    return len(mine) == len(others) and all(
        _aligned(one, other, leaves) for one, other in zip(mine, others, strict=True)
    )


def _parts(name: str) -> list[str]:
    """A name cut at underscores, capitals and digits, so that the parts joined are the name."""
    found: list[str] = []
    rest = name
    for word in words(name):
        at = rest.lower().find(word)
        if at > 0:
            found.append(rest[:at])
        found.append(rest[at : at + len(word)])
        rest = rest[at + len(word) :]
    return [*found, rest] if rest else found


def _change(first: str, second: str) -> tuple[str, str] | None:
    """The one word by which two names differ."""
    mine, others = _parts(first), _parts(second)
    different = [(one, other) for one, other in zip(mine, others, strict=False) if one != other]
    if len(mine) != len(others) or len(different) != 1:
        return None
    old, new = different[0]
    if len(old) == len(new) and len(old) > 1 and old[:-1] == new[:-1] and not old[-1:].isdigit():
        return old[-1], new[-1]  # `la` and `lb`
    return old, new
