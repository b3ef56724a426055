"""binary_cross_entropy of numbers that are not in [0, 1]

`F.binary_cross_entropy` and `nn.BCELoss` take probabilities and stop with "all elements of input should be between
0 and 1" for anything else; on a GPU that is a device-side assert, which takes the process with it. The raw output
of a layer is a score, not a probability, and log-probabilities are negative. `p + eps` leaves the range too,
because a sigmoid reaches exactly 1.

Only what provably leaves the range is reported: a Linear or Conv layer's output, tanh, ReLU or softplus of one,
log_softmax and logsigmoid, and a probability plus an epsilon that float32 can see.

## Bad

```python
import torch.nn as nn

class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(64, 1)
        self.criterion = nn.BCELoss()

    def training_step(self, features, target):
        return self.criterion(self.score(features), target)
```

## Good

```python
import torch.nn as nn

class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(64, 1)
        self.criterion = nn.BCEWithLogitsLoss()

    def training_step(self, features, target):
        return self.criterion(self.score(features), target)
```

The fix turns a call of `F.binary_cross_entropy` on a layer's scores into `F.binary_cross_entropy_with_logits`. It is
unsafe, because what it replaces gives no value to compare with.

A run confirms it by the error.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.intervals import float32
from losslint.semantics.values import Value
from losslint_rules.usage.arguments import argument, made_here, renamed, unsafe, written
from losslint_rules.usage.meanings import Meaning, is_small_constant, kind_of, meaning_of, through_views

RULE = Rule(code="LL705", name="logits-into-bce", severity=Severity.WARNING)

_UNBOUNDED = frozenset({"tanh", "relu", "softplus", "leaky_relu", "elu", "gelu", "silu"})
_REACHES_MINUS_ONE = frozenset({"tanh", "cosine_similarity"})


@RULE.on_op("binary_cross_entropy")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an input that provably leaves [0, 1]."""
    given = argument(op, "input")
    if given is None or not graph.matters(op.value):
        return
    found = _outside(given)
    if found is None:
        return
    made, why = found
    meant = meaning_of(given)
    is_raw = meant is not None and meant.meaning is Meaning.RAW
    fix = renamed(op, "binary_cross_entropy", "binary_cross_entropy_with_logits") if is_raw else None
    shown = written(op, "input", 0)
    yield RULE.finding(
        op.site,
        f"binary_cross_entropy takes probabilities and fails outside [0, 1], and `{shown}` {why}"
        + ("; use binary_cross_entropy_with_logits" if is_raw else ""),
        evidence=with_calls(op, made_here(made, "is not confined to [0, 1]")),
        rewrite=unsafe("use binary_cross_entropy_with_logits", fix),
    )


def _outside(value: Value) -> tuple[Value, str] | None:
    """Where a value left [0, 1], and how; None where it may well be inside."""
    base = through_views(value)
    meant = meaning_of(base)
    if meant is not None and meant.meaning is Meaning.RAW:
        return meant.made, f"is the raw output of a {kind_of(meant.made)}"
    if meant is not None and meant.meaning is Meaning.LOG_PROBABILITY:
        return meant.made, f"holds log-probabilities, the output of {kind_of(meant.made)}"
    operands = base.origin.operands
    if base.origin.name in _UNBOUNDED and operands:
        beneath = meaning_of(operands[0])
        if beneath is not None and beneath.meaning is Meaning.RAW:
            return base, f"is a {base.origin.name} of the raw output of a {kind_of(beneath.made)}"
    if base.origin.name in _REACHES_MINUS_ONE and operands and operands[0].interval.low < 0:
        return base, f"is a {base.origin.name}, which reaches -1"
    if base.origin.name == "add" and len(operands) == 2 and is_small_constant(operands[1]):
        inner = meaning_of(operands[0])
        eps = operands[1].constant
        probable = inner is not None and inner.meaning is Meaning.PROBABILITY and inner.plain
        if probable and operands[0].interval.high == 1 and isinstance(eps, float) and float32(1 + eps) > 1:
            return base, f"is a probability, which reaches exactly 1, plus {eps:g}"
    return None
