"""Selections: tensors whose number of elements the data decide."""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst

from losslint.semantics.role_names import says_selection
from losslint.semantics.values import DType, Kind, Value

_CHANGES_SIZE = frozenset(
    (
        "cat stack matmul mm index_put scatter scatter_add phi gather getitem bincount histc cdist sum mean amax amin "
        "max min"
    ).split()
)


_REDUCTIONS = frozenset("sum mean amax amin prod".split())
_RESHAPES = frozenset("squeeze view reshape flatten unsqueeze long to clone contiguous detach select unbind".split())


def is_selection(value: Value) -> bool:
    """Whether the number of elements of a tensor depends on a mask."""
    return value.origin.name in ("masked_select", "nonzero", "argwhere") or (
        value.origin.name == "getitem" and (value.origin.label == "mask" or deciding_index(value) is not None)
    )


def picks_by_name(index: Value) -> bool:
    """Whether an index is an argument of the loss whose name says that it picks elements: `pred[matched]`."""
    return (
        index.origin.name == "parameter"
        and index.kind in (Kind.TENSOR, Kind.UNKNOWN)
        and says_selection(index.origin.label)
    )


def deciding_index(value: Value) -> Value | None:
    """What decides how many elements an indexed tensor has: a mask, the positions found in one, an argument that picks."""
    for index in value.origin.operands[1:]:
        found = index.beneath(_RESHAPES)
        if found.dtype is DType.BOOL or picks_by_name(found):
            return found
        if found.is_tensor and found.key != value.key and is_selection(found):
            return deciding_index(found) or (found.origin.operands[0] if found.origin.operands else found)
    return None


def selected_by(value: Value) -> Value | None:
    """The selection that decides how many elements a tensor has, through what works element by element."""
    pending, seen = [value], 0
    while pending and seen < 60:
        current = pending.pop()
        seen += 1
        if current.is_tensor and is_selection(current):
            return current
        if current.rank != 0 and _keeps_selection(current):
            pending.extend(operand for operand in current.origin.operands if operand.is_tensor and operand.rank != 0)
    return None


def matched_pair(values: Iterable[Value]) -> tuple[Value, Value] | None:
    """Two parts that the halves of a matching pick out of one sample: `pred[b][i]` and `target[b][j]` for `(i, j)` of a list.

    A matching is as long as the shorter of what it matches, and a sample without targets has an empty one. Where the
    pairs pick out of what is the same for all turns, they are numbers: `student[i]`, `teacher[j]` for pairs of layers.
    """
    picked: dict[int, Value] = {}
    pending, seen = list(values)[::-1], 0
    while pending and seen < 60:
        current = pending.pop()
        seen += 1
        index = _lone_index(current)
        if index is not None and index.origin.name == "unknown" and not index.origin.label and index.origin.operands:
            whole = index.origin.operands[0]
            if not _is_element(current.origin.operands[0]):
                continue
            other = picked.setdefault(whole.key, current)
            other_index = _lone_index(other)
            if other_index is not None and other_index.key != index.key and _receiver(other) != _receiver(current):
                return other, current
        elif current.rank != 0 and _keeps_selection(current):
            pending.extend(each for each in current.origin.operands if each.rank != 0)
    return None


def _lone_index(value: Value) -> Value | None:
    """The index of `x[i]`, whether x is known to be a tensor or not."""
    if value.origin.name == "getitem" and len(value.origin.operands) == 2:
        return value.origin.operands[1]
    return value.origin.keywords.get("index") if value.origin.name == "unknown" else None


def _is_element(value: Value) -> bool:
    """Whether a value is what one turn of a loop gets."""
    if value.origin.name == "unknown":
        index = _lone_index(value)
        return not value.origin.label and (index is None or index.origin.name == "loop_index")
    return value.origin.name == "select" or any(each.origin.name == "loop_index" for each in value.origin.operands[1:])


def index_of(value: Value) -> tuple[Value, ...]:
    """The one index of `x[i]`; nothing for anything else."""
    index = _lone_index(value)
    return () if index is None else (index,)


def _receiver(value: Value) -> int:
    return value.origin.operands[0].key


def _keeps_selection(value: Value) -> bool:
    """Whether a value has no elements where what it is computed from has none; a reduction of the other dimensions has not."""
    if value.origin.name == "getitem":
        return _keeps_first_dimension(value)
    if value.origin.name in _REDUCTIONS:
        dim = value.origin.keywords.get("dim")
        return dim is not None and isinstance(dim.constant, int) and dim.constant != 0
    return value.origin.name not in _CHANGES_SIZE and value.origin.name != "parameter"


def _keeps_first_dimension(value: Value) -> bool:
    """`x[:, 2:]`, `x[..., 0]`: all of what was selected, and a part of each."""
    node = value.origin.site.node if value.origin.site is not None else None
    if not isinstance(node, cst.Subscript) or len(node.slice) < 2:
        return False
    match node.slice[0].slice:
        case cst.Slice(lower=None, upper=None, step=None) | cst.Index(value=cst.Ellipsis()):
            return True
    return False
