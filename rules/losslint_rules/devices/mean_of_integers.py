"""a mean, norm or softmax of an integer or bool tensor

torch takes these operators of floating point numbers only: `(a == b).mean()`, `labels.std()` and `counts.softmax(0)` raise. A
`.float()` is missing. A matrix product takes two operands of one dtype: `F.one_hot(labels) @ features` raises too.

Only tensors that are proven to hold integers or bools are reported: comparisons, `.long()`, indices of argmax, counts.
Silent are `mean(dtype=torch.float32)` and arrays of numpy, which have the same methods.

## Bad

```python
from torch import Tensor

def spread_loss(pred: Tensor, labels: Tensor):
    share = (labels == 1).mean()
    return ((pred - share) ** 2).mean()
```

## Good

```python
from torch import Tensor

def spread_loss(pred: Tensor, labels: Tensor):
    share = (labels == 1).float().mean()
    return ((pred - share) ** 2).mean()
```

The fix adds `.float()`. It is unsafe, because what it replaces gives no value to compare with. A run confirms it by the
error.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.operators import operators
from losslint.semantics.spelling import excerpt, parenthesised
from losslint.semantics.values import DType, Kind, Value
from losslint_rules.devices.integer_facts import is_floating

RULE = Rule(code="LL505", name="mean-of-integers", severity=Severity.ERROR)

_CASTING = ("mean", "nanmean", "softmax", "log_softmax", "softmin")
_FLOATS_ONLY = (
    *_CASTING,
    "std",
    "var",
    "norm",
    "linalg_vector_norm",
    "linalg_norm",
    "quantile",
    "nanquantile",
    "normalize",
)
# Methods that arrays have as well, so that they do not tell a tensor.
_OF_ARRAYS = frozenset("mean std var sum max min any all round clip copy argmax argmin sort cumsum".split())
_DTYPE_TESTS = frozenset({"dtype", "is_floating_point", "is_complex"})
_NAMES = {DType.INT: "integers", DType.BOOL: "bools"}


@RULE.on_op(*_FLOATS_ONLY)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an operand that is proven to hold integers or bools."""
    value = op.operands[0] if op.operands else None
    if value is None or not value.is_tensor or value.dtype not in _NAMES or _is_cast(op):
        return
    if _asks_for_dtype(op) or _may_be_array(value, op, graph):
        return
    site = value.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(value)}` holds {_NAMES[value.dtype]}, and {_spelled(op)} takes floating point numbers only: torch raises; "
        "convert it with .float() first",
        evidence=with_calls(op, [Step(site, f"this makes {_NAMES[value.dtype]}")] if site is not None else []),
        rewrite=_rewrite(op),
    )


@RULE.on_op("matmul", "mm", "bmm", "mv", "dot")
def in_product(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a matrix product of integers and floating point numbers."""
    if len(op.operands) < 2 or _asks_for_dtype(op):
        return
    for value, other in (op.operands[:2], op.operands[1::-1]):
        if (
            not value.is_tensor
            or value.dtype not in _NAMES
            or not is_floating(other)
            or _may_be_array(value, op, graph)
        ):
            continue
        site = value.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(value)}` holds {_NAMES[value.dtype]} and `{excerpt(other)}` floating point numbers, and a matrix product "
            "takes two operands of one dtype: torch raises; convert it with .float() first",
            evidence=with_calls(op, [Step(site, f"this makes {_NAMES[value.dtype]}")] if site is not None else []),
        )


def _spelled(op: Op) -> str:
    return op.name.removeprefix("linalg_")


def _is_cast(op: Op) -> bool:
    """`mean(dtype=torch.float32)` converts first; a norm does not."""
    dtype = op.keywords.get("dtype")
    return op.name in _CASTING and dtype is not None and dtype.kind is not Kind.NONE


def _asks_for_dtype(op: Op) -> bool:
    """Whether a test of a dtype decides the path, which then may not be taken with integers."""
    tests = [condition.test for condition in op.conditions]
    return any(each.origin.name in _DTYPE_TESTS for each in ancestors(tests))


def _may_be_array(value: Value, op: Op, graph: Graph) -> bool:
    """Whether the numbers may be numpy's: a parameter of which no operator says that it is a tensor."""
    if not any(name.partition(".")[0] == "numpy" for name in op.site.unit.imports.values()):
        return False
    parameters = [
        each for each in ancestors([value]) if each.origin.name == "parameter" and each.kind is not Kind.NUMBER
    ]
    return any(not _is_annotated(each) and not _is_used_as_tensor(each, graph) for each in parameters)


def _is_annotated(parameter: Value) -> bool:
    node = parameter.origin.site.node if parameter.origin.site is not None else None
    return isinstance(node, cst.Param) and node.annotation is not None and parameter.is_tensor


def _is_used_as_tensor(parameter: Value, graph: Graph) -> bool:
    return any(
        each.name in operators()
        and each.name not in _OF_ARRAYS
        and isinstance(each.site.node, cst.Call)
        and any(operand.key == parameter.key for operand in each.operands)
        for each in graph.ops
    )


def _rewrite(op: Op) -> Rewrite | None:
    """`x.mean()` becomes `x.float().mean()`, `torch.mean(x)` becomes `torch.mean(x.float())`."""
    call = op.site.node
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    is_function = op.site.unit.qualified(call.func) is not None
    if is_function and (not call.args or call.args[0].keyword is not None or call.args[0].star):
        return None
    node = call.args[0].value if is_function else call.func.value
    text = f"{parenthesised(op.site.unit.code(node))}.float()"
    replacement = Replacement(type(op.site)(op.site.unit, node), text)
    return Rewrite(Applicability.UNSAFE, f"use `{text}`", (replacement,))
