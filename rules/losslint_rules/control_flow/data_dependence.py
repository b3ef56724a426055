"""Whether the elements of an input decide a value, and not their number alone."""

from __future__ import annotations

from losslint.semantics.operators import Shape, operators
from losslint.semantics.transfer import takes_no_numbers
from losslint.semantics.values import Value

_SIZES = frozenset({"size", "shape", "numel", "len", "dim", "ndim", "is_floating_point"})


def is_computed_from_inputs(value: Value, stop_at: frozenset[str] = frozenset()) -> bool:
    """Whether an input's elements are in a value: `~torch.eye(n)` has as many True as it always has.

    What the operators named in `stop_at` gave is not looked into.
    """
    pending = [value]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        name = current.origin.name
        if current.key in seen or name in _SIZES or name in stop_at or takes_no_numbers(name) or _is_made(name):
            continue
        seen.add(current.key)
        if name == "parameter":
            return True
        pending.extend(current.origin.operands)
        if isinstance(current.elements, tuple):
            pending.extend(current.elements)
    return False


def _is_made(name: str) -> bool:
    """Whether an operator makes a tensor of sizes and bounds: of what it is given beside those only the device is taken."""
    operator = operators().get(name)
    return operator is not None and operator.shape is Shape.FACTORY and name not in _KEEPS_DATA


_KEEPS_DATA = frozenset({"full", "tensor", "scalar_tensor", "as_tensor", "from_numpy"})
