"""Which tests on the way to an operator ask for the device, for CUDA, or for a flag."""

from __future__ import annotations

from losslint.semantics.graph import Condition, Op, ancestors

_WORDS = ("cuda", "gpu", "device", "cpu", "mps")
_FLAGS = frozenset({"setting", "attribute", "parameter"})


def asks_for_device(op: Op) -> bool:
    """Whether a test of the device, of CUDA or of a flag named after them decides the path."""
    return any(_names_a_device(condition) for condition in op.conditions)


def asks_for_a_flag(op: Op) -> bool:
    """Whether the truth of a setting decides the path, whatever it is called: `if self.on:`."""
    return any(
        condition.is_configuration and condition.test.origin.name in _FLAGS and not condition.test.is_tensor
        for condition in op.conditions
    )


def _names_a_device(condition: Condition) -> bool:
    return any(
        word in f"{value.origin.label} {value.origin.name}".lower()
        for value in ancestors([condition.test])
        for word in _WORDS
    )
