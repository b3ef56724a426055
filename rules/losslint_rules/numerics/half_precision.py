"""float16 and bfloat16: what rounds to 1, and which values the code itself casts to float16."""

from __future__ import annotations

import struct

from losslint.semantics.values import DType, Value

_FLOAT16 = frozenset({"torch.float16", "torch.half"})


def rounds_to_one(number: float) -> bool:
    """Whether a number is 1 in float16, which is finer there than bfloat16."""
    rounded: float = struct.unpack("e", struct.pack("e", number))[0]
    return rounded == 1.0


def is_float16(value: Value) -> bool:
    """Whether a tensor was cast to float16, not to bfloat16, on the way here."""
    for _ in range(20):
        if value.dtype is not DType.HALF or not value.origin.operands:
            return False
        if value.origin.name == "half" or any(each.origin.label in _FLOAT16 for each in value.origin.keywords.values()):
            return True
        value = value.origin.operands[0]
    return False
