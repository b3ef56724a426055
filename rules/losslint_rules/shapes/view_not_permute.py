"""view or reshape where the dimensions had to change places

`view` and `reshape` never move elements: they cut the same row of numbers into other pieces. (N, C, H, W) seen as (-1, C) is not
one row of C scores a pixel: the first row holds C neighbouring pixels of channel 0. The shape is right and nothing fails; the
scores of different places and classes are mixed.

An error where the sizes come from the tensor's own shape and the result is then used by rows or columns (softmax, cross entropy,
gather, sums along a dimension). Where all that follows works element by element, the same mixing in both operands does no harm
and is not reported.

## Bad

```python
import torch.nn.functional as F

def pixel_loss(logits, target):
    N, C, H, W = logits.shape
    return F.cross_entropy(logits.view(-1, C), target.view(-1))
```

## Good

```python
import torch.nn.functional as F

def pixel_loss(logits, target):
    N, C, H, W = logits.shape
    return F.cross_entropy(logits.permute(0, 2, 3, 1).reshape(-1, C), target.view(-1))
```

The fix permutes first, and is unsafe: the value changes, to what was meant.

A run confirms it by a loss that changes when the places of prediction and target are shuffled alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import RETURN, Graph, Op
from losslint.semantics.measures import listed_sizes, literal_ints, sizes_of
from losslint.semantics.sizes import Size, Sizes, factors, pack_position
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.shapes.misalignment import consumers
from losslint_rules.shapes.shape_words import ShapeWriter, size_names

RULE = Rule(code="LL403", name="view-not-permute", severity=Severity.ERROR, doubted=True)


@RULE.on_op("view", "reshape")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a view whose dimensions stand in another order than those of what is viewed."""
    viewed = op.operands[0]
    before, asked = sizes_of(viewed), listed_sizes(list(op.keywords.values())[1:])
    if (
        before is not None
        and viewed.origin.name == "one_hot"
        and pack_position(before) == 0
        and graph.matters(op.value)
    ):
        yield from _of_classes(op, before[-1], asked)
        return
    if before is None or not asked or pack_position(before) is not None or pack_position(asked) is not None:
        return
    moved = _moved(before, asked, size_names(op.scope))
    if moved is None or not graph.matters(op.value) or not _tells_places_apart(graph, op.value, set()):
        return
    writer = ShapeWriter(op.scope)
    old, new = writer.write(before), writer.write(asked)
    site = viewed.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(op.value)}` cuts {old} into {new} without moving anything: the elements of dimension {moved} are mixed with "
        "those of the dimensions behind it; permute them before",
        evidence=with_calls(op, [Step(site, f"`{excerpt(viewed)}` has the shape {old}")] if site is not None else []),
        rewrite=_rewrite(op, before, asked),
    )


def _of_classes(op: Op, classes: Size, asked: Sizes | None) -> Iterator[Finding]:
    """Report a one-hot tensor, whose classes come last, that is cut into a shape with the classes further in front."""
    if not asked or pack_position(asked) is not None or not isinstance(classes, str) or asked.count(classes) != 1:
        return
    behind = asked[asked.index(classes) + 1 :]
    if any(isinstance(size, str) for size in behind) and classes not in behind:
        yield RULE.finding(
            op.site,
            f"`{excerpt(op.operands[0])}` has its classes in the last dimension, and `{excerpt(op.value)}` cuts it into another "
            "order without moving anything: permute it",
            evidence=with_calls(op, []),
        )


def _moved(before: Sizes, asked: Sizes, named: frozenset[Size]) -> int | None:
    """The dimension that stands behind others in the view which it stood in front of; only sizes the code names count."""
    places = {size: at for at, size in enumerate(before) if isinstance(size, str) and before.count(size) == 1}
    order: list[set[int]] = []
    used: set[int] = set()
    for size in asked:
        mine = {places[name] for name in factors(size)[1] if name in places} if size != -1 else set()
        order.append(mine)
        used |= mine
    if -1 in asked:
        order[asked.index(-1)] = {at for at in places.values() if at not in used}
    if asked[0] == -1 and len(asked) == 1:
        return None
    for position, later in enumerate(order):
        for at in sorted(later):
            ahead = {each for earlier in order[:position] for each in earlier if each > at}
            if any(before[each] in named for each in ahead) and asked[position] != -1:
                return at
    return None


def _tells_places_apart(graph: Graph, value: Value, seen: set[int]) -> bool:
    """Whether something that follows works along a dimension of the view."""
    seen.add(value.key)
    for op in consumers(graph, value):
        if op.name == RETURN or op.name in _COMPLETE:
            continue
        dim = op.keywords.get("dim")
        if op.name in ("sum", "mean") and (dim is None or dim.kind is Kind.NONE or literal_ints(dim) in ((1,), (-1,))):
            continue
        if op.name not in _ELEMENTWISE:
            return True
        if op.value.rank != 0 and op.value.key not in seen and _tells_places_apart(graph, op.value, seen):
            return True
    return False


_COMPLETE = frozenset("mse_loss l1_loss smooth_l1_loss huber_loss numel size shape any all kl_div".split())
_ELEMENTWISE = frozenset(
    (
        "add sub mul div neg pow exp log log1p abs square sqrt relu clamp clamp_min clamp_max sigmoid tanh softplus where eq ne "
        "lt le gt ge log_sigmoid float double half long int bool to detach clone type_as contiguous binary_cross_entropy "
        "binary_cross_entropy_with_logits logical_and logical_or logical_not bitwise_and bitwise_or maximum minimum"
    ).split()
)


def _rewrite(op: Op, before: Sizes, asked: Sizes) -> Rewrite | None:
    """Permute the last asked dimension to the end, where that is all that is wrong."""
    node = op.site.node
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or asked[-1] not in before:
        return None
    at = before.index(asked[-1])
    order = [dim for dim in range(len(before)) if dim != at] + [at]
    if _moved(tuple(before[dim] for dim in order), asked, frozenset(before)) is not None:
        return None
    receiver, code = node.func.value, op.site.unit.code
    if isinstance(receiver, cst.Name) and op.site.unit.qualified(receiver) == "torch":
        return None
    arguments = ", ".join(code(argument).rstrip(", ") for argument in node.args)
    content = f"{code(receiver)}.permute({', '.join(map(str, order))}).reshape({arguments})"
    return Rewrite(Applicability.UNSAFE, f"use `{content}`", (Replacement(op.site, content),))
