"""a ranking loss that pulls the wrong way

A hinge over a positive and a negative pair has its sign from what it compares. Similarities have to be higher for the
positive pair: `relu(negative - positive + margin)`. Distances have to be lower: `relu(positive - negative + margin)`. The
wrong one of the two trains the opposite, and the loss falls all the same.

Reported where the operators say which of the two it is (a cosine or an inner product, a norm of a difference) and the names
of the inputs, or of the measures themselves, say which pair is which. Whatever is only named as a score or a distance is silent.

## Bad

```python
import torch.nn.functional as F

def triplet_loss(anchor, positive, negative, margin=0.2):
    close = F.cosine_similarity(anchor, positive)
    far = F.cosine_similarity(anchor, negative)
    return F.relu(close - far + margin).mean()
```

## Good

```python
import torch.nn.functional as F

def triplet_loss(anchor, positive, negative, margin=0.2):
    close = F.cosine_similarity(anchor, positive)
    far = F.cosine_similarity(anchor, negative)
    return F.relu(far - close + margin).mean()
```

No fix is offered: the names may be what is wrong.

A run confirms it by a loss that rises as the positive moves to the anchor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Role, Value
from losslint_rules.formulas.sides import names_of
from losslint_rules.usage.pair_measures import is_distance, is_similarity

RULE = Rule(code="LL770", name="ranking-sign", severity=Severity.WARNING, doubted=True)

_POSITIVE = frozenset({"pos", "positive", "positives"})
_NEGATIVE = frozenset({"neg", "negs", "negative", "negatives"})


@RULE.on_op("relu", "clamp", "clamp_min", "maximum", "softplus")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a hinge whose sign contradicts what it compares."""
    if not graph.matters(op.value) or (op.name in ("clamp", "clamp_min") and not _cuts_at_zero(op)):
        return
    for operand in op.operands:
        pair = _difference(operand)
        if pair is None:
            continue
        added, taken = pair
        similar = is_similarity(added) and is_similarity(taken)
        distant = is_distance(added) and is_distance(taken)
        wrong = ("positive", "negative") if similar else ("negative", "positive") if distant else None
        if wrong is None:
            continue
        sides = _side(added, graph), _side(taken, graph)
        if sides != wrong:
            continue
        what, aim = ("similarity", "higher") if similar else ("distance", "lower")
        steps = [
            Step(each.origin.site, f"the {what} of the {side} pair")
            for each, side in zip(pair, sides, strict=True)
            if each.origin.site is not None
        ]
        yield RULE.finding(
            op.site,
            f"this hinge falls as the {what} of the negative pair becomes {aim}: for a {what} it has to be "
            f"`{excerpt(taken, 30)} - {excerpt(added, 30)}`",
            evidence=with_calls(op, steps),
        )
        return


def _cuts_at_zero(op: Op) -> bool:
    bound = op.keywords.get("min") or (op.operands[1] if len(op.operands) > 1 else None)
    return bound is not None and bound.constant in (0, 0.0) and bound.has_constant


def _difference(value: Value) -> tuple[Value, Value] | None:
    """a and b of `a - b + margin`, in any order, the margin on either side."""
    added: list[Value] = []
    taken: list[Value] = []
    pending = [(value, True)]
    while pending:
        current, plus = pending.pop()
        operands = current.origin.operands
        if current.origin.name == "add" and len(operands) == 2:
            pending += [(each, plus) for each in operands]
        elif current.origin.name == "sub" and len(operands) == 2:
            pending += [(operands[0], plus), (operands[1], not plus)]
        elif current.origin.name == "neg":
            pending.append((operands[0], not plus))
        elif current.kind is Kind.NUMBER or current.role is Role.CONFIG or current.has_constant:
            continue
        else:
            (added if plus else taken).append(current)
    return (added[0], taken[0]) if len(added) == len(taken) == 1 else None


def _side(value: Value, graph: Graph) -> str:
    """Which pair a measure is of, by the inputs it is computed from, or else by the names it has."""
    inputs = [each.origin.label for each in ancestors([value]) if each.origin.name == "parameter"]
    return _said(inputs) or _said(names_of(value, graph))


def _said(names: Iterable[str]) -> str:
    said = [set(words(each)) for each in names]
    positive = any(_POSITIVE & each for each in said)
    negative = any(_NEGATIVE & each for each in said)
    return "positive" if positive and not negative else "negative" if negative and not positive else ""
