"""log of a sigmoid, instead of logsigmoid

A sigmoid output underflows to exactly 0 below about -88 in float32, and rounds to exactly 1 above about 17,
so `log(sigmoid(x))` and `log(1 - sigmoid(x))` reach -inf, with NaN gradients, at logits that occur in
training. `logsigmoid(x)` and `logsigmoid(-x)` are the same functions in log space.

## Bad

```python
import torch

def bce_loss(logits, target):
    p = torch.sigmoid(logits)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()
```

## Good

```python
import torch.nn.functional as F

def bce_loss(logits, target):
    return -(target * F.logsigmoid(logits) + (1 - target) * F.logsigmoid(-logits)).mean()
```

Better still: `F.binary_cross_entropy_with_logits(logits, target)`.

The fix is safe: value and gradient agree wherever the original is finite, to within rounding.

A run confirms it with logits of +-200.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.intervals import contains_zero
from losslint.semantics.spelling import excerpt, parenthesised, respell
from losslint_rules.numerics.log_space import StableForm, stable_form

RULE = Rule(
    code="LL203",
    name="log-of-sigmoid",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("saturation",),
    precondition=Precondition.ZERO,
)


@RULE.on_op("log")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report log(sigmoid(x)) and log(1 - sigmoid(x))."""
    form = stable_form(op.operands[0])
    if not contains_zero(op.operands[0].interval):
        return  # its argument is bounded: nothing underflows
    if form is not None and form.function == "logsigmoid" and graph.matters(op.value):
        yield _finding(op, graph, form)


@RULE.on_op("log1p")
def log1p_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report log1p(-sigmoid(x))."""
    negated = op.operands[0]
    if negated.origin.name != "neg" or not graph.matters(op.value):
        return
    sigmoid = negated.origin.operands[0]
    if sigmoid.origin.name == "sigmoid":
        form = StableForm("logsigmoid", sigmoid.origin.operands[0], sigmoid, negated=True)
        yield _finding(op, graph, form)


def _finding(op: Op, graph: Graph, form: StableForm) -> Finding:
    made = form.made.origin.site
    reason = "rounds to exactly 1 above about 17" if form.negated else "underflows to exactly 0 below about -88"
    steps = [Step(made, f"the sigmoid {reason}")] if made is not None else []
    shown = "1 - sigmoid" if form.negated else "sigmoid"
    return RULE.finding(
        op.site,
        f"log({shown}) of `{excerpt(form.argument)}` is -inf, and its gradient NaN, because the sigmoid {reason}; "
        "logsigmoid is finite",
        evidence=with_calls(op, steps),
        rewrite=_rewrite(op, graph, form),
    )


def _rewrite(op: Op, graph: Graph, form: StableForm) -> Rewrite | None:
    function = op.site.unit.spell("torch.nn.functional.logsigmoid")
    argument = respell(graph, op, form.argument)
    if not form.direct or function is None or argument is None:
        return None
    content = f"{function}(-{parenthesised(argument)})" if form.negated else f"{function}({argument})"
    return Rewrite(Applicability.SAFE, f"use `{content}`", (Replacement(op.site, content),))
