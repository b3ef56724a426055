"""a focal weight computed from a class-weighted cross entropy

The focal loss weighs each sample by `(1 - pt) ** gamma`, with `pt` the probability of its own class. Where the cross
entropy is given `weight=` or `pos_weight=`, `exp(-ce)` is not that probability but `p ** w`: a class with weight 4
and p = 0.8 counts as one with pt = 0.41, and its samples as far harder than they are.

## Bad

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, class_weight, gamma=2.0):
    ce = F.cross_entropy(logits, target, weight=class_weight, reduction="none")
    pt = torch.exp(-ce)
    return ((1 - pt) ** gamma * ce).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, class_weight, gamma=2.0):
    ce = F.cross_entropy(logits, target, reduction="none")
    pt = torch.exp(-ce)
    return (class_weight[target] * (1 - pt) ** gamma * ce).mean()
```

No fix is offered: where the weight goes depends on the loss.

A run confirms it by a weight of a class that changes the focal weight of its samples.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph
from losslint.semantics.spelling import excerpt
from losslint_rules.reduction.focal_weights import focal_weights
from losslint_rules.reduction.loss_operators import is_given, is_one_number

RULE = Rule(code="LL311", name="focal-of-weighted", severity=Severity.WARNING)

_WEIGHTS = {
    "cross_entropy_loss": ("weight",),
    "nll_loss": ("weight",),
    "binary_cross_entropy": ("weight",),
    "binary_cross_entropy_with_logits": ("pos_weight", "weight"),
}


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a focal weight of which the probability has a class weight in its exponent."""
    for focal in focal_weights(graph):
        entropy = focal.cross_entropy
        maker = graph.op_of(entropy)
        given = [name for name in _WEIGHTS.get(entropy.origin.name, ()) if is_given(entropy.origin.keywords.get(name))]
        if not given or maker is None or is_one_number(entropy):
            continue
        steps = [Step(maker.site, f"`{given[0]}` multiplies the logarithm of the probability")]
        if focal.factor.origin.site is not None:
            steps.append(Step(focal.factor.origin.site, "the focal weight is computed from that"))
        yield RULE.finding(
            focal.probability.origin.site or maker.site,
            f"`{excerpt(focal.probability)}` is p ** {given[0]}, not p, because `{excerpt(entropy)}` is weighted: "
            "compute the probability from the unweighted cross entropy, and weigh the product",
            evidence=with_calls(maker, steps),
        )
