"""Whether a tensor provably has a dimension, also where its rank is not known: `torch.zeros(n)`, `x.flatten()`."""

from __future__ import annotations

from collections.abc import Callable

from losslint.semantics.operators import Operator, Shape, operators
from losslint.semantics.sizes import is_pack
from losslint.semantics.values import Kind, Role, Value

_SIZED = frozenset(
    "zeros ones empty rand randn full new_zeros new_ones new_empty new_full zeros_like ones_like".split()
)
_ALWAYS = frozenset(
    "arange linspace eye randperm from_numpy masked_select nonzero unsqueeze flatten ravel cat stack one_hot".split()
)
_BATCHES = frozenset({Role.PREDICTION, Role.TARGET, Role.MASK})
_LIMIT = 60


def has_dimensions(value: Value, of_inputs: bool = False) -> bool:
    """True where a tensor provably has one dimension or more; False for scalars and where nothing is known.

    With `of_inputs` a parameter counts that is named or used as prediction, target or mask: those are batches.
    """
    pending, seen = [value], 0
    while pending and seen < _LIMIT:
        current = pending.pop()
        seen += 1
        if any(not is_pack(size) for size in current.shape or ()):
            return True
        if current.rank is not None:
            if current.rank > 0:
                return True
        elif current.origin.name in _ALWAYS or (current.origin.name in _SIZED and _is_sized(current)):
            return True
        elif current.origin.name == "parameter":
            if of_inputs and current.role in _BATCHES:
                return True
        elif current.origin.name == "tensor":
            if _holds_members(current):
                return True
        elif current.origin.name == "phi":
            if all(has_dimensions(each, of_inputs) for each in current.origin.operands if each.kind is not Kind.NONE):
                return True
        elif current.origin.name == "getitem" and current.origin.label == "mask":
            return True
        else:
            pending.extend(_decisive(current))
    return False


def _decisive(value: Value) -> tuple[Value, ...]:
    """The operands of which one dimension is enough to give the result one."""
    if value.origin.name in ("parameter_tensor", "Variable", "as_tensor", "index_put"):
        return value.origin.operands[:1]
    row: Operator | None = operators().get(value.origin.name)
    return _KEEPS[row.shape](value) if row is not None and row.shape in _KEEPS else ()


def _first(value: Value) -> tuple[Value, ...]:
    return value.origin.operands[:1]


def _viewed(value: Value) -> tuple[Value, ...]:
    """What a view keeps; a size that is written out is counted by the rank."""
    return () if value.origin.name in ("squeeze", "select", "view", "reshape", "diagonal") else _first(value)


_KEEPS: dict[Shape, Callable[[Value], tuple[Value, ...]]] = {
    Shape.POINTWISE: lambda value: tuple(each for each in value.origin.operands if each.is_tensor),
    Shape.CAST: _first,
    Shape.RESHAPE_COPY: _first,
    Shape.SOFTMAX_LIKE: _first,
    Shape.VIEW: _viewed,
}


def _is_sized(value: Value) -> bool:
    """Whether the sizes that a factory is given are not the empty tuple of a scalar."""
    sizes = [each for each in value.origin.operands if not each.is_tensor]
    if value.origin.name.endswith("_like"):
        return bool(value.origin.operands) and has_dimensions(value.origin.operands[0])
    return bool(sizes) and sizes[0].elements != () and sizes[0].kind is not Kind.NONE


def _holds_members(value: Value) -> bool:
    """`torch.tensor([1.0, 2.0])`, and `torch.tensor(weights)` of what a constructor or a function is given as settings."""
    data = value.origin.operands[0] if value.origin.operands else None
    return data is not None and data.kind is Kind.SEQUENCE
