"""a divergence or a distance of a value from itself

`F.kl_div(log_softmax(teacher), softmax(teacher))` compares the teacher with the teacher: the term is 0, and so is its
gradient, whatever the student does. A name was written twice where the other model's output was meant.

Reported for KL divergences and distances of torch whose two operands are proven to be one value, through casts and `detach()`,
and for logits that are their own target. Cross entropies of probabilities with themselves are entropies, and silent; so are
two calls of one network, which may drop out differently.

Differences and comparisons of `x` with `x.unsqueeze(0)` are reported too: broadcasting lines the last dimensions up, and so
every element meets itself. All pairs are `x.unsqueeze(1)` with `x.unsqueeze(0)`.

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

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.measures import literal_int, sizes_of
from losslint.semantics.operators import operators
from losslint.semantics.spelling import excerpt
from losslint.semantics.syntax_walk import nodes_of_kind
from losslint.semantics.values import Kind, Site, Value
from losslint_rules.usage.definitions import functions

RULE = Rule(code="LL751", name="compared-with-itself", severity=Severity.WARNING, doubted=True, confirmed_by=("terms",))

_DISTANCES = (
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "cosine_similarity",
    "pairwise_distance",
)
_TARGETED = ("binary_cross_entropy_with_logits", "cross_entropy_loss", "cosine_embedding_loss", "margin_ranking_loss")
_PAIRED = ("sub", "eq", "ne", "lt", "le", "gt", "ge")
_COPIES = frozenset("detach clone contiguous float double half to type data alias".split())
_LIMITS = frozenset({"clamp", "clamp_min", "clamp_max"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report divergences and distances of a value from itself, unless the same line compares others as well."""
    mixed: set[int] = set()
    found: dict[int, tuple[Op, Value]] = {}
    for op in graph.named("kl_div", *_DISTANCES, *_TARGETED):
        same = _same(op)
        if same is None:
            mixed.add(id(op.site.node))
        elif graph.matters(op.value):
            found.setdefault(id(op.site.node), (op, same))
    for key, (op, value) in found.items():
        if key not in mixed:
            yield _finding(op, value)


@RULE.on_op(*_PAIRED)
def pairs_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `x - x.unsqueeze(0)`, where pairs were meant."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    for row, other in (op.operands, op.operands[::-1]):
        within = _without_leading_dimension(row)
        if within is not None and within.key == other.key and other.kind is not Kind.NUMBER:
            yield RULE.finding(
                op.site,
                f"broadcasting lines `{excerpt(row)}` up with `{excerpt(other)}` so that every element meets itself: for all "
                "pairs, give the other operand a dimension of its own with `unsqueeze(1)`",
                evidence=with_calls(op, [Step(row.origin.site, "a dimension in front")] if row.origin.site else []),
            )
            return


@RULE.on_graph
def walked_in_source(graph: Graph) -> Iterator[Finding]:
    """Report loops over a sequence side by side with itself: `for a, b in zip(x, x)`."""
    for _, function in functions(graph):
        loops: list[cst.For | cst.CompFor] = nodes_of_kind(function, cst.For, cst.CompFor)
        for node in loops:
            match node.iter:
                case cst.Call(
                    func=cst.Name(value="zip"),
                    args=[cst.Arg(value=cst.Name(value=one)), cst.Arg(value=cst.Name(value=other))],
                ) if one == other:
                    yield RULE.finding(
                        Site(graph.unit, node.iter),
                        f"`zip({one}, {one})` gives each element of `{one}` beside itself, so that whatever the two are compared "
                        "by finds them equal; one of the two sequences is not the one meant",
                    )


def _without_leading_dimension(value: Value) -> Value | None:
    """x of `x.unsqueeze(0)`, `x[None]` and `x[None, :]`."""
    operands = value.origin.operands
    if value.origin.name not in ("unsqueeze", "getitem") or not operands:
        return None
    before, after = sizes_of(operands[0]), sizes_of(value)
    if before is None or after is None or after != (1, *before):
        return None
    if value.origin.name == "getitem":
        return operands[0] if len(operands) == 2 and operands[1].kind is Kind.NONE else None
    return operands[0] if literal_int(value.origin.keywords.get("dim")) == 0 else None


def _same(op: Op) -> Value | None:
    """The value that both operands are, None where they may differ."""
    if len(op.operands) < 2:
        return None
    left, right = _bare(op.operands[0]), _bare(op.operands[1])
    if op.name in _TARGETED[:2] and left.origin.name == "softmax":
        return None  # as good as an entropy
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
    return value.beneath(_COPIES)


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
    steps = [
        Step(each.origin.site, f"`{excerpt(each)}` is computed from `{excerpt(value)}`")
        for each in op.operands[:2]
        if each.origin.site is not None
    ]
    return RULE.finding(
        op.site,
        f"{name} compares `{excerpt(value)}` with itself{_effect(op)}; one of the two operands is not the one meant",
        evidence=with_calls(op, steps),
    )


def _effect(op: Op) -> str:
    if op.name in _TARGETED:
        return ", and not with a target" if op.name in _TARGETED[:2] else ", so its gradients cancel"
    return (
        ", which is always 1 whatever it is"
        if op.name == "cosine_similarity"
        else ", which is always 0, and so is its gradient"
    )
