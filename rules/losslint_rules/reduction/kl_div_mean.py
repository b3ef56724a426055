"""a KL divergence averaged over the classes

`F.kl_div` with `reduction="mean"`, its default, divides by every element: by the batch size and by the number of
classes. That is not the KL divergence but a fraction of it, and the fraction changes with the number of classes, so
that a weight found for one data set is wrong for the next. torch itself warns of it when it runs.

Silent where the result is multiplied by the number of classes again.

## Bad

```python
import torch.nn.functional as F

def distillation_loss(student, teacher, t=4.0):
    return F.kl_div(F.log_softmax(student / t, dim=1), F.softmax(teacher / t, dim=1)) * t**2
```

## Good

```python
import torch.nn.functional as F

def distillation_loss(student, teacher, t=4.0):
    return F.kl_div(F.log_softmax(student / t, dim=1), F.softmax(teacher / t, dim=1), reduction="batchmean") * t**2
```

`"batchmean"` divides by the size of the first dimension alone. Where there are more than two dimensions, use
`reduction="none"`, sum over the classes and take the mean of what is left.

The fix sets `reduction="batchmean"`. It is unsafe: the loss grows by the number of classes, and with it the weight that
it needs.

A run confirms it by a value that is the divergence divided by the number of classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Reduced
from losslint_rules.reduction.class_counts import is_scaled_back
from losslint_rules.reduction.loss_operators import with_reduction

RULE = Rule(code="LL315", name="kl-div-mean", severity=Severity.WARNING)


@RULE.on_op("kl_div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a divergence that is proven to be a mean over all elements."""
    if op.value.reduction.kind is not Reduced.MEAN or not graph.matters(op.value) or is_scaled_back(graph, op.value):
        return
    said = op.keywords.get("reduction")
    how = 'reduction="mean"' if said is not None else 'the default reduction "mean"'
    replacement = with_reduction(graph, op.value, "batchmean")
    yield RULE.finding(
        op.site,
        f"{how} divides `{excerpt(op.value)}` by the number of classes too, which is not the KL divergence and changes "
        'with that number: use reduction="batchmean"',
        evidence=with_calls(op, [Step(said.origin.site, "set here")] if said is not None and said.origin.site else []),
        rewrite=None
        if replacement is None
        else Rewrite(Applicability.UNSAFE, "divide by the batch size alone", (replacement,)),
    )
