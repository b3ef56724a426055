"""Whose numbers a value is made of: not what it only takes the shape, the dtype or the device of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from losslint.semantics.operators import Shape, operators
from losslint.semantics.values import Value

METADATA = frozenset(
    (
        "size shape dim ndim ndimension numel nelement len stride element_size itemsize dtype device layout names grad_fn "
        "requires_grad is_cuda is_sparse is_floating_point is_complex is_contiguous training"
    ).split()
)
# Of what these are given besides the tensor only the device, dtype or shape is taken.
TAKE_AFTER = frozenset({"to", "type", "type_as", "view_as", "expand_as"})
# What tells a factory how large, of which kind and where, and not which numbers.
_FORM = frozenset({"input", "size", "n", "m", "steps", "dtype", "device", "requires_grad"})


def carriers(value: Value) -> Sequence[Value]:
    """What a value is made of whose numbers are in it: x of `x.expand_as(y)`, v of `torch.full(x.shape, v)`, none of `x.shape`."""
    name, operands = value.origin.name, value.origin.operands
    if name in METADATA:
        return ()
    if name in TAKE_AFTER:
        return operands[:1]
    operator = operators().get(name)
    if operator is not None and operator.shape is Shape.FACTORY:
        given = value.origin.keywords
        return [each for label, each in given.items() if label not in _FORM and label[0] != "#"] if given else operands
    return members(value)


def made_of(values: Iterable[Value]) -> Iterator[Value]:
    """The values and all whose numbers are in them, each once."""
    seen: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        if value.key not in seen:
            seen.add(value.key)
            yield value
            pending += carriers(value)


def members(value: Value) -> Sequence[Value]:
    """What a value is made of: operands, arguments, and the elements of a literal."""
    origin, elements = value.origin, value.elements
    if elements is None:
        return (*origin.operands, *origin.keywords.values())
    return (
        *origin.operands,
        *origin.keywords.values(),
        *(elements if isinstance(elements, tuple) else elements.values()),
    )
