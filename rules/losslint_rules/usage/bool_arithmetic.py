"""minus on a bool tensor, or ~ on integers

`1 - mask`, `x - mask` and `-mask` raise for a bool tensor: torch has no subtraction and no negation of bools.
(`+` and `*` are there, and `~mask` inverts.) The other way round, `~` of integers turns bits: `~mask.long()` holds -1 and -2
instead of 1 and 0, and `~mask.byte()` 255 and 254, without an error.

Only tensors that are proven to be bool are reported: comparisons, logical operators, `.bool()`; and for `~` those that are
proven to hold integers and are multiplied, added, summed or used as a mask afterwards.

## Bad

```python
from torch import Tensor

def masked_loss(pred: Tensor, target: Tensor):
    ignored = target < 0
    return ((pred - target).abs() * (1 - ignored)).mean()
```

## Good

```python
from torch import Tensor

def masked_loss(pred: Tensor, target: Tensor):
    ignored = target < 0
    return ((pred - target).abs() * ~ignored).sum() / (~ignored).sum().clamp(min=1)
```

`1 - mask.float()` where numbers are wanted. The fix writes `~mask`. It is unsafe, because what it replaces gives no
value to compare with.

A run confirms it by the error.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import DType, Value
from losslint_rules.usage.arguments import made_here, unsafe

RULE = Rule(code="LL715", name="bool-arithmetic", severity=Severity.ERROR)


@RULE.on_op("sub", "rsub", "neg")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a difference or a negation of which an operand is proven to be a bool tensor."""
    mask = next((value for value in op.operands if value.is_tensor and value.dtype is DType.BOOL), None)
    if mask is None:
        return
    done = "negated" if op.name == "neg" else "subtracted"
    yield RULE.finding(
        op.site,
        f"`{excerpt(mask)}` is a bool tensor, and bools cannot be {done}: torch raises; use `~` to invert a mask, or "
        ".float()",
        evidence=with_calls(op, made_here(mask, "is a bool tensor")),
        rewrite=_rewrite(op, mask),
    )


@RULE.on_op("bitwise_not")
def of_integers(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report the bits of integers turned where a mask was to be inverted."""
    value = op.operands[0] if op.operands else None
    if value is None or not value.is_tensor or value.dtype is not DType.INT:
        return
    if any(use.name in _TURNS_BITS for use in graph.uses(op.value)) or not graph.matters(op.value):
        return
    yield RULE.finding(
        op.site,
        f"`{excerpt(value)}` holds integers, and `~` turns their bits: 0 becomes -1 and 1 becomes -2; invert the bool mask, or "
        "write 1 -",
        evidence=with_calls(op, made_here(value, "holds integers")),
    )


_TURNS_BITS = frozenset("bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift".split())


def _rewrite(op: Op, mask: Value) -> Rewrite | None:
    """`1 - mask` becomes `~mask`."""
    node = op.site.node
    if (
        not isinstance(node, cst.BinaryOperation)
        or not isinstance(node.operator, cst.Subtract)
        or len(op.operands) != 2
    ):
        return None
    left, right = op.operands[0], node.right
    if not left.has_constant or left.constant != 1 or op.operands[1].key != mask.key:
        return None
    text = op.site.unit.code(right)
    atom = isinstance(right, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)) or bool(right.lpar)
    content = f"~{text}" if atom else f"~({text})"
    return unsafe(f"use `{content}`", Replacement(op.site, content))
