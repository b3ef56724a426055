"""a sum over all elements divided by the number that a mask keeps

`error.sum() / mask.sum()` is the mean over what the mask keeps only if the sum leaves out the rest. Without `error * mask`
the padded and ignored elements are in the sum and not in the count: they train, and the loss grows with the padding. With
weights, `loss.sum() / weight.sum()` weighs nothing and only scales the whole.

Reported where the divisor is the sum of an input named as a mask or weight, of a mask that leaves out what is ignored, or of
class weights picked by labels, and the same is nowhere in the sum: not as a factor, a selection, or in what the error is
computed of. Silent where the count is one of positives, matches or foreground, which normalises a loss over all elements, and
where the cross entropy ignores the same labels by itself.

## Bad

```python
def masked_loss(pred, target, mask):
    error = (pred - target).abs()
    return error.sum() / mask.sum().clamp(min=1)
```

## Good

```python
def masked_loss(pred, target, mask):
    error = (pred - target).abs() * mask
    return error.sum() / mask.sum().clamp(min=1)
```

No fix is offered: the mask may have to be expanded before it is multiplied and counted.

A run confirms it by masked elements that change the loss.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.carriers import members
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Role, Value
from losslint_rules.excluding_masks import bare_mask, comparison_of, excludes
from losslint_rules.reduction.focal_weights import product_factors
from losslint_rules.reduction.loss_operators import reduces_all
from losslint_rules.reduction.zeroed_elements import without_views

RULE = Rule(code="LL350", name="counted-but-not-masked", severity=Severity.WARNING, doubted=True)

_GUARDS = frozenset("clamp clamp_min maximum max float double to int item add long squeeze phi".split())
_NORMALISERS = frozenset(
    "pos positive positives neg negative fg foreground obj object objects match matched gt target targets label labels instance "
    "instances box boxes assigned edge edges".split()
)
_PICKS = frozenset("gather take_along_dim one_hot scatter embedding".split())
_LABELLED = frozenset({"cross_entropy_loss", "nll_loss"})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the divisions of a sum by a count of what does not take part in it, on every path."""
    by_node: defaultdict[int, list[Op]] = defaultdict(list)
    for op in graph.named("div"):
        if len(op.operands) == 2 and graph.matters(op.value):
            by_node[id(op.site.node)].append(op)
    for ops in by_node.values():
        found = [_uncounted(op) for op in ops]
        first = found[0]
        if first is not None and None not in found:
            yield _finding(ops[0], *first)


def _uncounted(op: Op) -> tuple[Value, Value] | None:
    """The sum over all elements and the mask that only its divisor knows."""
    mask = _counted(op.operands[1])
    total = _summed(op.operands[0])
    if mask is None or total is None or not _says_what_counts(mask, op):
        return None
    root = _root(mask)
    elements = total.origin.operands[0]
    if elements.gradient is not Gradient.CARRIES or elements.rank == 0 or _is_handed_in(elements):
        return None
    is_input = root.origin.name == "parameter"
    parts = [elements] if root.role is Role.WEIGHT else _summands(elements)
    return None if all(_takes_part(each, root, is_input) for each in parts) else (total, mask)


def _summands(elements: Value) -> list[Value]:
    """The terms of what is summed up: a mask that is in one of them leaves the others as they are."""
    found: list[Value] = []
    pending = [elements]
    while pending:
        current = pending.pop()
        operands = current.origin.operands
        if current.origin.name == "add" and len(operands) == 2:
            pending.extend(each for each in operands if each.gradient is Gradient.CARRIES and each.rank != 0)
        else:
            found.append(current)
    return found or [elements]


def _summed(value: Value) -> Value | None:
    """The sum over all elements that a dividend is, through signs and numbers."""
    factors = [each for each in product_factors(value) if not (each.kind is Kind.NUMBER or each.role is Role.CONFIG)]
    if len(factors) != 1 or factors[0].origin.name != "sum" or not reduces_all(factors[0]):
        return None
    return factors[0]


def _counted(divisor: Value) -> Value | None:
    """The mask whose sum a divisor is, through what guards it against 0, casts and numbers."""
    current = divisor
    for _ in range(12):
        name, operands = current.origin.name, current.origin.operands
        if name == "sum" and reduces_all(current):
            return operands[0]
        if name == "mul" and len(operands) == 2:
            sizes = [each for each in operands if each.kind is Kind.NUMBER]
            rest = [each for each in operands if each.kind is not Kind.NUMBER]
            if len(sizes) != 1:
                return None
            current = rest[0]
        elif name in _GUARDS and operands and not any(each.kind is Kind.TENSOR for each in operands[1:]):
            current = operands[0]
        else:
            return None
    return None


def _root(mask: Value) -> Value:
    current = bare_mask(mask)
    while current.origin.name in ("bitwise_not", "logical_not"):
        current = bare_mask(current.origin.operands[0])
    return current


def _says_what_counts(mask: Value, op: Op) -> bool:
    """Whether a mask says which elements count, or weights weigh them; no count of positives."""
    root = _root(mask)
    if root.origin.name == "parameter":
        named = root.role in (Role.MASK, Role.WEIGHT) and root.kind in (Kind.TENSOR, Kind.UNKNOWN)
        return named and not _NORMALISERS & set(words(root.origin.label))
    if root.origin.name == "getitem" and len(root.origin.operands) == 2:
        table, labels = root.origin.operands
        is_fixed = not any(each.origin.name == "parameter" and each.is_tensor for each in ancestors([table]))
        return is_fixed and labels.is_tensor and labels.gradient is Gradient.NEUTRAL
    return bool(comparison_of(root)) and excludes(mask, op) is not None


def _is_handed_in(value: Value) -> bool:
    """Whether what is summed is an input as it is: whoever made it may have masked it."""
    return without_views(value).origin.name == "parameter"


def _takes_part(elements: Value, root: Value, is_input: bool) -> bool:
    """Whether a mask is in what is summed; not only in the labels that it keeps from being out of range."""
    pending, seen = [elements], set[int]()
    while pending:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        if current.key == root.key or _is_same_test(_root(current), root):
            return True
        name, operands = current.origin.name, current.origin.operands
        if name in ("unknown", "method") and not is_input:
            return True
        if name in _LABELLED and not is_input:
            return True  # it ignores labels by itself
        if is_input:
            pending.extend(members(current))
        elif name in _PICKS:
            pending.extend(operands[:1])
        elif name == "getitem":
            pending.append(operands[0])
            if any(_is_same_test(_root(each), root) or each.kind is Kind.SEQUENCE for each in operands[1:]):
                return True
        else:
            pending.extend(members(current))
    return False


def _is_same_test(one: Value, other: Value) -> bool:
    """Whether two masks are one, or ask the same: `target == 255` where `target != 255` is counted."""
    if one.key == other.key:
        return True
    if not comparison_of(one) or not comparison_of(other):
        return False
    pairs = zip(one.origin.operands, other.origin.operands, strict=True)
    return all(a.key == b.key or (a.has_constant and a.constant == b.constant) for a, b in pairs)


def _finding(op: Op, total: Value, mask: Value) -> Finding:
    site = total.origin.site
    return RULE.finding(
        op.site,
        f"`{excerpt(total)}` goes over all elements, and is divided by the sum of `{excerpt(mask)}` that is nowhere in it: "
        "multiply by it before the sum",
        evidence=with_calls(op, [Step(site, "a sum over all elements")] if site is not None else []),
    )
