"""a norm written as sqrt of a sum of squares

The gradient of `sqrt` at 0 is infinite, and the chain rule multiplies it by the 0 of the square: NaN. It
happens as soon as one row of the difference is all zero: equal embeddings, a padded row, the diagonal of a
distance matrix. `torch.linalg.vector_norm` defines the gradient at 0 as 0.

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

A run confirms it by feeding equal inputs and finding a NaN gradient at this line.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.measurements import Measurements
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, RunFinding, Step, Symptom, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, respell
from losslint.semantics.values import DType, Gradient, Value
from losslint_rules.runs import NonFinite, findings

RULE = Rule(
    code="LL205",
    name="sqrt-of-sum-of-squares",
    severity=Severity.WARNING,
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
    if len(op.operands) == 2 and op.operands[1].constant == 0.5:
        yield from _findings(op, graph)


def _findings(op: Op, graph: Graph) -> Iterator[Finding]:
    total = op.operands[0]
    if total.origin.name != "sum" or not op.gradient_matters or not graph.differentiates(op.value):
        return
    base = squared(total.origin.operands[0])
    if base is None or base.gradient is not Gradient.CARRIES or base.dtype is DType.INT or op.is_guarded([total]):
        return
    steps = [Step(total.origin.site, "this sum of squares is 0 for an all-zero row")] if total.origin.site else []
    yield RULE.finding(
        op.site,
        f"the gradient of this root is NaN where `{excerpt(base)}` is all zero; vector_norm's is 0",
        evidence=with_calls(op, steps),
        rewrite=_rewrite(op, graph, total, base),
    )


def squared(value: Value) -> Value | None:
    """x for x ** 2, x.pow(2), x.square() and x * x."""
    name, operands = value.origin.name, value.origin.operands
    if name == "square":
        return operands[0]
    if name == "pow" and operands[1].constant == 2:
        return operands[0]
    if name == "mul" and len(operands) == 2 and operands[0].key == operands[1].key:
        return operands[0]
    return None


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
