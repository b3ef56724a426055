"""What a loss adds up and takes away, element by element: its terms without the means and sums that are taken of them.

reduction.signed_terms keeps a mean as the term that it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from losslint.semantics.values import Kind, Role, Value

_SAME = frozenset(
    "mean sum nanmean view reshape squeeze unsqueeze clone contiguous flatten to float double phi stack python_sum cat".split()
)


def signed_elements(value: Value, whole: Collection[int] = ()) -> Iterator[tuple[Value, int]]:
    """What a value adds up, and 1 or -1; through means, sums, and factors whose sign is known or that are settings.

    Sums with the keys of `whole` are terms themselves.
    """
    seen: set[tuple[int, int]] = set()
    pending = [(value, 1)]
    while pending:
        current, sign = pending.pop()
        if (current.key, sign) in seen or len(seen) > 200:
            continue
        seen.add((current.key, sign))
        name, operands = current.origin.name, current.origin.operands
        if current.key in whole:
            yield current, sign
        elif name == "add" and len(operands) == 2:
            pending += [(each, sign) for each in operands]
        elif name in ("sub", "rsub") and len(operands) == 2:
            plus, minus = operands if name == "sub" else operands[::-1]
            pending += [(plus, sign), (minus, -sign)]
        elif name == "neg":
            pending.append((operands[0], -sign))
        elif name in ("phi", "stack", "cat", "python_sum", "sequence"):
            pending += [(each, sign) for each in (*operands, *_elements(current))]
        elif name in _SAME and operands:
            pending.append((operands[0], sign))
        elif name == "mul" and len(operands) == 2 and (found := _scaled(operands)) is not None:
            pending.append((found[0], sign * found[1]))
        elif name == "div" and len(operands) == 2 and operands[1].interval.low >= 0:
            pending.append((operands[0], sign))
        elif name == "div" and len(operands) == 2 and _sign(operands[1]) is not None:
            pending.append((operands[0], sign * (_sign(operands[1]) or 1)))
        else:
            yield current, sign


def _elements(value: Value) -> tuple[Value, ...]:
    found: list[Value] = []
    for each in (value, *value.origin.operands[:1]):
        if isinstance(each.elements, tuple):
            found.extend(each.elements)
    return tuple(found)


def _scaled(operands: tuple[Value, ...]) -> tuple[Value, int] | None:
    """The factor that is no number, and the sign of the other one."""
    for number, other in (operands, operands[::-1]):
        sign = _sign(number)
        if sign is not None:
            return other, sign
    return None


def _sign(value: Value) -> int | None:
    """The sign of a number; settings and sizes are positive where they do not say otherwise."""
    if value.has_constant and isinstance(value.constant, (int, float)):
        return -1 if value.constant < 0 else 1
    if value.kind in (Kind.NUMBER, Kind.BOOL) or value.role is Role.CONFIG:
        return -1 if value.interval.high <= 0 else 1
    return None
