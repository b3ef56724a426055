"""a prediction that is only used detached

`F.mse_loss(pred.detach(), target, ...)`, and nothing else looks at `pred`: whatever still carries a gradient in the loss, the
network that made the prediction learns nothing from it.

Reported where an input that is named as a prediction (pred, logits, output, scores) reaches the loss through `detach()` alone,
and no other such input reaches it with its gradient; or where it is the detached input of a cross entropy whose target
carries a gradient instead. Where nothing at all carries one, no-gradient-path (LL102) reports it. Losses that train something else
against a fixed prediction, such as a critic, a second network or a learned variance, are silent, and so are those that call what
is not known.

## Bad

```python
import torch.nn.functional as F

def weighted_loss(pred, target, importance):
    error = F.mse_loss(pred.detach(), target, reduction="none")
    return (importance * error).mean()
```

## Good

```python
import torch.nn.functional as F

def weighted_loss(pred, target, importance):
    error = F.mse_loss(pred, target, reduction="none")
    return (importance * error).mean()
```

No fix is offered: the other side may be what was to be detached.

A run confirms it by an input that gets no gradient although the value depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Role, Value
from losslint_rules.gradients.detached_summands import CUTS

RULE = Rule(
    code="LL121", name="detached-prediction", severity=Severity.WARNING, doubted=True, confirmed_by=("dead_gradient",)
)

_PREDICTED = frozenset(
    "pred preds prediction predictions predicted logit logits output outputs score scores recon reconstruction".split()
)
_ELSEWHERE = frozenset(
    "old ref reference teacher baseline fake real critic disc discriminator adv adversarial prev previous ema momentum value "
    "values policy quality confidence conf uncertainty sigma std var variance log_var temperature calibration router gate".split()
)
_ASYMMETRIC = ("binary_cross_entropy_with_logits", "binary_cross_entropy", "cross_entropy_loss")


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report predictions that reach the loss through a detach alone."""
    if graph.calls_backward or not any(each.gradient is Gradient.CARRIES for each in graph.results):
        return
    named = [each for each in graph.parameters if _is_predicted(each)]
    if any(_ELSEWHERE & set(words(each.origin.label)) for each in graph.parameters):
        return
    if any(each.role is Role.PREDICTION and graph.differentiates(each) for each in graph.parameters):
        return
    if any(
        each.origin.name in ("unknown", "method") and graph.differentiates(each) for each in ancestors(graph.results)
    ):
        return  # a network, or a method of a heir, may be what is trained
    for prediction in named:
        cuts = [op for op in graph.named(*CUTS) if _detaches(op, prediction) and graph.matters(op.value)]
        if cuts and any(each.role is Role.TARGET or graph.differentiates(each) for each in graph.parameters):
            yield _finding(cuts[0], prediction, "nothing else of it reaches the loss, so it is not trained")
            return


@RULE.on_op(*_ASYMMETRIC)
def entropies_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report cross entropies of detached predictions against what carries a gradient."""
    if len(op.operands) < 2 or not graph.differentiates(op.value) or op.operands[0].origin.name not in CUTS:
        return
    source, target = op.operands[0].origin.operands[0], op.operands[1]
    if _is_predicted(source) and target.origin.name == "parameter" and not graph.differentiates(source):
        yield _finding(op, source, f"only `{excerpt(target)}`, which it is compared with, gets a gradient here")


def _is_predicted(value: Value) -> bool:
    named = bool(_PREDICTED & set(words(value.origin.label)))
    return value.origin.name == "parameter" and value.role is Role.PREDICTION and named


def _detaches(op: Op, prediction: Value) -> bool:
    """Whether an operator detaches a prediction or what is made of it alone."""
    roots = [
        each for each in ancestors(op.operands) if each.origin.name == "parameter" and each.role is not Role.CONFIG
    ]
    return [each.key for each in roots] == [prediction.key]


def _finding(op: Op, prediction: Value, effect: str) -> Finding:
    return RULE.finding(
        op.site,
        f"the prediction `{excerpt(prediction)}` is detached, and {effect}; detach what it is compared with, if anything",
        evidence=with_calls(op, [Step(op.site, "the gradient ends here")]),
    )
