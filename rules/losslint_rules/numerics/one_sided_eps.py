"""an epsilon in one of two places that need it

A binary cross entropy by hand has two logs. Where one is guarded, `torch.log(p + 1e-8)`, and the other is `torch.log(1 - p)`, the
loss is -inf as soon as p rounds to 1, which a sigmoid does above 17 in float32: its author knew that p reaches the end of its
range, and thought of one end only. So it is with one divisor in two divisions, `a / (n + eps)` and `b / n`.

Reported is the one without, where nothing else is known of it: a log or a division whose argument is proven to reach 0 is
reported as that. Different divisors, and arguments that something else keeps from 0, are silent.

## Bad

```python
import torch

def bce_loss(pred, target):
    return -(target * torch.log(pred + 1e-8) + (1 - target) * torch.log(1 - pred)).mean()
```

## Good

```python
import torch.nn.functional as F

def bce_loss(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target)
```

Or the same epsilon in both, at least 1e-7: `1 - 1e-8` is 1 in float32, but `(1 - pred) + 1e-8` is not 0. No fix is offered,
because an epsilon changes values.

A run confirms it with predictions of exactly 0 and 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Precondition, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import chain
from losslint.semantics.intervals import contains_zero
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Certainty, Value
from losslint_rules.numerics.choices import is_left_out
from losslint_rules.numerics.domains import Edge
from losslint_rules.numerics.epsilons import eps_after, is_data, split_epsilon

RULE = Rule(
    code="LL216",
    name="one-sided-eps",
    severity=Severity.WARNING,
    preview=True,
    confirmed_by=("saturation", "degenerate"),
    precondition=Precondition.ZERO,
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report log(1 - p) without an epsilon where log(p + eps) has one, and a / b where another division has b + eps."""
    for names, position in ((("log",), 0), (("div",), 1)):
        ops = [op for op in graph.named(*names) if len(op.operands) > position and graph.matters(op.value)]
        guarded: dict[tuple[int, bool], Op] = {}
        for op in ops:
            split = split_epsilon(op.operands[position])
            if split is not None:
                p, complement = _probability(split[0])
                guarded.setdefault((p.key, complement), op)
        for op in ops:
            argument = op.operands[position]
            p, complement = _probability(argument)
            twin = guarded.get((p.key, complement if position else not complement))
            if twin is not None and _is_unguarded(op, argument, graph) and is_data(p):
                yield _one_sided(op, twin, p, argument)


def _is_unguarded(op: Op, argument: Value, graph: Graph) -> bool:
    """Whether nothing keeps an argument from 0, and no other rule says so."""
    if argument.zero is not None and argument.zero.certainty >= Certainty.LIKELY:
        return False
    if not contains_zero(argument.interval) or op.is_guarded(chain(argument)):
        return False
    return not is_left_out(graph, op, Edge(argument, 0.0)) and eps_after(op, graph) is None


def _one_sided(op: Op, twin: Op, p: Value, argument: Value) -> Finding:
    if op.name == "log":
        why = f"`{excerpt(p)}` can reach the other end of its range as well, and this log is then -inf"
    else:
        why = f"`{excerpt(argument)}` is as often 0 here as it is there"
    return RULE.finding(
        op.site,
        f"`{excerpt(twin.value)}` has an epsilon and `{excerpt(op.value)}` has none: {why}",
        evidence=with_calls(
            op, [Step(twin.site, "an epsilon guards this one"), Step(op.site, "nothing guards this one")]
        ),
    )


def _probability(value: Value) -> tuple[Value, bool]:
    """p and whether it is the complement, for p and 1 - p."""
    name, operands = value.origin.name, value.origin.operands
    if name == "sub" and len(operands) == 2 and operands[0].has_constant and operands[0].constant == 1:
        return operands[1], True
    return value, False
