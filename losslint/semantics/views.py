"""Which tensor of the caller a value shares its memory with: views of a parameter of the loss, and the parameter itself."""

from __future__ import annotations

from losslint.semantics.values import Kind, Value

_VIEWS = frozenset(
    (
        "view view_as t transpose permute movedim squeeze unsqueeze expand expand_as broadcast_to narrow select diagonal "
        "chunk split unbind unfold detach data requires_grad_ Variable index_put"
    ).split()
)
# Views of what lies in memory in order, copies of what does not.
_IN_ORDER = frozenset({"reshape", "flatten", "ravel", "contiguous"})
_OUT_OF_ORDER = frozenset({"t", "transpose", "permute", "movedim", "expand", "expand_as", "broadcast_to"})


def shared_parameter(value: Value) -> Value | None:
    """The parameter of the loss that provably has the same memory, None where a copy may lie between.

    `.float()` and `.to(...)` are taken for copies: they are, unless the dtype is the same already.
    """
    current, ordered = value, False
    for _ in range(40):
        name, operands = current.origin.name, current.origin.operands
        if name == "parameter":
            return current if current.origin.frame == 0 else None
        if name == "phi":
            shared = [shared_parameter(each) for each in operands]
            return shared[0] if all(shared) and not ordered else None
        if not operands or not (name in _VIEWS or name in _IN_ORDER or (name == "getitem" and _is_slice(current))):
            return None
        if ordered and name in _OUT_OF_ORDER:
            return None
        ordered = ordered or name in _IN_ORDER
        current = operands[0]
    return None


def _is_slice(value: Value) -> bool:
    """Whether an index takes a view: numbers, slices, None and the ellipsis do; masks, tensors and lists copy."""
    return all(
        index.kind in (Kind.NUMBER, Kind.NONE) or (index.has_constant and index.constant is ...)
        for index in value.origin.operands[1:]
    )
