"""Python asks for the truth of a tensor: if, while, and/or/not, chained comparison, assert

The branch not taken gets no gradient and the choice itself has none; on a tensor with more than one element
Python raises "Boolean value of Tensor is ambiguous". Tracing (torch.fx, torch.export) fails here,
torch.compile splits its graph, and on a GPU every test waits for the device.

A warning where an input of the loss provably decides its value. Guards against empty selections (`if mask.any():`),
tests for NaN and validation that raises are info: sound in eager mode, and worth knowing if you compile.
Tests of shapes, None, types, lengths and settings are no tests of a tensor and are silent. A tensor that provably has more than one
element raises here: that is ambiguous-truth (LL803), and reported once.

## Bad

```python
import torch

def huber_loss(pred, target, delta=1.0):
    error = torch.abs(pred - target).mean()
    if error < delta:
        return 0.5 * error**2
    return delta * (error - 0.5 * delta)
```

## Good

```python
import torch

def huber_loss(pred, target, delta=1.0):
    error = torch.abs(pred - target)
    return torch.where(error < delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()
```

The fix, for a ternary or an if/else that assigns or returns one value, is torch.where, and unsafe: it
evaluates both branches, and a NaN in the branch not chosen still reaches the gradient.

A run confirms it by the failing trace, and by the graph break torch.compile reports on this line.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import BRANCH, Graph, Op
from losslint.semantics.guards import COMPARISONS
from losslint.semantics.spelling import excerpt, without_parentheses
from losslint.semantics.terms import carries_from_input
from losslint.semantics.values import Value
from losslint_rules.control_flow.elementwise_tests import has_elements, is_none_or_tensor

RULE = Rule(
    code="LL801",
    name="branch-on-tensor",
    severity=Severity.INFO,
    confirmed_by=("trace",),
    precondition=Precondition.TRACED,
)

_QUESTIONS = frozenset({"any", "all", "isnan", "isfinite", "isinf", "equal", "allclose", "item", "bool", "int"})
_COUNTS = frozenset({"sum", "count_nonzero", "numel", "item", "len", "int", "float", "max", "min", "amax", "amin"})


@RULE.on_op(BRANCH)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a truth test of tensors; what only guards or validates is info."""
    if not op.gradient_matters or any(has_elements(each) or is_none_or_tensor(each, graph) for each in op.operands):
        return  # with many elements it raises, which LL803 reports
    guards = (
        all(is_guard(value) or not carries_from_input(value) for value in op.operands)
        or op.detail == "assert"
        or only_raises(op.site.node)
    )
    asked = ", ".join(f"`{excerpt(value)}`" for value in op.operands)
    steps = [
        Step(value.origin.site, f"`{excerpt(value)}` is a tensor computed from the inputs")
        for value in op.operands
        if value.origin.site is not None
    ]
    message = (
        f"{_form(op.detail)} asks for the truth of the tensor {asked}: fine in eager mode, but it cannot be traced "
        "and waits for the GPU"
        if guards
        else f"{_form(op.detail)} decides on the tensor {asked}: the choice has no gradient, fails for more than one "
        "element, and cannot be traced; torch.where keeps it in the graph"
    )
    yield RULE.finding(
        op.site,
        message,
        severity=Severity.INFO if guards else RULE.severity,
        evidence=with_calls(op, steps),
        rewrite=None if guards else _rewrite(op),
    )


def _form(detail: str) -> str:
    return f"this {detail}" if detail in ("ternary", "chained comparison") else f"this `{detail}`"


def is_guard(value: Value) -> bool:
    """Whether a test asks for emptiness, a count or NaN, and not for how large a loss is."""
    name = value.origin.name
    if name in _QUESTIONS or name in ("sum", "count_nonzero") or _counts_something(value):
        return True
    if name in ("eq", "ne") and value.origin.operands[-1].has_constant:
        return True
    if name in COMPARISONS and len(value.origin.operands) == 2:
        return any(_counts_something(operand) for operand in value.origin.operands) or _against_zero(value)
    return name in ("logical_not", "logical_and", "logical_or", "bitwise_not") and all(
        is_guard(operand) for operand in value.origin.operands
    )


def _against_zero(value: Value) -> bool:
    """`x.sum() == 0`: whether something is there at all."""
    left, right = value.origin.operands
    return right.has_constant and right.constant in (0, 0.0) and left.origin.name in _COUNTS


def _counts_something(value: Value) -> bool:
    """A count of a mask, or an extreme of the inputs."""
    if value.origin.name not in _COUNTS or not value.origin.operands:
        return False
    counted = value.origin.operands[0]
    return value.zero is not None or counted.origin.name in ("parameter", "getitem") or _counts_something(counted)


def only_raises(node: cst.CSTNode) -> bool:
    """Whether the body of an `if` only raises, warns or prints."""
    if not isinstance(node, cst.If) or not isinstance(node.body, cst.IndentedBlock) or node.orelse is not None:
        return False
    return all(
        isinstance(statement, cst.SimpleStatementLine)
        and all(
            isinstance(small, (cst.Raise, cst.Pass))
            or (isinstance(small, cst.Expr) and isinstance(small.value, (cst.Call, cst.SimpleString)))
            for small in statement.body
        )
        for statement in node.body.body
    )


def _rewrite(op: Op) -> Rewrite | None:
    where = op.site.unit.spell("torch.where")
    node = op.site.node
    if where is None:
        return None
    content: str | None = None
    if isinstance(node, cst.IfExp):
        content = _where(op, where, node.test, node.body, node.orelse)
    elif isinstance(node, cst.If) and isinstance(node.orelse, cst.Else):
        first, second = _only_statement(node.body), _only_statement(node.orelse.body)
        content = _joined(op, where, node.test, first, second)
    if content is None:
        return None
    return Rewrite(Applicability.UNSAFE, "choose with torch.where", (Replacement(op.site, content),))


def _where(op: Op, where: str, test: cst.BaseExpression, body: cst.BaseExpression, orelse: cst.BaseExpression) -> str:
    match test:
        case cst.Call(func=cst.Name(value="bool"), args=[argument]):
            test = argument.value
    texts = [without_parentheses(node, op.site.unit.code(node)) for node in (test, body, orelse)]
    return f"{where}({', '.join(texts)})"


def _only_statement(suite: cst.BaseSuite) -> cst.BaseSmallStatement | None:
    if len(suite.body) != 1:
        return None
    line = suite.body[0]
    if isinstance(line, cst.SimpleStatementLine):
        return line.body[0] if len(line.body) == 1 else None
    return line if isinstance(line, cst.BaseSmallStatement) else None


def _joined(
    op: Op,
    where: str,
    test: cst.BaseExpression,
    first: cst.BaseSmallStatement | None,
    second: cst.BaseSmallStatement | None,
) -> str | None:
    match first, second:
        case cst.Return(value=body), cst.Return(value=orelse) if body is not None and orelse is not None:
            return f"return {_where(op, where, test, body, orelse)}"
        case cst.Assign(targets=[one], value=body), cst.Assign(targets=[other], value=orelse):
            target = op.site.unit.code(one.target)
            if target == op.site.unit.code(other.target):
                return f"{target} = {_where(op, where, test, body, orelse)}"
    return None
