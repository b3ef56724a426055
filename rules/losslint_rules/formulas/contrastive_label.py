"""a contrastive loss that pulls apart what belongs together

In a contrastive loss one term grows with the distance of a pair and pulls it together, the other is a hinge,
`margin - distance`, and pushes it apart until the margin. Which of them a label switches on depends on whether 1 means alike
or different, and both conventions are in use: copied from a paper with the other one, the loss pulls forgeries together and
pushes genuine pairs apart.

Reported where the name of the label itself says which it is: `genuine`, `same`, `is_match`, `similar`, or `different`, `forged`,
`dissimilar`. A label called `y`, `label` or `target` says nothing and is silent.

## Bad

```python
import torch
import torch.nn.functional as F

def contrastive_loss(first, second, same, margin=1.0):
    distance = F.pairwise_distance(first, second)
    return ((1 - same) * distance**2 + same * F.relu(margin - distance) ** 2).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def contrastive_loss(first, second, same, margin=1.0):
    distance = F.pairwise_distance(first, second)
    return (same * distance**2 + (1 - same) * F.relu(margin - distance) ** 2).mean()
```

No fix is offered: the name of the label may be what is wrong.

A run confirms it: the gradient of a pair that is alike moves it apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import bare, number_of
from losslint_rules.formulas.residuals import is_setting
from losslint_rules.formulas.sides import names_of
from losslint_rules.reduction.focal_weights import product_factors

RULE = Rule(code="LL735", name="contrastive-label", severity=Severity.WARNING, doubted=True)

_ALIKE = frozenset(
    "genuine same similar similarity match matches matching matched paired duplicate alike identical equal".split()
)
_DIFFERENT = frozenset(
    "dissimilar dissimilarity different difference differs forged forgery impostor imposter mismatch unlike unequal fake".split()
)
_DISTANCES = frozenset("pairwise_distance norm dist cdist linalg_vector_norm linalg_norm sqrt".split())
_SAYS_DISTANCE = frozenset({"distance", "distances", "dist", "dists", "euclidean"})
_NOT = frozenset({"not", "non", "no"})


@RULE.on_op("add")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report sums of a pull and a push that the label switches the wrong way."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    for pull, push in (op.operands, op.operands[::-1]):
        distance = _pushed(push)
        if distance is None or not _is_pull(pull, distance) or not _is_distance(distance, graph):
            continue
        for label in _labels(push):
            for_push, for_pull = _switch(push, label), _switch(pull, label)
            meaning = _meaning(label)
            if meaning is None or for_push is None or for_pull is None or for_push is for_pull:
                continue
            if for_pull is not meaning:
                yield _finding(op, label, distance, meaning)
                return


def _finding(op: Op, label: Value, distance: Value, is_alike: bool) -> Finding:
    site = distance.origin.site
    what = "apart up to the margin" if is_alike else "together"
    kind = "alike" if is_alike else "different"
    return RULE.finding(
        op.site,
        f"where `{excerpt(label)}` is 1, and the name says that the pair is {kind}, this loss pushes it {what}: "
        f"exchange `{excerpt(label)}` and `1 - {excerpt(label)}`",
        evidence=with_calls(op, [Step(site, "the distance of the pair")] if site is not None else []),
    )


def _pushed(term: Value) -> Value | None:
    """The distance in the hinge `relu(margin - distance)` of a term."""
    for factor in _factors(term):
        if factor.origin.name not in ("relu", "clamp", "clamp_min", "maximum", "max") or not factor.origin.operands:
            continue
        inner = bare(factor.origin.operands[0])
        operands = inner.origin.operands
        if inner.origin.name == "sub" and len(operands) == 2:
            margin, distance = operands
            if number_of(margin) is not None or is_setting(margin) or margin.has_constant or _is_margin(margin):
                return bare(distance)
    return None


def _is_margin(value: Value) -> bool:
    return value.origin.name == "parameter" and "margin" in words(value.origin.label)


def _is_pull(term: Value, distance: Value) -> bool:
    """Whether a term grows with the distance: it, or its square, is a factor."""
    keys = {distance.key, *(bare(each).key for each in _root_of(distance))}
    return any(factor.key in keys for factor in _factors(term)) and _pushed(term) is None


def _is_distance(value: Value, graph: Graph) -> bool:
    """Whether a value is a distance by its making or its name: a similarity is pulled the other way."""
    operands = value.origin.operands
    if value.origin.name == "sub" and len(operands) == 2 and operands[0].constant == 1:
        return operands[1].origin.name == "cosine_similarity"
    named = {word for name in names_of(value, graph) for word in words(name)}
    return value.origin.name in _DISTANCES or bool(named & _SAYS_DISTANCE)


def _root_of(value: Value) -> tuple[Value, ...]:
    """The squared distance that a distance is the root of."""
    return value.origin.operands[:1] if value.origin.name == "sqrt" else ()


def _factors(term: Value) -> Iterator[Value]:
    """The factors of a term without powers, casts, averages and numbers."""
    current = term.beneath(("mean", "sum", "div"))
    for factor in product_factors(current):
        inner = bare(factor)
        if inner.origin.name in ("mean", "sum", "div") and inner.origin.operands and inner.key != term.key:
            yield from _factors(inner)
            continue
        while inner.origin.name in ("pow", "square") and inner.origin.operands:
            inner = bare(inner.origin.operands[0])
        yield inner


def _labels(term: Value) -> Iterator[Value]:
    for factor in _factors(term):
        for each in ancestors([factor]):
            if each.origin.name == "parameter" and not each.has_constant and _meaning(each) is not None:
                yield each


def _switch(term: Value, label: Value) -> bool | None:
    """True where a term is switched on by the label, False where by `1 - label`."""
    for factor in _factors(term):
        if factor.key == label.key:
            return True
        operands = factor.origin.operands
        is_complement = factor.origin.name == "sub" and len(operands) == 2 and operands[0].constant == 1
        is_complement = is_complement or factor.origin.name in ("bitwise_not", "logical_not")
        if is_complement and bare(operands[-1]).key == label.key:
            return False
    return None


def _meaning(label: Value) -> bool | None:
    """True where the name of a label says that 1 is alike, False where different."""
    said = set(words(label.origin.label))
    if said & _NOT or bool(said & _ALIKE) is bool(said & _DIFFERENT):
        return None
    return bool(said & _ALIKE)
