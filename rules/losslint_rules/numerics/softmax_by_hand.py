"""a softmax written with exp and sum

`exp(z)` is inf above 88.7 in float32 (11.1 in float16), so `exp(z) / exp(z).sum()` is inf / inf, NaN, as soon as
one logit gets there, with a NaN gradient for the whole row. `softmax` subtracts the largest logit first and is
finite for every finite logit.

What is bounded is silent: cosines over a temperature, `z - z.max()`, negative distances, a clamp. Where the
exponent is a product of embeddings that may or may not be normalised, the finding is info.

## Bad

```python
import torch

def listwise_loss(scores, relevance):
    p = torch.exp(scores) / torch.exp(scores).sum(dim=1, keepdim=True)
    return ((p - relevance) ** 2).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def listwise_loss(scores, relevance):
    p = F.softmax(scores, dim=1)
    return ((p - relevance) ** 2).mean()
```

## Use instead

`F.softmax(z, dim)`; under a log `F.log_softmax`; for a part of the sum, as in contrastive losses,
`torch.exp(z_part - torch.logsumexp(z, dim))` or a cross entropy over the similarities.

The fix is safe: value and gradient agree to within rounding wherever the original is finite. It is offered where the
dim is written, `keepdim=True` is given, and the exponentials are not used elsewhere.

A run confirms it with inputs of +-200.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Precondition, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt, parenthesised, respell
from losslint.semantics.values import Gradient, Role, Value

RULE = Rule(
    code="LL221",
    name="softmax-by-hand",
    severity=Severity.WARNING,
    doubted=True,
    confirmed_by=("saturation",),
    precondition=Precondition.MAGNITUDE,
)

OVERFLOWS = 88.0
_PASSES = frozenset(
    (
        "sum add mul getitem gather select diagonal index_select masked_select masked_fill view reshape squeeze "
        "unsqueeze expand transpose t flatten clamp clamp_min where"
    ).split()
)


@RULE.on_op("div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a quotient with one and the same exponential above and below."""
    if len(op.operands) < 2 or not op.value.is_tensor or not graph.matters(op.value):
        return
    below = {each.key for each in _exponentials(op.operands[1])} if _is_of_exponentials(op.operands[1]) else ()
    for exponential in _exponentials(op.operands[0]):
        exponent = exponential.origin.operands[0]
        severity = _unbounded(exponent) if exponential.key in below else None
        if severity is None or op.is_guarded([exponent, exponential]):
            continue
        site = exponent.origin.site
        steps = [Step(site, f"nothing keeps this below {OVERFLOWS:.0f}, where exp overflows")] if site else []
        yield RULE.finding(
            op.site,
            f"this softmax by hand is inf / inf, NaN, once `{excerpt(exponent)}` passes 88.7; softmax and logsumexp "
            "subtract the largest first",
            severity=severity,
            evidence=with_calls(op, steps),
            rewrite=_rewrite(op, graph, exponential),
        )
        return


def _exponentials(value: Value) -> Iterator[Value]:
    """The results of exp that a value is a sum, a product or a part of."""
    pending, seen = [value], 0
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        if current.origin.name == "exp":
            yield current
        elif current.origin.name in _PASSES:
            pending.extend(current.origin.operands)


def _is_of_exponentials(total: Value) -> bool:
    """Whether a divisor holds nothing beside exponentials and numbers: an overlap adds labels to what is a probability there."""
    pending, seen = [total], 0
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        operands = current.origin.operands
        if current.origin.name == "add" and any(_is_foreign(each) for each in operands):
            return False
        if current.origin.name in _PASSES:
            pending.extend(operands)
    return True


def _is_foreign(summand: Value) -> bool:
    return summand.is_tensor and not summand.is_scalar and next(_exponentials(summand), None) is None


_LINEAR = frozenset(
    "add sub getitem gather select view reshape squeeze unsqueeze transpose t permute flatten float neg diagonal detach".split()
)


# What is so named is often a cosine, and bounded.
_SIMILARITIES = frozenset("pos positive positives neg negative negatives sim similarity sims similarities cos".split())


def _unbounded(exponent: Value) -> Severity | None:
    """A warning where the exponent is made of logits alone, info where it is a product of embeddings."""
    pending, seen, found = [exponent], 0, None
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        name, operands = current.origin.name, current.origin.operands
        if current.interval.high <= OVERFLOWS:
            continue
        if name == "parameter" and current.gradient is not Gradient.CARRIES:
            if {"logit", "logits"} & set(words(current.origin.label)):
                return Severity.WARNING  # those of a teacher
            continue
        if name == "sub" and _is_peak(operands[1]):
            continue
        if name == "parameter" and current.role is Role.PREDICTION and "log" not in words(current.origin.label):
            if not _SIMILARITIES & set(words(current.origin.label)):
                return Severity.WARNING
            found = Severity.INFO
        if name in ("matmul", "mm", "bmm") and all(_is_embedding(each) for each in operands[:2]):
            found = Severity.INFO
        if name in _LINEAR:
            pending.extend(operands)
        elif name in ("mul", "div") and any(_is_scale(each) for each in operands):
            pending.extend(each for each in operands if not _is_scale(each))
    return found


def _is_peak(value: Value) -> bool:
    """Whether a largest value is subtracted, that of other parts of the sum perhaps."""
    return any(each.origin.name in ("max", "amax", "maximum", "logsumexp", "cummax") for each in _within(value, 12))


def _within(value: Value, limit: int) -> Iterator[Value]:
    pending = [value]
    while pending and limit:
        limit -= 1
        current = pending.pop(0)
        yield current
        pending.extend(current.origin.operands)


def _is_scale(value: Value) -> bool:
    return value.has_constant or value.role is Role.CONFIG


def _is_embedding(value: Value) -> bool:
    while value.origin.name in (*_LINEAR, "cat") and value.origin.name not in ("add", "sub") and value.origin.operands:
        members = value.origin.operands[0].elements
        value = members[0] if isinstance(members, tuple) and members else value.origin.operands[0]
    return value.origin.name == "parameter"


def _rewrite(op: Op, graph: Graph, exponential: Value) -> Rewrite | None:
    dividend, divisor = op.operands[:2]
    total = divisor.origin
    if dividend.key != exponential.key or total.name != "sum" or total.operands[0].key != exponential.key:
        return None
    dim, keepdim = total.keywords.get("dim"), total.keywords.get("keepdim")
    if total.keywords.keys() - {"input", "self", "dim", "keepdim"} or keepdim is None or keepdim.constant is not True:
        return None
    if dim is None or not isinstance(dim.constant, int) or dim.is_default or _used_elsewhere(graph, exponential):
        return None
    argument = respell(graph, op, exponential.origin.operands[0])
    if argument is None:
        return None
    function = op.site.unit.spell("torch.nn.functional.softmax")
    content = (
        f"{function}({argument}, dim={dim.origin.label})"
        if function is not None
        else f"{parenthesised(argument)}.softmax(dim={dim.origin.label})"
    )
    return Rewrite(Applicability.SAFE, f"use `{content}`", (Replacement(op.site, content),))


def _used_elsewhere(graph: Graph, exponential: Value) -> bool:
    """Whether more than the sum and the quotient takes the exponentials: they would still overflow."""
    uses = {(each.name, id(each.site.node)) for each in graph.ops if _takes(each, exponential)}
    return sorted(name for name, _ in uses) != ["div", "sum"]


def _takes(op: Op, value: Value) -> bool:
    return any(each.key == value.key for each in op.operands)
