"""log of a sum of exponentials, instead of logsumexp

`exp(x)` overflows to inf above 88.7 in float32 (11.1 in float16), so `log(sum(exp(x)))` is inf with a NaN gradient as soon as
one x is larger, where the right value is about the largest x. `torch.logsumexp` subtracts the maximum first and is finite
for every finite x. A contrastive loss written as `-log(exp(positive) / exp(all).sum())` is the same thing twice:
`logsumexp(all) - positive`, or a cross entropy over the similarities, is finite.

Exponents that are bounded are silent: after `x - x.max()`, cosines over a temperature, clamped values.

## Bad

```python
import torch

def partition_loss(logits, target):
    return (torch.log(torch.exp(logits).sum(dim=1)) - logits.gather(1, target[:, None])[:, 0]).mean()
```

## Good

```python
import torch

def partition_loss(logits, target):
    return (torch.logsumexp(logits, dim=1) - logits.gather(1, target[:, None])[:, 0]).mean()
```

The fix is safe: value and gradient agree wherever the original is finite, to within rounding. It is offered where the dim is
written as a literal.

A run confirms it with inputs of +-200.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, respell
from losslint.semantics.values import Value
from losslint_rules.numerics.exponents import Exponents, exponents, is_named_logits, may_overflow
from losslint_rules.numerics.root_cause import is_reported
from losslint_rules.numerics.softmax_by_hand import RULE as SOFTMAX_BY_HAND
from losslint_rules.numerics.unguarded_log import RULE as UNGUARDED_LOG

RULE = Rule(
    code="LL213",
    name="log-of-sum-of-exp",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("saturation",),
    precondition=Precondition.MAGNITUDE,
)


@RULE.on_op("log")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report log(sum(exp(x))) and log(exp(a) / sum(exp(b)))."""
    found = exponents(op.operands[0])
    if found is None or not graph.matters(op.value):
        return
    unbounded = [each for each in found.values if may_overflow(each)]
    if found.is_ratio:
        unbounded = [each for each in unbounded if is_named_logits(each)]
        quotients = [maker for each in _quotients(op.operands[0]) if (maker := graph.op_of(each)) is not None]
        if any(is_reported(each, graph, SOFTMAX_BY_HAND) for each in quotients):
            return
    if not unbounded or is_reported(op, graph, UNGUARDED_LOG):
        return
    shown = excerpt(unbounded[0])
    site = unbounded[0].origin.site
    steps = [Step(site, "nothing keeps this exponent below 88.7, where exp overflows to inf")] if site else []
    better = (
        "`logsumexp(all) - positive`, or a cross entropy over the exponents, is finite"
        if found.is_ratio
        else "logsumexp is finite"
    )
    yield RULE.finding(
        op.site,
        f"exp overflows to inf where `{shown}` is above 88.7, and the log is then not finite, nor is its gradient; {better}",
        evidence=with_calls(op, steps),
        rewrite=_rewrite(op, graph, found),
    )


def _quotients(operand: Value) -> Iterator[Value]:
    """The quotient under the log, behind an epsilon perhaps."""
    yield operand
    yield from operand.origin.operands


def _rewrite(op: Op, graph: Graph, found: Exponents) -> Rewrite | None:
    total = found.total
    arguments = total.origin.keywords
    dim = arguments.get("dim")
    function = op.site.unit.spell("torch.logsumexp")
    if not found.is_plain or dim is None or function is None or arguments.keys() - {"input", "dim", "keepdim"}:
        return None
    written = [respell(graph, op, found.values[0])]
    for name in ("dim", "keepdim"):
        if name in arguments:
            text = _literal(arguments[name])
            written.append(text and f"{name}={text}")
    if not all(written):
        return None
    content = f"{function}({', '.join(str(each) for each in written)})"
    return Rewrite(Applicability.SAFE, f"use `{content}`", (Replacement(op.site, content),))


def _literal(value: Value) -> str | None:
    """A dim or a flag that is written as a literal."""
    if isinstance(value.elements, tuple):
        members = [_literal(each) for each in value.elements]
        return f"({', '.join(str(each) for each in members)}{',' * (len(members) == 1)})" if all(members) else None
    return repr(value.constant) if value.has_constant and not value.is_default else None
