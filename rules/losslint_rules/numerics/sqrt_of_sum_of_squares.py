"""a norm written as sqrt of a sum of squares

The gradient of `sqrt` at 0 is infinite, and the chain rule multiplies it by the 0 of the square: NaN. It
happens as soon as one row of the difference is all zero: equal embeddings, a padded row, the diagonal of a
distance matrix. The same holds for `sqrt(dx ** 2 + dy ** 2)` on a flat patch of an image or a silent part of a
spectrum, for `torch.hypot`, and for `sqrt(x ** 2)`. `torch.linalg.vector_norm` and `abs`, that of a complex
tensor too, define the gradient at 0 as 0.

## Bad

```python
import torch

def contrastive_loss(a, b):
    distance = torch.sqrt(torch.sum((a - b) ** 2, dim=1))
    return distance.mean()
```

## Good

```python
import torch

def contrastive_loss(a, b):
    distance = torch.linalg.vector_norm(a - b, dim=1)
    return distance.mean()
```

The fix is safe for floating-point tensors: the value is the same to within rounding, and so is the gradient
wherever it was finite. An epsilon inside the root (`sqrt(x.pow(2).sum() + 1e-12)`) is fine too, and silent.
A root of several named squares, and `hypot`, have no such replacement: which epsilon is small, only you know.

One root of all elements of a difference of two inputs is an info: two whole tensors are hardly ever equal.

A run confirms it by feeding equal inputs and finding a NaN gradient at this line.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.measurements import Measurements
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, RunFinding, Step, Symptom, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, parenthesised, respell
from losslint.semantics.values import DType, Gradient, Kind, Value
from losslint_rules.numerics.default_paths import excludes_default
from losslint_rules.numerics.squares import added_squares, is_learned, parts_two_inputs, squared, vanishes
from losslint_rules.runs import NonFinite, findings

RULE = Rule(
    code="LL205",
    name="sqrt-of-sum-of-squares",
    severity=Severity.WARNING,
    doubted=True,
    confirmed_by=("degenerate", "saturation"),
    precondition=Precondition.ZERO,
)


_IN_RUN = frozenset({"sqrt", "rsqrt"})


@RULE.on_op("sqrt")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report sqrt(sum(x ** 2)) of something a gradient flows to."""
    yield from _findings(op, graph)


@RULE.on_op("pow")
def power_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report sum(x ** 2) ** 0.5."""
    if len(op.operands) == 2 and op.operands[1].constant == 0.5 and not excludes_default(op, op.operands[1]):
        yield from _findings(op, graph)


@RULE.on_op("hypot")
def hypot_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report torch.hypot, whose gradient at (0, 0) is NaN as well."""
    yield from _of_added(op, graph, list(op.operands))


def _findings(op: Op, graph: Graph) -> Iterator[Finding]:
    total = op.operands[0]
    if total.origin.name != "sum":
        yield from _of_added(op, graph, added_squares(total))
        return
    if not op.gradient_matters or not graph.differentiates(op.value):
        return
    base = squared(total.origin.operands[0])
    if base is None or base.gradient is not Gradient.CARRIES or base.dtype is DType.INT or op.is_guarded([total]):
        return
    if is_learned(base):
        return
    steps = [Step(total.origin.site, "this sum of squares is 0 for an all-zero row")] if total.origin.site else []
    yield RULE.finding(
        op.site,
        f"the gradient of this root is NaN where `{excerpt(base)}` is all zero; vector_norm's is 0",
        severity=Severity.INFO if _is_of_everything(op, total) and parts_two_inputs(base) else RULE.severity,
        evidence=with_calls(op, steps),
        rewrite=_rewrite(op, graph, total, base),
    )


def _is_of_everything(op: Op, total: Value) -> bool:
    """Whether one root is taken of all elements, and not one for each row, or for each turn of a loop."""
    dim = total.origin.keywords.get("dim")
    return (dim is None or dim.kind is Kind.NONE) and not op.in_loop


def _of_added(op: Op, graph: Graph, bases: list[Value]) -> Iterator[Finding]:
    """sqrt(a ** 2 + b ** 2), where equal, constant or silent inputs make all of them 0."""
    if not bases or not op.gradient_matters or not graph.differentiates(op.value):
        return
    if all(base.gradient is not Gradient.CARRIES for base in bases) or not all(vanishes(base) for base in bases):
        return
    if op.is_guarded([op.operands[0], *bases]):
        return
    named = list(dict.fromkeys(f"`{excerpt(base)}`" for base in bases))
    if len(named) == 1:
        message = f"the gradient of this root is NaN where {named[0]} is 0; that of abs is 0 there"
    else:
        message = (
            f"the gradient of this root is NaN where {', '.join(named[:-1])} and {named[-1]} are 0 together; add a small "
            "eps under the root"
        )
    steps = [Step(base.origin.site, f"`{excerpt(base)}` can be 0") for base in bases if base.origin.site is not None]
    yield RULE.finding(op.site, message, evidence=with_calls(op, steps), rewrite=_absolute(op, graph, bases))


def _absolute(op: Op, graph: Graph, bases: list[Value]) -> Rewrite | None:
    argument = respell(graph, op, bases[0]) if len(bases) == 1 and squared(op.operands[0]) is not None else None
    if argument is None:
        return None
    content = f"{parenthesised(argument)}.abs()"
    return Rewrite(Applicability.SAFE, f"use `{content}`", (Replacement(op.site, content),))


def _rewrite(op: Op, graph: Graph, total: Value, base: Value) -> Rewrite | None:
    function = op.site.unit.spell("torch.linalg.vector_norm")
    argument = respell(graph, op, base)
    arguments = total.origin.keywords
    if function is None or argument is None or arguments.keys() - {"input", "self", "dim", "keepdim"}:
        return None
    written = [argument]
    for name in ("dim", "keepdim"):
        if name in arguments:
            text = respell(graph, op, arguments[name])
            if text is None:
                return None
            written.append(f"{name}={text}")
    content = f"{function}({', '.join(written)})"
    return Rewrite(Applicability.SAFE, f"use `{content}`", (Replacement(op.site, content),))


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report what a run showed at such an operator."""
    return findings(RULE, m, _IN_RUN, _why)


def _why(found: NonFinite) -> str:
    if found.symptom is Symptom.GRADIENT:
        return "the slope of a root at 0 is infinite"
    return "a root meets a negative number" if found.outcome.value == "nan" else "a root meets 0 or infinity"
