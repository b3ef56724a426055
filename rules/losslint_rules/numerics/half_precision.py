"""float16 and bfloat16: what rounds to 1, and which values the code itself casts to half precision."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from losslint.semantics.graph import Graph
from losslint.semantics.values import DType, Kind, Value
from losslint_rules.autocast import autocast_around, is_float16

_FLOAT16 = frozenset({"torch.float16", "torch.half"})
# What autocast computes in half precision, and what keeps the precision it is given.
_LOWERED = frozenset("matmul mm bmm mv linear einsum addmm baddbmm conv1d conv2d".split())
_KEEPS = frozenset(
    (
        "sigmoid tanh relu neg abs add sub mul div clamp clamp_min clamp_max view reshape squeeze unsqueeze permute transpose "
        "flatten getitem gather select contiguous"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Half:
    """The half precision a value is computed in; `is_float16` is False for bfloat16."""

    is_float16: bool


def half_of(value: Value, graph: Graph) -> Half | None:
    """The half precision that the code puts a value in, by a cast or by an autocast around a product; None for others."""
    for _ in range(20):
        origin = value.origin
        if value.dtype is DType.HALF and (origin.name in ("half", "bfloat16", "to", "type") or not origin.operands):
            named = any(each.origin.label in _FLOAT16 for each in origin.keywords.values())
            return Half(origin.name == "half" or named)
        maker = graph.op_of(value)
        if maker is not None and maker.name in _LOWERED:
            context = autocast_around(maker)
            return Half(is_float16(context)) if context is not None else None
        tensors = [each for each in origin.operands if each.kind is not Kind.NUMBER]
        if value.dtype is not DType.HALF and (origin.name not in _KEEPS or len(tensors) != 1):
            return None
        value = tensors[0] if tensors else origin.operands[0]
    return None


def rounds_to_one(number: float) -> bool:
    """Whether a number is 1 in float16, which is finer there than bfloat16."""
    rounded: float = struct.unpack("e", struct.pack("e", number))[0]
    return rounded == 1.0
