"""log of a softmax, instead of log_softmax

A softmax output underflows to exactly 0 as soon as one logit leads by about 104 in float32 (17 in float16).
Its log is then -inf and the gradient NaN. `log_softmax` computes the same thing in log space and is finite
for every finite logit.

## Bad

```python
import torch
import torch.nn.functional as F

def distillation_loss(student, teacher):
    return -(teacher * torch.log(F.softmax(student, dim=1))).sum(1).mean()
```

## Good

```python
import torch.nn.functional as F

def distillation_loss(student, teacher):
    return -(teacher * F.log_softmax(student, dim=1)).sum(1).mean()
```

Logits in a bounded range, such as cosines over a temperature, are silent; those that a batch norm keeps together are an info.

The fix is safe: value and gradient agree wherever the original is finite, to within rounding. It is offered
where the dim is written and the softmax's argument still means the same at the log; the probabilities stay if
they are used elsewhere.

A run confirms it with logits of +-200.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.intervals import contains_zero
from losslint.semantics.spelling import excerpt, parenthesised, respell
from losslint.semantics.values import Kind, Value
from losslint_rules.numerics.log_space import StableForm, stable_form

RULE = Rule(
    code="LL202",
    name="log-of-softmax",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("saturation",),
    precondition=Precondition.ZERO,
)


@RULE.on_op("log")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a log whose operand is a softmax, directly or through selections."""
    form = stable_form(op.operands[0])
    if not contains_zero(op.operands[0].interval):
        return  # its argument is bounded: nothing underflows
    if form is None or form.function != "log_softmax" or not graph.matters(op.value):
        return
    made = form.made.origin.site
    evidence = [Step(made, "the softmax underflows to exactly 0 for a logit far below the largest")] if made else []
    yield RULE.finding(
        op.site,
        f"log of a softmax is -inf, and its gradient NaN, once a logit of `{excerpt(form.argument)}` is far below the "
        "largest; log_softmax is finite",
        severity=Severity.INFO if _is_normalised(form.argument) else Severity.ERROR,
        evidence=with_calls(op, evidence),
        rewrite=_rewrite(op, graph, form),
    )


def _is_normalised(logits: Value) -> bool:
    """Whether logits leave a layer that keeps their spread: a batch norm's output is far from 100 apart."""
    layers = (each for each in logits.origin.operands if each.kind is Kind.MODULE)
    return any(_NORMALISES.search(layer.origin.label) for layer in layers)


_NORMALISES = re.compile(r"(Batch|Layer|Instance|Group|RMS)Norm\w*$")


def _rewrite(op: Op, graph: Graph, form: StableForm) -> Rewrite | None:
    dim = form.made.origin.keywords.get("dim")
    if not form.direct or dim is None or form.made.origin.keywords.keys() - {"input", "self", "dim"}:
        return None
    argument = respell(graph, op, form.argument)
    dim_text = dim.origin.label if dim.has_constant and not dim.is_default else respell(graph, op, dim)
    if argument is None or not dim_text:
        return None
    function = op.site.unit.spell("torch.nn.functional.log_softmax")
    content = (
        f"{function}({argument}, dim={dim_text})"
        if function is not None
        else f"{parenthesised(argument)}.log_softmax(dim={dim_text})"
    )
    return Rewrite(Applicability.SAFE, f"use `{content}`", (Replacement(op.site, content),))
