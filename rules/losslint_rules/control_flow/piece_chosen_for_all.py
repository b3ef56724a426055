"""one piece of a formula chosen for all elements

A loss in pieces (quadratic near 0, linear beyond) chooses its piece element by element: `torch.where(error < delta, near,
far)`. An `if` on `(error < delta).all()` chooses once for the whole batch: one outlier moves every other element to the
piece that is not meant for it, and the loss jumps as the last element passes the threshold.

Reported where the test compares a tensor's elements and brings the answers together by `all` or `any`, and both
branches give one number an element of the same tensor. Tests of counts, of masks and for NaN, and branches that reduce,
raise or leave the tensor alone are silent.

## Bad

```python
def huber_loss(pred, target, delta=1.0):
    error = (pred - target).abs()
    near, far = 0.5 * error**2, delta * (error - 0.5 * delta)
    return (near if (error < delta).all() else far).mean()
```

## Good

```python
import torch

def huber_loss(pred, target, delta=1.0):
    error = (pred - target).abs()
    near, far = 0.5 * error**2, delta * (error - 0.5 * delta)
    return torch.where(error < delta, near, far).mean()
```

No fix is offered here: branch-on-tensor (LL801) has one for the same place.

A run confirms it by a loss of one element that changes with the other elements.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import BRANCH, Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Role, Value

RULE = Rule(code="LL810", name="piece-chosen-for-all", severity=Severity.WARNING, doubted=True)

_COMPARISONS = frozenset({"lt", "le", "gt", "ge"})


@RULE.on_op(BRANCH)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a branch on `all` or `any` of a comparison whose two sides are elementwise in what was compared."""
    test = op.operands[0] if len(op.operands) == 1 else None
    compared = _compared(test) if test is not None else None
    pieces = _pieces(op, graph)
    if test is None or compared is None or pieces is None or not op.gradient_matters:
        return
    if not all(_is_elementwise(each, compared) for each in pieces) or pieces[0].key == pieces[1].key:
        return
    site = test.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(test)}` chooses between `{excerpt(pieces[0])}` and `{excerpt(pieces[1])}` once for all elements, though it "
        "compares each: use torch.where",
        evidence=with_calls(op, [Step(site, "one answer for the whole tensor")] if site is not None else []),
    )


def _compared(test: Value) -> Value | None:
    """x of `(x < limit).all()`, where x has elements."""
    operands = test.origin.operands
    dim = test.origin.keywords.get("dim")
    if test.origin.name not in ("all", "any") or not operands or (dim is not None and dim.kind is not Kind.NONE):
        return None
    comparison = operands[0]
    if comparison.origin.name not in _COMPARISONS or comparison.rank == 0 or len(comparison.origin.operands) != 2:
        return None
    sides = [each for each in comparison.origin.operands if not each.has_constant and each.role is not Role.CONFIG]
    return sides[0] if len(sides) == 1 and sides[0].kind in (Kind.TENSOR, Kind.UNKNOWN) else None


def _pieces(op: Op, graph: Graph) -> tuple[Value, Value] | None:
    """What the two branches give: of a conditional expression, or of an `if` that assigns one name in both."""
    node = op.site.node
    if isinstance(node, cst.IfExp):
        nodes = node.body, node.orelse
    elif isinstance(node, cst.If) and isinstance(node.orelse, cst.Else):
        first, second = _assigned(node.body), _assigned(node.orelse.body)
        if first is None or second is None or first[0] != second[0]:
            return None
        nodes = first[1], second[1]
    else:
        return None
    found = [_value_of(each, op, graph) for each in nodes]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def _assigned(block: cst.BaseSuite) -> tuple[str, cst.BaseExpression] | None:
    if not isinstance(block, cst.IndentedBlock) or len(block.body) != 1:
        return None
    match block.body[0]:
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value)]
        ):
            return name, value
    return None


def _value_of(node: cst.BaseExpression, op: Op, graph: Graph) -> Value | None:
    if isinstance(node, cst.Name):
        return op.scope.get(node.value)
    return next((each.value for each in graph.ops if each.site.node is node and each.name != BRANCH), None)


def _is_elementwise(piece: Value, compared: Value) -> bool:
    """Whether a value has one number an element of what was compared."""
    if piece.kind is not Kind.TENSOR and piece.key != compared.key:
        return False
    return piece.rank != 0 and any(each.key == compared.key for each in ancestors([piece]))
