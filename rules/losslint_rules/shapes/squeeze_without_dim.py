"""squeeze() without a dimension drops the batch where it has one sample

`x.squeeze()` takes away every dimension of size 1. The last batch of an epoch often has one sample: then the batch dimension
goes too, (1, 1, H, W) becomes (H, W), (1, 1) a scalar. What comes next fails: binary_cross_entropy and cross_entropy want
equal batches, `dim=1` is out of range or means another dimension, a 0-dim tensor has no length. `squeeze(1)` says what is meant.

The same happens to `mask.nonzero().squeeze()` where one element is selected.

A finding names the input whose batch it is and the operator that no longer fits. Where the result is only used element by
element, as in mse_loss, a batch of one broadcasts back and nothing is reported, nor where both operands collapse alike.

## Bad

```python
import torch.nn.functional as F

def mask_loss(logits, target):
    return F.cross_entropy(logits, target.squeeze().long())
```

## Good

```python
import torch.nn.functional as F

def mask_loss(logits, target):
    return F.cross_entropy(logits, target.squeeze(1).long())
```

The fix names the dimension where exactly one is known to be 1. It is unsafe: other dimensions of size 1 stay.

A run confirms it by a batch of one sample, which fails at this line or behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import LOOP, Graph, Op, ancestors
from losslint.semantics.measures import literal_ints, sizes_of
from losslint.semantics.sizes import pack_position
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.shapes.batches import batch_source
from losslint_rules.shapes.misalignment import consumers

RULE = Rule(code="LL402", name="squeeze-without-dim", severity=Severity.WARNING)

_KEEPS_SHAPE = frozenset(
    (
        "sigmoid tanh relu exp log log_sigmoid softplus clamp clamp_min clamp_max abs neg float long int double half bool to "
        "type type_as cpu cuda detach clone contiguous one_hot"
    ).split()
)
_BY_DIM = frozenset(
    (
        "sum mean amax amin max min logsumexp std var prod norm softmax log_softmax argmax argmin cumsum topk sort gather "
        "unsqueeze transpose select split chunk unbind index_select any all"
    ).split()
)


@RULE.on_op("squeeze")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report squeeze() of something with a batch dimension whose result an operator takes that needs it."""
    dim = op.keywords.get("dim")
    if (dim is not None and dim.kind is not Kind.NONE) or not op.operands:
        return
    squeezed = op.operands[0]
    source = batch_source(squeezed)
    if source is None or _cannot_collapse(squeezed):
        return
    found = _harmed(op.value, graph, {squeezed.key, op.value.key, source.key})
    if found is None:
        return
    harmed, why = found
    selected = source.origin.name != "parameter"
    whose = "selects a single element" if selected else "has one sample in some batches"
    evidence = [
        Step(each.origin.site, message)
        for each, message in ((source, f"`{excerpt(source)}` {whose}"), (harmed.value, why))
        if each.origin.site is not None
    ]
    yield RULE.finding(
        op.site,
        f"`{excerpt(op.value)}` drops the "
        + (
            "dimension of what is selected where that is one element"
            if selected
            else "batch dimension too where the batch has one sample"
        )
        + f", and {why}; name the dimension that is meant",
        evidence=with_calls(op, evidence),
        rewrite=_rewrite(op, squeezed),
    )


def _cannot_collapse(value: Value) -> bool:
    sizes = sizes_of(value)
    return sizes is None or not sizes or isinstance(sizes[0], int)


def _harmed(value: Value, graph: Graph, asked: set[int]) -> tuple[Op, str] | None:
    """The first operator that does not fit a result without its batch dimension, and what happens there."""
    pending, seen = [value], {value.key}
    while pending and len(seen) < 20:
        current = pending.pop(0)
        for op in consumers(graph, current):
            if any(_asks_shape(condition.test, asked) for condition in op.conditions):
                continue
            why = _failure(op, current)
            if why is not None:
                return op, why
            index = op.name == "getitem" and op.operands[0].key != current.key  # one index takes a dimension away
            if (op.name in _KEEPS_SHAPE or index) and op.value.key not in seen:
                seen.add(op.value.key)
                pending.append(op.value)
    return None


def _asks_shape(test: Value, asked: set[int]) -> bool:
    """Whether a condition looks at the size or rank of what is squeezed."""
    return any(
        each.origin.name in ("size", "shape", "dim", "ndim", "len", "numel", "ndimension")
        and any(operand.key in asked for operand in each.origin.operands)
        for each in ancestors([test])
    )


def _failure(op: Op, value: Value) -> str | None:
    name = op.name
    if name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        other = next((each for each in op.operands[:2] if each.key != value.key), None)
        return None if other is None or _collapses(other) else f"`{name}` refuses operands of unequal shapes"
    if name in ("cross_entropy_loss", "nll_loss"):
        logits, target = op.operands[0], op.keywords.get("target")
        if target is not None and target.key == value.key and not _collapses(logits):
            return "the batch of the target is then not that of the logits"
        return None
    if name in ("mm", "bmm", "permute"):
        return f"`{name}` wants the rank that it has otherwise"
    if name == "cat":
        return "`cat` does not take what is left"
    if name == LOOP:
        return "the loop over it no longer goes over samples"
    if name == "gather" and op.keywords.get("index") is not None and op.keywords["index"].key == value.key:
        return None if _collapses(op.operands[0]) else "`gather` wants an index of the same rank"
    if name == "getitem":
        return _bad_index(op, value)
    if name in _BY_DIM and op.operands[0].key == value.key:
        dims = [each for key in ("dim", "dim0", "dim1") for each in literal_ints(op.keywords.get(key)) or ()]
        far = [each for each in dims if each >= 1 or each <= -2]
        return f"dimension {far[0]} of `{name}` is then another one, or none" if far else None
    return None


def _bad_index(op: Op, value: Value) -> str | None:
    node = op.site.node
    if op.operands[0].key != value.key or not isinstance(node, cst.Subscript):
        return None
    parts = [part.slice for part in node.slice]
    taken = [part for part in parts if isinstance(part, cst.Slice) or not _is_ellipsis_or_none(part)]
    return "there is then a dimension too few for these indices" if len(taken) > 1 else None


def _is_ellipsis_or_none(part: cst.BaseSlice) -> bool:
    value = part.value if isinstance(part, cst.Index) else None
    return isinstance(value, cst.Ellipsis) or (isinstance(value, cst.Name) and value.value == "None")


def _collapses(value: Value) -> bool:
    """Whether another operand loses its batch dimension in the same way."""
    pending, seen = [value], 0
    while pending and seen < 30:
        current = pending.pop()
        seen += 1
        if current.origin.name == "squeeze" and "dim" not in current.origin.keywords:
            return True
        if current.origin.name != "parameter":
            pending.extend(current.origin.operands)
    return False


def _rewrite(op: Op, squeezed: Value) -> Rewrite | None:
    sizes, node = sizes_of(squeezed) or (), op.site.node
    ones = [position for position, size in enumerate(sizes) if size == 1]
    hidden = pack_position(sizes)
    if len(ones) != 1 or not isinstance(node, cst.Call):
        return None
    dim = ones[0] if hidden is None or ones[0] < hidden else ones[0] - len(sizes)
    if dim == len(sizes) - 1:
        dim = -1
    called = op.site.unit.code(node.func)
    written = ", ".join(op.site.unit.code(argument.value) for argument in node.args)
    content = f"{called}({written + ', ' if written else ''}{dim})"
    return Rewrite(Applicability.UNSAFE, f"use `{content}`", (Replacement(op.site, content),))
