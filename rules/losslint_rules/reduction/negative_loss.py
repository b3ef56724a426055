"""a log-likelihood without a minus

A log-probability is at most 0, and the better the prediction the larger it is. Returned as a loss without a minus it is
maximised the wrong way round: the optimiser drives the probability of the right class towards 0, and the loss towards
minus infinity.

Reported where the returned value is proven to be a mean or a sum of log-probabilities that the target picks or weighs
(gather, indexing, a one-hot product, the two terms of a binary cross entropy). Silent for what is named as a reward, a
score or a likelihood, and where code in the same file turns the sign.

## Bad

```python
import torch.nn.functional as F

def nll_loss(logits, target):
    log_p = F.log_softmax(logits, dim=1)
    return log_p.gather(1, target.unsqueeze(1)).mean()
```

## Good

```python
import torch.nn.functional as F

def nll_loss(logits, target):
    log_p = F.log_softmax(logits, dim=1)
    return -log_p.gather(1, target.unsqueeze(1)).mean()
```

The fix puts a minus in front. It is unsafe: it turns the loss round.

A run confirms it by a loss below 0 that falls as the prediction gets worse.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt, parenthesised
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Site
from losslint_rules.reduction.log_probabilities import picked_log_probability
from losslint_rules.reduction.negations import is_named_as_loss, is_negated_in_file

RULE = Rule(code="LL314", name="negative-loss", severity=Severity.WARNING, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report returned log-likelihoods that nothing negates."""
    if not is_named_as_loss(graph) or graph.calls_backward:
        return
    for op in graph.returns:
        values = returned_values(op)
        source = picked_log_probability(values[0]) if len(values) == 1 else None
        if source is None or not op.gradient_matters or is_negated_in_file(graph):
            continue
        steps = [Step(source.origin.site, "a log-probability is at most 0")] if source.origin.site is not None else []
        yield RULE.finding(
            op.site,
            f"`{excerpt(values[0])}` is a log-likelihood, at most 0 and larger for better predictions: minimised, it unlearns "
            "the target; return its negative",
            evidence=steps,
            rewrite=_rewrite(op),
        )


def _rewrite(op: Op) -> Rewrite | None:
    node = op.site.node
    if not isinstance(node, cst.Return) or node.value is None or isinstance(node.value, cst.Tuple | cst.Dict):
        return None
    content = f"-{parenthesised(op.site.unit.code(node.value))}"
    return Rewrite(Applicability.UNSAFE, "return the negative", (Replacement(Site(op.site.unit, node.value), content),))
