"""a cross entropy averaged over the classes

`(one_hot * log_p).mean()` divides by the number of samples and by the number of classes, although all classes but one are
0. The loss is the cross entropy divided by the number of classes: its gradient is 1000 times smaller for 1000 classes, and
a weight that balances it with other terms is wrong for the next data set.

Reported where a one-hot encoding is multiplied with log-probabilities and the mean goes over all elements. Silent where
the sum over the classes comes first, and where the result is multiplied by a size.

## Bad

```python
import torch.nn.functional as F

def soft_cross_entropy_loss(logits, target):
    one_hot = F.one_hot(target, logits.size(1)).float()
    return -(one_hot * F.log_softmax(logits, dim=1)).mean()
```

## Good

```python
import torch.nn.functional as F

def soft_cross_entropy_loss(logits, target):
    one_hot = F.one_hot(target, logits.size(1)).float()
    return -(one_hot * F.log_softmax(logits, dim=1)).sum(dim=1).mean()
```

No fix is offered: the dimension of the classes is the author's to name.

A run confirms it by a loss that is `F.cross_entropy` divided by the number of classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.excluding_masks import bare_mask
from losslint_rules.reduction.class_counts import is_scaled_back
from losslint_rules.reduction.focal_weights import product_factors
from losslint_rules.reduction.log_probabilities import is_log_probability
from losslint_rules.reduction.loss_operators import reduces_all

RULE = Rule(code="LL324", name="averaged-over-classes", severity=Severity.WARNING, preview=True)


@RULE.on_op("mean")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a mean over all elements of one-hot log-probabilities."""
    if not reduces_all(op.value) or not graph.matters(op.value):
        return
    factors = list(product_factors(op.operands[0]))
    one_hot = next((each for each in factors if _is_one_hot(each)), None)
    if one_hot is None or not any(is_log_probability(each) for each in factors) or is_scaled_back(graph, op.value):
        return
    site = bare_mask(one_hot).origin.site
    yield RULE.finding(
        op.site,
        f"the mean divides by the number of classes too, although `{excerpt(one_hot)}` is 0 for all but one of them: sum over "
        "the classes first",
        evidence=with_calls(op, [Step(site, "one class of these is 1, the others 0")] if site is not None else []),
    )


def _is_one_hot(value: Value) -> bool:
    return _made(value).origin.name == "one_hot"


def _made(value: Value) -> Value:
    """A one-hot encoding without casts, views and moved dimensions."""
    current = bare_mask(value)
    while current.origin.name in ("movedim", "permute", "transpose", "type_as") and current.origin.operands:
        current = bare_mask(current.origin.operands[0])
    return current
