"""Selections: tensors whose number of elements the data decide."""

from __future__ import annotations

from losslint.semantics.values import Value

_CHANGES_SIZE = frozenset(
    (
        "cat stack matmul mm index_put scatter scatter_add phi gather getitem bincount histc cdist sum mean amax amin "
        "max min"
    ).split()
)


def is_selection(value: Value) -> bool:
    """Whether the number of elements of a tensor depends on a mask."""
    return value.origin.name in ("masked_select", "nonzero", "argwhere") or (
        value.origin.name == "getitem" and value.origin.label == "mask"
    )


def selected_by(value: Value) -> Value | None:
    """The selection that decides how many elements a tensor has, through what works element by element."""
    pending, seen = [value], 0
    while pending and seen < 60:
        current = pending.pop()
        seen += 1
        if current.is_tensor and is_selection(current):
            return current
        if current.rank != 0 and current.origin.name not in _CHANGES_SIZE and current.origin.name != "parameter":
            pending.extend(operand for operand in current.origin.operands if operand.is_tensor and operand.rank != 0)
    return None
