"""class weights that grow with the class

A weight against imbalance is large for what is rare: `neg / pos` for positives, `total / count` for a class. Turned round, as
`pos / neg` or `count / total`, it gives the frequent class even more of the loss, and the rare one vanishes.

Found by working the weight out for a batch with few positives and for one with more. Reported where the `pos_weight` of a binary
cross entropy, the weight of a positive or a negative, or the `weight` of a cross entropy grows with the number of its own
class. Weights that are not understood are silent, and so are those that fall, or stay as they are.

## Bad

```python
import torch.nn.functional as F

def balanced_loss(logits, target):
    positives = target.sum()
    negatives = (1 - target).sum()
    pos_weight = positives / negatives.clamp(min=1)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=pos_weight)
```

## Good

```python
import torch.nn.functional as F

def balanced_loss(logits, target):
    positives = target.sum()
    negatives = (1 - target).sum()
    pos_weight = negatives / positives.clamp(min=1)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=pos_weight)
```

No fix is offered: which of the two numbers is meant where, the formula does not say.

A run confirms it: with more positives the loss of a positive counts more.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.evaluation import number_at
from losslint_rules.formulas.polynomials import bare

RULE = Rule(code="LL762", name="weights-by-frequency", severity=Severity.WARNING, doubted=True)

_BINARY = ("binary_cross_entropy_with_logits", "binary_cross_entropy")
_ELEMENTS = 1000.0
_FEW, _MORE = 0.1, 0.3
_GROWS = 1.2
_TOTALS = frozenset("sum mean count_nonzero nansum".split())


@RULE.on_op(*_BINARY)
def of_binary(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report weights of a binary cross entropy that grow with the number of what they weigh."""
    target = op.keywords.get("target")
    if target is None or not graph.matters(op.value):
        return
    base = _base(target)
    weight = op.keywords.get("pos_weight")
    if weight is not None and _grows(weight, base, None):
        yield _finding(op, weight, "`pos_weight`", "positives")
        return
    factor = op.keywords.get("weight")
    others = [factor] if factor is not None else []
    for use in graph.uses(op.value):
        if use.name == "mul":
            others += [each for each in use.operands if each.key != op.value.key]
    for each in others:
        if _grows(each, base, 1.0) and _grows(each, base, 0.0):
            yield _finding(op, each, "the weight of each class", "its own members")
            return


@RULE.on_op("index_put")
def of_stored(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a weight that is stored where the target has a class, and grows with the number of that class."""
    if len(op.operands) != 3 or not graph.matters(op.value):
        return
    _, weight, index = op.operands
    found = _indicator(index)
    if found is None or weight.has_constant:
        return
    base, label = found
    criteria = [each for each in graph.named(*_BINARY) if _is_weight(op.value, each)]
    if not any(_base(each.keywords["target"]).key == base.key for each in criteria if "target" in each.keywords):
        return
    if _grows(weight, base, label):
        yield _finding(op, weight, "the weight of " + ("positives" if label else "negatives"), "them")


@RULE.on_op("cross_entropy_loss", "nll_loss")
def of_classes(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report class weights that grow with counts of the labels."""
    weight = op.keywords.get("weight")
    if weight is None or not graph.matters(op.value):
        return
    counts = [each for each in ancestors([weight]) if each.origin.name == "bincount"]
    if len(counts) != 1:
        return
    numbers = []
    for count in (10.0, 20.0):
        given = {counts[0].key: count}
        totals = [each for each in ancestors([weight]) if each.origin.name == "sum" and counts[0] in _chain(each)]
        numbers.append(number_at(weight, given | {each.key: 100.0 for each in totals}))
    first, second = numbers
    if first is not None and second is not None and 0 < first * _GROWS < second:
        yield _finding(op, weight, "`weight`", "samples of the class")


def _chain(value: Value) -> Iterator[Value]:
    while value.origin.operands:
        value = value.origin.operands[0]
        yield value


def _is_weight(value: Value, criterion: Op) -> bool:
    weight = criterion.keywords.get("weight")
    return weight is not None and any(each.key == value.key for each in ancestors([weight]))


def _base(value: Value) -> Value:
    """A target without the casts and views of it."""
    return bare(value)


def _indicator(value: Value) -> tuple[Value, float] | None:
    """The target and the label that a comparison asks for: `target == 1`, `target > 0.5`, `target == 0`."""
    value = bare(value)
    if value.origin.name not in ("eq", "ne", "gt", "ge", "lt", "le") or len(value.origin.operands) != 2:
        return None
    asked, number = value.origin.operands
    if not number.has_constant or number.is_default or not isinstance(number.constant, (int, float)):
        return None
    is_one = {"eq": number.constant == 1, "ne": number.constant == 0}.get(value.origin.name)
    if is_one is None:
        is_one = value.origin.name in ("gt", "ge")
    elif number.constant not in (0, 1):
        return None
    return _base(asked), float(is_one)


def _grows(weight: Value, target: Value, label: float | None) -> bool:
    """Whether a weight is larger in a batch with more members of the class than in one with fewer."""
    share = (_FEW, _MORE) if label is None or label == 1 else (1 - _FEW, 1 - _MORE)
    first, second = (_weight(weight, target, each, label) for each in share)
    return first is not None and second is not None and 0 < first * _GROWS < second


def _weight(weight: Value, target: Value, positives: float, label: float | None) -> float | None:
    """What a weight is where this share of the target is positive, for an element with a label."""
    inside = {target.key: positives}
    totals: dict[int, float] = {}
    every = list(ancestors([weight]))
    for each in every:
        found = _indicator(each)
        if found is not None and found[0].key == target.key:
            inside[each.key] = positives if found[1] else 1 - positives
        if each.origin.name in ("numel", "size", "len"):
            inside[each.key] = totals[each.key] = _ELEMENTS
    for each in every:
        if each.origin.name in _TOTALS and each.origin.operands and each.origin.operands[0].key != each.key:
            share = number_at(each.origin.operands[0], inside)
            if share is None:
                return None
            totals[each.key] = share if each.origin.name == "mean" else share * _ELEMENTS
    if not totals:
        return None
    given = dict(totals)
    if label is not None:
        given[target.key] = label
        for each in every:
            found = _indicator(each)
            if found is not None and found[0].key == target.key:
                given[each.key] = float(found[1] == label)
    return number_at(weight, given)


def _finding(op: Op, weight: Value, what: str, of: str) -> Finding:
    site = weight.origin.site
    return RULE.finding(
        op.site,
        f"{what}, `{excerpt(weight)}`, grows with the number of {of}, so that the frequent class gets the most of the loss: put "
        "the number of the others on top",
        evidence=with_calls(op, [Step(site, "the weight is computed here")] if site is not None else []),
    )
