"""cross_entropy over a single class

The softmax of one number is 1, so its cross entropy is 0 whatever the prediction: the loss is constantly 0, without
a gradient, and nothing fails. The classes are the second dimension of the input (the first where there is one
only), not the last.

## Bad

```python
import torch.nn as nn

class BinaryHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(64, 1)
        self.criterion = nn.CrossEntropyLoss()

    def training_step(self, features, labels):
        return self.criterion(self.score(features), labels)
```

## Good

```python
import torch.nn as nn

class BinaryHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(64, 1)
        self.criterion = nn.BCEWithLogitsLoss()

    def training_step(self, features, target):
        return self.criterion(self.score(features).squeeze(1), target)
```

No fix is offered: two outputs and cross_entropy, or one and binary_cross_entropy_with_logits, is a choice.

A run confirms it by a loss that is 0 for every input.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.values import Value
from losslint_rules.usage.arguments import argument, made_here, written
from losslint_rules.usage.single_class import has_one_class

RULE = Rule(code="LL708", name="cross-entropy-of-one-class", severity=Severity.ERROR)


@RULE.on_op("cross_entropy_loss")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an input whose second dimension is provably 1."""
    given = argument(op, "input")
    made: Value | None = has_one_class(given) if given is not None else None
    if made is None or not graph.matters(op.value):
        return
    shown = written(op, "input", 0)
    yield RULE.finding(
        op.site,
        f"`{shown}` has one class, and the cross entropy of one class is 0 with no gradient, whatever is predicted; "
        "use binary_cross_entropy_with_logits, or give every class its own logit in dimension 1",
        evidence=with_calls(op, made_here(made, "has size 1 in the dimension of the classes")),
    )
