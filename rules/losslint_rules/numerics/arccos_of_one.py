"""acos or asin of a value that reaches 1 or -1

The slope of `acos` and `asin` at 1 and -1 is infinite. A cosine reaches 1 as soon as two vectors are parallel - a perfect
prediction - and `clamp(-1, 1)` keeps the value in the domain but lets the gradient through at its bounds: it is inf, and NaN
after the next multiplication by 0. Without the clamp rounding takes a cosine past 1, and even the value is NaN.

Reported is an argument that is proven to reach 1 or -1: a cosine similarity, a product of normalised vectors, something
clamped to exactly 1. A clamp to `1 - eps` is silent, as long as float32 does not round it to 1.

## Bad

```python
import torch
import torch.nn.functional as F

def angular_loss(pred, target):
    cosine = F.cosine_similarity(pred, target, dim=-1)
    return torch.acos(cosine.clamp(-1, 1)).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def angular_loss(pred, target):
    cosine = F.cosine_similarity(pred, target, dim=-1)
    return torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)).mean()
```

## Use instead

`1 - cosine`, if only the order of angles matters; `torch.atan2(sine, cosine)` with the sine from a cross product; or a clamp
to `1 - eps`, which gives clamped elements no gradient. No fix is offered: an epsilon changes values.

A run confirms it by feeding equal inputs and finding an infinite or NaN gradient at this line.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import chain
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value
from losslint_rules.numerics.choices import choices, is_left_out
from losslint_rules.numerics.domains import Edge

RULE = Rule(
    code="LL215",
    name="arccos-of-one",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("degenerate", "saturation"),
    precondition=Precondition.GRADIENT,
)


@RULE.on_op("acos", "asin")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an argument whose range is known to end at 1 or -1, and reaches that end."""
    argument = op.operands[0]
    if not op.gradient_matters or not graph.differentiates(op.value) or argument.gradient is not Gradient.CARRIES:
        return
    ends = [end for end in (1.0, -1.0) if end in (argument.interval.low, argument.interval.high)]
    ends = [end for end in ends if not _is_sorted_out(argument, end, graph)]
    reason = _reason(argument)
    if not ends or reason is None or op.is_guarded(chain(argument)):
        return
    if any(is_left_out(graph, op, Edge(argument, end)) for end in ends):
        return  # where-nan-gradient looks at the gradient
    source, why, severity = reason
    steps = [Step(source.origin.site, why)] if source.origin.site is not None else []
    reached = " and ".join(f"{end:g}" for end in ends)
    yield RULE.finding(
        op.site,
        f"`{excerpt(argument)}` reaches {reached}, where the slope of {op.name} is infinite: {why}; clamp to `1 - eps`, "
        "or use `1 - cosine` or atan2",
        severity=severity,
        evidence=with_calls(op, steps),
    )


_PASSED = frozenset(
    "view reshape squeeze unsqueeze flatten permute transpose diagonal getitem gather select float to mul div".split()
)


def _is_sorted_out(argument: Value, end: float, graph: Graph) -> bool:
    """Whether the argument is a selection that leaves the end out: `cosine[cosine < 1]`."""
    maker = graph.op_of(argument)
    return maker is not None and any(each.leaves_out(Edge(each.kept, end)) for each in choices(maker))


def _reason(argument: Value) -> tuple[Value, str, Severity] | None:
    """What brings a value to 1 or -1, why, and how surely; None where only an unknown bound says so.

    A cosine is 1 wherever a prediction is perfect; other values meet the bound of a clamp by chance.
    """
    value = argument
    while (
        value.origin.name in _PASSED and value.origin.operands and value.origin.operands[0].interval == value.interval
    ):
        value = value.origin.operands[0]
    name, operands = value.origin.name, value.origin.operands
    if name in ("clamp", "clamp_min", "clamp_max"):
        limits = [each for each in operands[1:] if each.has_constant and each.constant in (1, -1)]
        if not any(each.origin.name not in ("add", "sub") for each in limits):
            return None
        unlimited = operands[0].interval
        severity = Severity.ERROR if unlimited.high == 1.0 or unlimited.low == -1.0 else Severity.WARNING
        return value, "a clamp to exactly 1 lets the gradient through at its bounds", severity
    if name in _COSINES:
        return value, "a cosine is 1 for parallel vectors, and rounding takes it past 1", Severity.ERROR
    if name == "tanh":
        return value, "tanh rounds to 1 above about 9", Severity.ERROR
    return None


_COSINES = frozenset("cosine_similarity matmul mm bmm mv linear einsum sum dot".split())
