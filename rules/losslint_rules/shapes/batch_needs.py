"""What no longer fits once a value has lost its batch dimension."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.graph import LOOP, Graph, Op, ancestors
from losslint.semantics.measures import literal_ints
from losslint.semantics.values import DType, Value
from losslint_rules.shapes.batches import batch_source
from losslint_rules.shapes.misalignment import consumers

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


def harmed_by_collapse(value: Value, graph: Graph, asked: set[int]) -> tuple[Op, str] | None:
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
    if name in ("getitem", "index_put"):
        return _bad_index(op, value)
    if name in _BY_DIM and op.operands[0].key == value.key:
        dims = [each for key in ("dim", "dim0", "dim1") for each in literal_ints(op.keywords.get(key)) or ()]
        far = [each for each in dims if each >= 1 or each <= -2]
        return f"dimension {far[0]} of `{name}` is then another one, or none" if far else None
    return None


def _bad_index(op: Op, value: Value) -> str | None:
    node = op.site.node
    if op.operands[0].key != value.key:
        return None
    if any(_selects_samples(each) for each in op.operands[1:]):
        return "the mask of the samples then has a dimension more than what it selects from"
    if not isinstance(node, cst.Subscript):
        return None
    parts = [part.slice for part in node.slice]
    taken = [part for part in parts if isinstance(part, cst.Slice) or not _is_ellipsis_or_none(part)]
    return "there is then a dimension too few for these indices" if len(taken) > 1 else None


def _selects_samples(index: Value) -> bool:
    """Whether an index is a mask with one answer a sample, which keeps its batch dimension."""
    return index.is_tensor and index.dtype is DType.BOOL and batch_source(index) is not None and not _collapses(index)


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
