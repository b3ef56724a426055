"""a float64 array of numpy meets float32 predictions

numpy makes float64 where torch makes float32. `torch.from_numpy(np.linspace(0, 1, n))` keeps that: element by element the loss
and its gradient become float64, which is slow on a GPU, and a matrix product, a convolution or class weights raise ("expected
m1 and m2 to have the same dtype").

Reported is a tensor made of an array that numpy provably made in float64, where it meets a prediction without a cast. Silent are
scalars, which promote no tensor with dimensions, arrays with a dtype, `.float()`, `.to(pred)` and `dtype=`.

## Bad

```python
import numpy as np
import torch

def weighted_loss(pred, target):
    weight = torch.from_numpy(np.linspace(0, 1, pred.size(-1))).to(pred.device)
    return (weight * (pred - target).abs()).mean()
```

## Good

```python
import numpy as np
import torch

def weighted_loss(pred, target):
    weight = torch.from_numpy(np.linspace(0, 1, pred.size(-1))).to(pred)
    return (weight * (pred - target).abs()).mean()
```

No fix is offered: which dtype the predictions have is known when the loss runs. A run confirms it by an error, or by a
float64 result.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.operators import Shape, operators
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import DType, Gradient, Kind, Value

RULE = Rule(code="LL506", name="double-from-numpy", severity=Severity.WARNING, preview=True)

_DOUBLES = frozenset(
    f"numpy.{name}"
    for name in (
        "linspace logspace geomspace zeros ones eye identity hanning hamming blackman bartlett random.rand random.randn "
        "random.uniform random.normal"
    ).split()
)
_KEEPS = frozenset(
    "numpy.sqrt numpy.exp numpy.log numpy.outer numpy.abs numpy.cumsum numpy.flip numpy.transpose".split()
)
_COPIES = frozenset({"tensor", "as_tensor", "from_numpy"})
_MEETS = frozenset({Shape.POINTWISE, Shape.MATMUL, Shape.LOSS})
_RAISES = frozenset({"matmul", "mm", "bmm", "mv", "linear", "conv1d", "conv2d", "einsum"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a float64 tensor where it meets something with a gradient."""
    for op in graph.ops:
        row = operators().get(op.name)
        if row is None or (row.shape not in _MEETS and op.name not in _RAISES):
            continue
        for value in op.operands:
            source = _double(value)
            partner = next((each for each in op.operands if _is_predicted(each)), None)
            if source is not None and partner is not None and partner.key != value.key:
                yield _finding(op, source, partner)
                break


def _is_predicted(value: Value) -> bool:
    return (
        value.gradient is Gradient.CARRIES and value.kind is Kind.TENSOR and value.dtype in (DType.UNKNOWN, DType.FLOAT)
    )


def _double(value: Value) -> Value | None:
    """The array in float64 that a tensor with dimensions is a copy or view of."""
    current = value
    for _ in range(20):
        name, operands = current.origin.name, current.origin.operands
        if not operands or current.rank == 0:
            return None
        if name in _COPIES:
            given = current.origin.keywords.get("dtype")
            unasked = given is None or given.kind is Kind.NONE
            return operands[0] if unasked and "Tensor" not in current.origin.label and _is_double(operands[0]) else None
        row = operators().get(name)
        moved = name in ("to", "cuda", "cpu") and all(_is_device(each) for each in operands[1:])
        if not moved and name != "getitem" and (row is None or row.shape not in (Shape.VIEW, Shape.RESHAPE_COPY)):
            return None
        current = operands[0]
    return None


def _is_device(value: Value) -> bool:
    return value.origin.name == "device" or value.kind in (Kind.STR, Kind.NUMBER) or "device" in value.origin.label


def _is_double(array: Value) -> bool:
    """Whether numpy made an array without being asked for a dtype."""
    node = array.origin.site.node if array.origin.site is not None else None
    if array.origin.name != "escape" or not isinstance(node, cst.Call):
        return False
    if any(argument.keyword is not None and argument.keyword.value == "dtype" for argument in node.args):
        return False
    if array.origin.label in _KEEPS:
        return bool(array.origin.operands) and _is_double(array.origin.operands[0])
    return array.origin.label in _DOUBLES and not _has_dtype_by_position(array, node)


def _has_dtype_by_position(array: Value, node: cst.Call) -> bool:
    """`np.zeros(n, np.float32)`: the second argument is a dtype."""
    sized = array.origin.label in ("numpy.zeros", "numpy.ones")
    return sized and sum(argument.keyword is None for argument in node.args) > 1


def _finding(op: Op, source: Value, partner: Value) -> Finding:
    array, meets = excerpt(source), excerpt(partner)
    effect = "torch raises for float32 inputs" if op.name in _RAISES else "the loss becomes float64 from here on"
    steps = [Step(source.origin.site, f"`{array}` is float64")] if source.origin.site is not None else []
    return RULE.finding(
        op.site,
        f"the array `{array}` is float64 and meets `{meets}`: {effect}; convert it with .float(), or with .to() and a tensor",
        evidence=with_calls(op, [*steps, Step(op.site, f"it meets `{meets}`")]),
    )
