"""a row that is filled with -inf as a whole, under a softmax

`logits.masked_fill(mask, float("-inf"))` takes entries out of a softmax, as long as one is left in each row. Where the
mask compares labels with each other there may be none: no other sample of the same class, or no sample of another
class. The softmax of nothing but -inf is NaN, for the value at once.

A mask that leaves the diagonal, or takes out nothing else, always leaves something and is silent; so is `logsumexp`,
for which -inf is the right value of an empty sum, and a result that is masked once more. Masks that are given, paddings
for instance, are taken to leave something. A finite fill that float16 cannot hold, `-1e9`, is reported where the
tensor is visibly half.

## Bad

```python
import torch
import torch.nn.functional as F

def positives_loss(features, labels):
    similarity = F.normalize(features, dim=1) @ F.normalize(features, dim=1).t() / 0.1
    same = labels[:, None] == labels[None, :]
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    weights = F.softmax(similarity.masked_fill(~(same & ~own), float("-inf")), dim=1)
    return -(weights * similarity).sum(dim=1).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def positives_loss(features, labels):
    similarity = F.normalize(features, dim=1) @ F.normalize(features, dim=1).t() / 0.1
    same = labels[:, None] == labels[None, :]
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    weights = F.softmax(similarity.masked_fill(~(same & ~own), torch.finfo(similarity.dtype).min), dim=1)
    return -(weights * similarity * (same & ~own)).sum(dim=1).mean()
```

## Use instead

`torch.finfo(logits.dtype).min`, with which a row of fills has equal weights, and the mask once more on the result; or only
the rows that have an entry left. No fix is offered, because such rows need a decision.

A run confirms it with a batch of one class, or of as many classes as samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import DType, Value

RULE = Rule(
    code="LL224",
    name="infinite-mask-fill",
    severity=Severity.WARNING,
    preview=True,
    confirmed_by=("degenerate", "half"),
)

_LARGEST_HALF = 65504.0
_SCALES = frozenset({"div", "mul", "sub", "add", "view", "reshape", "squeeze", "unsqueeze", "float", "clone", "to"})


@RULE.on_op("softmax", "log_softmax", "cross_entropy_loss")
def softmax_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a softmax over a row that a comparison of labels can fill with -inf."""
    filled = op.operands[0].beneath(_SCALES)
    mask = _mask_of_infinite_fill(filled)
    if mask is None or not graph.matters(op.value) or not _fills_rows(mask) or op.is_guarded([mask]):
        return
    if _is_masked_again(op, graph):
        return
    site = filled.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(mask)}` can fill a row with -inf as a whole (a label that nothing else has, or a batch of one class), "
        "and its softmax is NaN; fill with torch.finfo(dtype).min",
        evidence=with_calls(op, [Step(site, "-inf is filled in here")] if site is not None else []),
    )


@RULE.on_op("masked_fill")
def half_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a finite fill that float16 has no number for."""
    value = op.keywords.get("value")
    number = value.constant if value is not None else None
    if op.operands[0].dtype is not DType.HALF or not isinstance(number, float) or not graph.matters(op.value):
        return
    if math.isfinite(number) and abs(number) > _LARGEST_HALF and _is_float16(op.operands[0]):
        yield RULE.finding(
            op.site,
            f"float16 has no {number:g}, and masked_fill raises; fill with torch.finfo(dtype).min",
            evidence=with_calls(op, ()),
        )


def _is_float16(value: Value) -> bool:
    """bfloat16 is a half too, and holds 1e38."""
    pending, seen = [value], 0
    while pending and seen < 30:
        current = pending.pop()
        seen += 1
        if current.origin.name == "half":
            return True
        pending.extend(each for each in current.origin.operands if each.dtype is DType.HALF)
    return False


def _is_masked_again(op: Op, graph: Graph) -> bool:
    """Whether the elements of empty rows are replaced or left out afterwards; the fill itself passes no gradient on."""
    chosen = graph.named("masked_fill", "where", "index_put", "masked_select", "getitem", "nan_to_num")
    masked = (each for each in chosen if each.name != "getitem" or each.origin.label == "mask")
    return any(value.key == op.value.key for each in masked for value in ancestors(each.operands))


def _mask_of_infinite_fill(value: Value) -> Value | None:
    """The mask of what is -inf in a value."""
    name, operands, keywords = value.origin.name, value.origin.operands, value.origin.keywords
    if name == "masked_fill" and _is_minus_infinity(keywords.get("value")):
        return keywords.get("mask")
    if name == "index_put" and len(operands) == 3 and _is_minus_infinity(operands[1]):
        return operands[2]
    if name == "where" and _is_minus_infinity(keywords.get("input")):
        return keywords.get("condition")
    return None


def _is_minus_infinity(value: Value | None) -> bool:
    return value is not None and value.has_constant and value.constant == -math.inf


def _fills_rows(mask: Value) -> bool:
    """Whether a row of a comparison of labels with themselves is taken as a whole.

    On its diagonal the labels are equal. Off it all of them may be, or none.
    """
    diagonal = _holds(mask, equal=True, diagonal=True)
    elsewhere = [_holds(mask, equal=equal, diagonal=False) for equal in (True, False)]
    return diagonal is True and True in elsewhere


def _holds(mask: Value, equal: bool, diagonal: bool, depth: int = 0) -> bool | None:
    """What a mask is where labels are equal or not, on the diagonal or off it; None where something else decides."""
    name, operands = mask.origin.name, mask.origin.operands
    if depth > 12 or not operands:
        return None
    if name == "eye":
        return diagonal
    if name in ("eq", "ne") and len(operands) == 2:
        left, right = operands
        if left.alias & right.alias and left.key != right.key:
            return equal if name == "eq" else not equal
        if right.has_constant and right.constant in (0, 1, True, False):
            inner = _holds(left, equal, diagonal, depth + 1)
            return None if inner is None else (inner is bool(right.constant)) is (name == "eq")
        return None
    if name in ("logical_not", "bitwise_not") or (name in ("sub", "rsub") and _is_one(operands)):
        inner = _holds(operands[-1] if name == "sub" else operands[0], equal, diagonal, depth + 1)
        return None if inner is None else not inner
    if name in ("logical_and", "bitwise_and", "mul", "logical_or", "bitwise_or") and len(operands) == 2:
        both = [_holds(each, equal, diagonal, depth + 1) for each in operands]
        decisive = name.endswith("or")
        return decisive if decisive in both else (None if None in both else not decisive)
    if name in ("bool", "float", "long", "int", "to", "t", "transpose", "clone", "detach", "byte"):
        return _holds(operands[0], equal, diagonal, depth + 1)
    return None


def _is_one(operands: tuple[Value, ...]) -> bool:
    return operands[0].has_constant and operands[0].constant == 1
