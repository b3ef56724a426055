"""a divergence or a distance of a value from itself

`F.kl_div(log_softmax(teacher), softmax(teacher))` compares the teacher with the teacher: the term is 0, and so is its
gradient, whatever the student does. A name was written twice where the other model's output was meant.

Reported for KL divergences and distances of torch whose two operands are proven to be one value, through casts and `detach()`.
Cross entropies of a value with itself are entropies, and silent; so are two calls of one network, which may drop out
differently.

## Bad

```python
import torch.nn.functional as F

def distillation_loss(student, teacher, temperature=2.0):
    soft = F.softmax(teacher / temperature, dim=-1)
    return F.kl_div(F.log_softmax(teacher / temperature, dim=-1), soft, reduction="batchmean")
```

## Good

```python
import torch.nn.functional as F

def distillation_loss(student, teacher, temperature=2.0):
    soft = F.softmax(teacher / temperature, dim=-1)
    return F.kl_div(F.log_softmax(student / temperature, dim=-1), soft, reduction="batchmean")
```

No fix is offered: which of the two operands is wrong is the author's to say.

A run confirms it by a term that is 0 for all inputs.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.operators import operators
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value

RULE = Rule(code="LL751", name="compared-with-itself", severity=Severity.WARNING, confirmed_by=("terms",))

_DISTANCES = (
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "cosine_similarity",
    "pairwise_distance",
)
_COPIES = frozenset("detach clone contiguous float double half to type data alias".split())
_LIMITS = frozenset({"clamp", "clamp_min", "clamp_max"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report divergences and distances of a value from itself, unless the same line compares others as well."""
    mixed: set[int] = set()
    found: dict[int, tuple[Op, Value]] = {}
    for op in graph.named("kl_div", *_DISTANCES):
        same = _same(op)
        if same is None:
            mixed.add(id(op.site.node))
        elif graph.matters(op.value):
            found.setdefault(id(op.site.node), (op, same))
    for key, (op, value) in found.items():
        if key not in mixed:
            yield _finding(op, value)


def _same(op: Op) -> Value | None:
    """The value that both operands are, None where they may differ."""
    if len(op.operands) < 2:
        return None
    left, right = _bare(op.operands[0]), _bare(op.operands[1])
    if op.name == "kl_div":
        log_target = op.keywords.get("log_target")
        is_plain = log_target is None or log_target.constant is False
        right_of = _distribution(right) if is_plain else _logged(right)
        left_of = _logged(left)
        if left_of is None or right_of is None:
            return None
        left, right = left_of, right_of
    if left.has_constant or not _is_one(left, right):
        return None
    return left


def _bare(value: Value) -> Value:
    current = value
    while current.origin.name in _COPIES and current.origin.operands:
        current = current.origin.operands[0]
    return current


def _logged(value: Value) -> Value | None:
    """What a log-probability is the logarithm of: logits, or probabilities."""
    current = _bare(value)
    if current.origin.name == "log_softmax":
        return _bare(current.origin.operands[0])
    if current.origin.name != "log":
        return None
    inner = _bare(current.origin.operands[0])
    while inner.origin.name in _LIMITS or _adds_constant(inner):
        inner = _bare(inner.origin.operands[0])
    return _distribution(inner)


def _adds_constant(value: Value) -> bool:
    return value.origin.name == "add" and len(value.origin.operands) == 2 and value.origin.operands[1].has_constant


def _distribution(value: Value) -> Value:
    """The logits behind a softmax, or the probabilities themselves."""
    current = _bare(value)
    while current.origin.name in _LIMITS:
        current = _bare(current.origin.operands[0])
    return _bare(current.origin.operands[0]) if current.origin.name == "softmax" else current


def _is_one(left: Value, right: Value) -> bool:
    """Whether two values are the same numbers: the same computation, in which nothing is drawn or called twice."""
    if left.key != right.key:
        return False
    there = {each.key: each for each in ancestors([right])}
    for each in ancestors([left]):
        row = operators().get(each.origin.name)
        if each.origin.name in ("parameter", "constant", "setting", "attribute") or (
            row is not None and not row.random
        ):
            continue
        other = there.get(each.key)
        if other is None or other.origin.site is None or each.origin.site is None:
            return False
        if other.origin.site.node is not each.origin.site.node:
            return False
    return True


def _finding(op: Op, value: Value) -> Finding:
    name = op.name.removesuffix("_loss")
    effect = "1 whatever it is" if op.name == "cosine_similarity" else "0, and so is its gradient"
    steps = [
        Step(each.origin.site, f"`{excerpt(each)}` is computed from `{excerpt(value)}`")
        for each in op.operands[:2]
        if each.origin.site is not None
    ]
    return RULE.finding(
        op.site,
        f"{name} compares `{excerpt(value)}` with itself, which is always {effect}; one of the two operands is not the one meant",
        evidence=with_calls(op, steps),
    )
