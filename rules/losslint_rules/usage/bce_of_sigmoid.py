"""binary_cross_entropy of a sigmoid, instead of binary_cross_entropy_with_logits

A sigmoid rounds to exactly 1 above about 17 in float32 and to exactly 0 below about -88. The log of that is -inf;
`F.binary_cross_entropy` cuts it off at -100, so the loss of a confidently wrong prediction stops at 100, and its
gradient, which should be largest there, is 0 through the rounded sigmoid. `F.binary_cross_entropy_with_logits`
computes the same loss from the logits and is right everywhere.

Under CUDA's autocast `binary_cross_entropy` is not allowed at all and raises: an error.

## Bad

```python
import torch
import torch.nn.functional as F

def detection_loss(scores, target):
    return F.binary_cross_entropy(torch.sigmoid(scores), target)
```

## Good

```python
import torch.nn.functional as F

def detection_loss(scores, target):
    return F.binary_cross_entropy_with_logits(scores, target)
```

The fix rewrites a call of the function whose sigmoid is written at hand. It is unsafe: values agree to rounding
where the sigmoid has not rounded, and differ, for the better, in the tails. `nn.BCELoss` has to become
`nn.BCEWithLogitsLoss` where it is built, by hand.

A run confirms it with a logit of -200 and a target of 1: the loss is 100 instead of 200, and the gradient 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rewrite, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.values import Value
from losslint_rules.autocast import autocast_around, is_on_cpu
from losslint_rules.usage.arguments import argument, instead_of, made_here, renamed, unsafe, written
from losslint_rules.usage.meanings import meaning_of

RULE = Rule(code="LL706", name="bce-of-sigmoid", severity=Severity.WARNING, doubted=True)


@RULE.on_op("binary_cross_entropy")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a sigmoid as the input, and any use under autocast."""
    given = argument(op, "input")
    if given is None or not op.gradient_matters or not graph.matters(op.value):
        return
    meant = meaning_of(given)
    sigmoid = meant.made if meant is not None and meant.plain and meant.made.origin.name == "sigmoid" else None
    if sigmoid is not None and not (sigmoid.interval.low == 0 or sigmoid.interval.high == 1):
        sigmoid = None  # of a bounded score: nothing rounds
    shown = written(op, "input", 0)
    if _under_autocast(op):
        yield RULE.finding(
            op.site,
            "binary_cross_entropy raises under CUDA's autocast; binary_cross_entropy_with_logits takes "
            f"the logits of `{shown}` and is allowed",
            severity=Severity.ERROR,
            evidence=with_calls(op, made_here(op.contexts[-1], "is open here")),
            rewrite=_rewrite(graph, op, sigmoid),
        )
    elif sigmoid is not None:
        yield RULE.finding(
            op.site,
            f"once the sigmoid `{shown}` rounds to 0 or 1, binary_cross_entropy cuts its log off at -100 and the "
            "gradient is 0 where it should be largest; binary_cross_entropy_with_logits is right for every logit",
            evidence=with_calls(op, made_here(sigmoid, "rounds to exactly 1 above about 17")),
            rewrite=_rewrite(graph, op, sigmoid),
        )


def _under_autocast(op: Op) -> bool:
    """Whether the innermost autocast around an operator is on, and not the CPU's."""
    context = autocast_around(op)
    return context is not None and not is_on_cpu(context)


def _rewrite(graph: Graph, op: Op, sigmoid: Value | None) -> Rewrite | None:
    if sigmoid is None:
        return None
    name = renamed(op, "binary_cross_entropy", "binary_cross_entropy_with_logits")
    logits = instead_of(graph, op, "input", 0, sigmoid, sigmoid.origin.operands[0])
    return unsafe("use binary_cross_entropy_with_logits", name, logits)
