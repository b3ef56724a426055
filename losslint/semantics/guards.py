"""Guards: what a test is about, and what a witnessed value is made of; where the two meet, the path is guarded."""

from __future__ import annotations

from collections.abc import Iterator

from losslint.semantics.selections import selected_by
from losslint.semantics.values import Value

COMPARISONS = frozenset(
    (
        "eq ne lt le gt ge isnan isfinite isinf logical_and logical_or logical_not logical_xor bitwise_and "
        "bitwise_or bitwise_not"
    ).split()
)


def chain(value: Value) -> Iterator[Value]:
    """The values from a witnessed value back to where its zero comes from, and what that was compared or counted on."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        yield current
        if value.zero is not None and current.key == value.zero.source.key:
            pending.extend(_asked(current))
        else:
            pending.extend(operand for operand in current.origin.operands if _passes_on(operand, value))


def _passes_on(operand: Value, value: Value) -> bool:
    return operand.zero is not None and (value.zero is None or operand.zero.source.key == value.zero.source.key)


_ASKS = COMPARISONS | frozenset(
    (
        "compared any all sum mean min max amin amax count_nonzero item numel size len nonzero int float bool getitem "
        "masked_select to type type_as long double byte cpu detach clone contiguous view reshape flatten squeeze unsqueeze "
        "shape phi norm linalg_vector_norm abs where not"
    ).split()
)


def _asked(value: Value) -> Iterator[Value]:
    if value.origin.name in _ASKS:
        yield from (each for each in value.origin.operands if not each.has_constant)


def without_asked(value: Value, guarded: frozenset[int]) -> Value:
    """A value as a path knows it that was decided by comparing it, or what its zero comes from: `n if n > 0 else 1`."""
    if value.zero is None or not any(each.key in guarded for each in chain(value)):
        return value
    return value.with_(zero=None)


def closure(test: Value) -> frozenset[int]:
    """What a test of this value is about: itself, and through comparisons, counts and any/all, what those look at."""
    found: set[int] = set()
    pending = [test]
    while pending:
        value = pending.pop()
        if value.key in found or value.has_constant:
            continue
        found.add(value.key)
        pending.extend(_asked(value))
        if value.origin.name in ("len", "numel", "size"):
            pending.extend(each for operand in value.origin.operands if (each := selected_by(operand)) is not None)
    return frozenset(found)
