"""an epsilon that vanishes in float32

Between 0.5 and 1, float32 numbers are 6e-8 apart, so `1 - 1e-8` is exactly 1: `p.clamp(1e-8, 1 - 1e-8)` does
not keep p below 1, and the `log(1 - p)` it was written for is -inf all the same. The lower bound is fine:
near 0 float32 reaches 1e-38. Above 1 the numbers are 1.2e-7 apart, so `acosh(x + 1e-8)` with x from 1 is
`acosh(x)`, with its infinite slope at 1.

In float16 and bfloat16 `1 - 1e-4` is 1 too, and in float16 `0 + 1e-8` is 0. They are reported where the code
itself casts to them, and for what an autocast block computes in half precision.

## Bad

```python
import torch

def bce_loss(prob, target):
    prob = prob.clamp(1e-8, 1 - 1e-8)
    return -(target * torch.log(prob) + (1 - target) * torch.log1p(-prob)).mean()
```

## Good

```python
import torch

def bce_loss(prob, target):
    eps = torch.finfo(prob.dtype).eps
    prob = prob.clamp(eps, 1 - eps)
    return -(target * torch.log(prob) + (1 - target) * torch.log1p(-prob)).mean()
```

Use `torch.finfo(p.dtype).eps`, or 1e-6. Tensors that are visibly float64 are not reported, nor is an epsilon
that is lost where nothing depends on it (`1 + x.abs() + 1e-8` as a divisor).

No fix is offered: a larger epsilon changes values. A run confirms it in float32 with saturated probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.intervals import float32
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import DType, Value
from losslint_rules.numerics.epsilons import is_guard, split_epsilon
from losslint_rules.numerics.half_precision import half_of, rounds_to_one

RULE = Rule(
    code="LL207",
    name="vanishing-eps",
    severity=Severity.WARNING,
    doubted=True,
    confirmed_by=("saturation", "half"),
    precondition=Precondition.MAGNITUDE,
)


@RULE.on_op("clamp", "clamp_max", "clamp_min", "minimum", "maximum")
def bound_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a bound of `1 - eps` or `1 + eps` that is 1, and one of eps that is 0 in float16."""
    bounded = op.operands[0]
    for value in op.operands[:0:-1]:
        if vanished(value, half_of(bounded, graph) is not None) is not None and not _only_logged(op, graph):
            yield from _findings(op, graph, bounded, value, "this bound bounds nothing")
            return
    for value in op.operands[1:]:
        if _is_zero_in_half(bounded, value, graph) and is_guard(op, graph):
            yield _finding_in_half(op, value)


def _only_logged(op: Op, graph: Graph) -> bool:
    """Whether only logs are taken of what is bounded, which are 0 at 1 and need no bound there, and of its complement only
    behind a bound of its own."""
    uses = graph.uses(op.value)
    return bool(uses) and all(use.name in _LOGS or _is_bounded_again(use, graph) for use in uses)


def _is_bounded_again(use: Op, graph: Graph) -> bool:
    return use.name in ("sub", "rsub") and all(each.name in ("clamp", "clamp_min") for each in graph.uses(use.value))


_LOGS = frozenset({"log", "log2", "log10"})


@RULE.on_op("sub", "rsub")
def difference_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `1 + eps - p`, which is `1 - p` in float32."""
    if len(op.operands) == 2 and op.operands[1].interval.high == 1.0:
        left, right = op.operands
        yield from _findings(op, graph, right, left, "the difference is exactly 0 where the subtracted value is 1")


@RULE.on_op("add")
def sum_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `x + eps` under an acosh, where x starts at 1, and as a divisor or under a log in float16."""
    split = split_epsilon(op.value)
    if split is None or not split[1].has_constant or not graph.matters(op.value):
        return
    operand, small = split
    if _is_zero_in_half(operand, small, graph) and operand.zero is not None and is_guard(op, graph):
        yield _finding_in_half(op, small)
    start, eps = operand.interval.low, small.constant
    under = any(use.name == "acosh" for use in graph.uses(op.value))
    if (
        under
        and start == 1.0
        and isinstance(eps, float)
        and float32(1.0 + eps) == 1.0
        and operand.dtype is not DType.DOUBLE
    ):
        yield RULE.finding(
            op.site,
            f"`{excerpt(operand)}` starts at 1, and 1 + {eps!r} is exactly 1.0 in float32: the slope of acosh there is "
            "infinite all the same",
            evidence=with_calls(op, [Step(small.origin.site, f"the epsilon is {eps!r}")] if small.origin.site else []),
        )


def vanished(value: Value, in_half: bool = False) -> Value | None:
    """The epsilon in `1 - eps` or `1 + eps`, or with -1, that is rounded away: in float32, or in half precision."""
    if value.origin.name not in ("add", "sub") or not value.has_constant:
        return None
    left, right = value.origin.operands
    for whole, small in ((left, right), (right, left)):
        if whole.constant in (1, -1) and _rounds_away(small.constant, value.constant, in_half):
            return small
    return None


def _rounds_away(small: object, result: object, in_half: bool) -> bool:
    if not isinstance(small, float) or not isinstance(result, float) or not 0 < abs(small) < 0.5:
        return False
    return abs(float32(result)) == 1.0 or (in_half and rounds_to_one(abs(result)))


def _findings(op: Op, graph: Graph, tensor: Value, value: Value, consequence: str) -> Iterator[Finding]:
    small = vanished(value, half_of(tensor, graph) is not None)
    site = value.origin.site
    if tensor.dtype is DType.DOUBLE or not graph.matters(op.value) or small is None or site is None:
        return
    given = "its default " if small.is_default else ""
    steps = [Step(small.origin.site, f"the epsilon is {given}{small.constant!r}")] if small.origin.site else []
    result = value.constant
    assert isinstance(result, float)
    where = "float32" if abs(float32(result)) == 1.0 else "half precision"
    yield RULE.finding(
        site,
        f"{_shown(value)} is exactly {round(result):.1f} in {where}: {consequence}",
        evidence=with_calls(op, steps),
    )


def _shown(value: Value) -> str:
    left, right = value.origin.operands
    sign = "-" if value.origin.name == "sub" else "+"
    return f"{left.constant} {sign} {right.constant}"


def _is_zero_in_half(tensor: Value, small: Value, graph: Graph) -> bool:
    eps = small.constant
    if not small.has_constant or not isinstance(eps, float) or not 0 < eps < 2.9e-8:
        return False
    half = half_of(tensor, graph)
    return half is not None and half.is_float16


def _finding_in_half(op: Op, small: Value) -> Finding:
    steps = [Step(small.origin.site, f"the epsilon is {small.constant!r}")] if small.origin.site else []
    return RULE.finding(
        op.site,
        f"{small.constant!r} is exactly 0 in float16, which has nothing between 0 and 6e-8: it guards nothing here",
        evidence=with_calls(op, steps),
    )
