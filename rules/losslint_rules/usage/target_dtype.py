"""a target in a dtype that the loss does not take

`F.nll_loss` takes int64 (or uint8) labels, `F.cross_entropy` those or floating point probabilities of the input's
shape, `F.binary_cross_entropy` and its logits form floating point targets, and class weights are floating point numbers. With
anything else the first step raises. `F.mse_loss` and its like convert and are not reported.

Only dtypes that are proven are reported: casts, comparisons, argmax, one_hot.

## Bad

```python
import torch.nn.functional as F

def mask_loss(scores, target):
    return F.binary_cross_entropy_with_logits(scores, target > 0)
```

## Good

```python
import torch.nn.functional as F

def mask_loss(scores, target):
    return F.binary_cross_entropy_with_logits(scores, (target > 0).float())
```

The fix casts the target. It is unsafe, because what it replaces gives no value to compare with.

A run confirms it by the error.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, parenthesised
from losslint.semantics.values import DType, Site, Value
from losslint_rules.usage.arguments import argument, argument_node, made_here, unsafe, written
from losslint_rules.usage.meanings import VIEWS, meaning_of

RULE = Rule(code="LL714", name="target-dtype", severity=Severity.WARNING)

_FLOATS = (DType.HALF, DType.FLOAT, DType.DOUBLE)
_SHORT = frozenset({"int", "short"})
_SHORT_NAMES = frozenset(f"torch.{name}" for name in ("int", "int32", "short", "int16", "int8"))
_RESHAPES = VIEWS - {"float", "double", "half", "bfloat16", "to", "type", "type_as"}


@RULE.on_op("cross_entropy_loss", "nll_loss")
def of_labels(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report labels that are proven to be neither int64 nor, for cross_entropy, probabilities."""
    target = argument(op, "target")
    if target is None or not graph.matters(op.value):
        return
    base = _through(target)
    is_nll = op.name == "nll_loss"
    if target.dtype is DType.BOOL:
        yield _finding(op, base, "bool", "long")
    elif _is_short(base):
        yield _finding(op, base, "an integer dtype other than int64", "long")
    elif base.origin.name == "one_hot" and target.dtype is DType.INT:
        yield _finding(op, base, "a one-hot int64 target", None if is_nll else "float")
    elif target.dtype in _FLOATS and meaning_of(target) is None and (is_nll or _are_indices(base)):
        yield _finding(op, base, "floating point labels", "long")


@RULE.on_op("binary_cross_entropy", "binary_cross_entropy_with_logits")
def of_probabilities(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a target that is proven to be bool or integer."""
    target = argument(op, "target")
    if target is None or not graph.matters(op.value):
        return
    if target.dtype in (DType.BOOL, DType.INT):
        dtype = "bool" if target.dtype is DType.BOOL else "integer"
        yield _finding(op, _through(target), f"a target of dtype {dtype}", "float")


@RULE.on_op("cross_entropy_loss", "nll_loss")
def of_weights(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report class weights that are proven to be integers: counts that nothing divides."""
    weight = argument(op, "weight")
    if weight is None or weight.dtype is not DType.INT or not weight.is_tensor or not graph.matters(op.value):
        return
    base = _through(weight)
    name = "cross_entropy" if op.name == "cross_entropy_loss" else op.name
    yield RULE.finding(
        op.site,
        f"{name} raises for class weights of an integer dtype, and `{excerpt(weight)}` holds integers; use .float()",
        evidence=with_calls(op, made_here(base, "makes integers")),
    )


def _through(value: Value) -> Value:
    return value.beneath(_RESHAPES)


def _is_short(base: Value) -> bool:
    """Whether a cast to int32, int16 or int8 is the last one."""
    if base.origin.name in _SHORT:
        return True
    return base.origin.name in ("to", "type") and any(
        each.origin.label in _SHORT_NAMES for each in base.origin.operands[1:]
    )


def _are_indices(base: Value) -> bool:
    """Whether a cast to float was given class indices: an argmax."""
    base = base.beneath(VIEWS)
    return base.origin.name in ("argmax", "argmin", "randint") or base.origin.label == "indices"


def _finding(op: Op, base: Value, what: str, cast: str | None) -> Finding:
    name = "cross_entropy" if op.name == "cross_entropy_loss" else op.name
    shown = written(op, "target", 1)
    advice = f"; use .{cast}()" if cast is not None else "; use the labels themselves"
    return RULE.finding(
        op.site,
        f"{name} raises for `{shown}`, {what}{advice}",
        evidence=with_calls(op, made_here(base, f"makes {what}")),
        rewrite=_rewrite(op, cast) if cast is not None else None,
    )


def _rewrite(op: Op, cast: str) -> Rewrite | None:
    node = argument_node(op, "target", 1)
    if node is None:
        return None
    content = f"{parenthesised(op.site.unit.code(node))}.{cast}()"
    return unsafe(f"use `{content}`", Replacement(Site(op.site.unit, node), content))
