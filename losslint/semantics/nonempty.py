"""Masks that select something whatever the data are: a tensor compared with what was taken out of it."""

from __future__ import annotations

from losslint.semantics.values import DType, Kind, Value

_KEEPS_ELEMENTS = frozenset(
    (
        "view reshape flatten squeeze unsqueeze transpose permute t contiguous clone detach data long int float double to "
        "type type_as cpu cuda expand expand_as repeat"
    ).split()
)
_TAKES_ELEMENTS = frozenset(
    (
        "select getitem index_select gather take_along_dim masked_select diagonal unique unique_consecutive max min amax "
        "amin median nanmedian mode kthvalue topk sort item tolist numpy unbind"
    ).split()
)
_LISTS = frozenset({"", "set()", "sorted()", "list()", "tuple()", "iter()", "reversed()"})
_SUMMARIES = frozenset({"quantile", "nanquantile", "mean"})


def holds_somewhere(name: str, left: Value, right: Value) -> bool:
    """Whether a comparison is true for at least one element: `x == c` for a c of `x.unique()`, `x >= x.topk(k).values[-1]`."""
    if name not in ("eq", "ge", "le"):
        return False
    return _holds(name, left, right) or _holds(name, right, left)


def _holds(name: str, value: Value, other: Value) -> bool:
    if value.kind is Kind.NUMBER:
        return False
    whole = _whole(value)
    if other.origin.name == "phi":
        return all(_holds(name, value, each) for each in other.alternatives)
    joined = _whole(other)
    if joined.origin.name == "cat" and isinstance(joined.origin.operands[0].elements, tuple):
        return any(_whole(each).key == whole.key for each in joined.origin.operands[0].elements)
    return any(each.key == whole.key for each in _sources(other, summaries=name != "eq"))


def _whole(value: Value) -> Value:
    """The tensor whose elements a view or a copy holds."""
    return value.beneath(_KEEPS_ELEMENTS)


def _sources(value: Value, summaries: bool) -> list[Value]:
    """The tensors that a value is an element of, or lies within the range of."""
    found: list[Value] = []
    taken = False
    while len(found) < 40:
        name, operands = value.origin.name, value.origin.operands
        if taken:
            found.append(value)
        if not operands:
            break
        if name in _TAKES_ELEMENTS or (name in _SUMMARIES and summaries):
            taken = True
        elif name in ("comprehension", "unknown"):
            if len(operands) != 1 or value.origin.label not in _LISTS:
                break
        elif name not in _KEEPS_ELEMENTS:
            break
        summaries = summaries and name not in _SUMMARIES
        value = operands[0]
    return found


def is_drawn_to_match(value: Value) -> bool:
    """Whether elements of a tensor were chosen by a draw: multinomial raises where there is nothing to draw from."""
    pending, seen = [value], 0
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        if current.origin.name == "multinomial":
            return True
        if current.origin.name in ("cat", "stack") and isinstance(current.origin.operands[0].elements, tuple):
            pending.extend(current.origin.operands[0].elements)
        elif current.origin.name in ("getitem", "index_select", "gather"):
            pending.extend(each for each in current.origin.operands[1:] if each.dtype is not DType.BOOL)
        elif current.origin.name in _KEEPS_ELEMENTS:
            pending.extend(current.origin.operands[:1])
    return False
