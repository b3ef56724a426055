"""What the numbers of a value mean: probabilities, log-probabilities, or the raw output of a layer.

Read from the operator that made the value, through views, selections, casts and joins; never from a name.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from losslint.semantics.values import Kind, Value


class Meaning(enum.Enum):
    """What the elements of a value are."""

    PROBABILITY = "probabilities"
    LOG_PROBABILITY = "log-probabilities"
    RAW = "raw scores"


@dataclass(frozen=True, slots=True, eq=False)
class Meant:
    """A meaning, and the value that has it first: what the layer, the softmax or the log gave.

    `plain` is True where only views, casts and selections of elements lie in between: no clamp, epsilon or join.
    """

    meaning: Meaning
    made: Value
    plain: bool = True


VIEWS = frozenset(
    (
        "view reshape flatten ravel permute transpose t movedim squeeze unsqueeze expand broadcast_to expand_as view_as "
        "contiguous detach clone unfold repeat repeat_interleave tile flip roll float double half bfloat16 to type "
        "type_as cpu cuda requires_grad_"
    ).split()
)
SELECTIONS = frozenset(
    (
        "getitem select narrow chunk split unbind gather take_along_dim index_select masked_select take diagonal topk "
        "sort max min amax amin"
    ).split()
)
_PROBABILITIES = frozenset({"softmax", "softmin", "gumbel_softmax", "sigmoid", "hardsigmoid"})
_LOGS = frozenset({"log_softmax", "log_sigmoid"})
_LIMITS = frozenset({"clamp", "clamp_min", "clamp_max", "nan_to_num"})
_LAYER_MODULES = frozenset(
    f"torch.nn.{name}()"
    for name in (
        "Linear LazyLinear Bilinear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d".split()
    )
)
_LAYER_OPERATORS = frozenset({"linear", "conv1d", "conv2d"})
_SMALL = 1e-2
_DEPTH = 40


def meaning_of(value: Value, depth: int = _DEPTH) -> Meant | None:
    """What a value means, None where that is not known or differs between the paths that lead to it."""
    name, operands = value.origin.name, value.origin.operands
    if name in _PROBABILITIES:
        return Meant(Meaning.PROBABILITY, value)
    if name in _LOGS:
        return Meant(Meaning.LOG_PROBABILITY, value)
    if name in _LAYER_OPERATORS or (name == "unknown" and value.origin.label in _LAYER_MODULES):
        return Meant(Meaning.RAW, value)
    if depth == 0 or not operands or value.origin.label == "indices":
        return None
    if name in ("phi", "cat", "stack"):
        return _joined(value, depth)
    beneath = meaning_of(operands[0], depth - 1)
    if name in VIEWS or name in SELECTIONS:
        return beneath
    return _computed(value, beneath)


def _joined(value: Value, depth: int) -> Meant | None:
    parts = value.origin.operands
    if value.origin.name in ("cat", "stack"):
        parts = parts[0].elements if isinstance(parts[0].elements, tuple) else ()
    found = [meaning_of(part, depth - 1) for part in parts if part.kind is not Kind.NONE]
    first = found[0] if found else None
    if first is None or any(each is None or each.meaning is not first.meaning for each in found):
        return None
    return Meant(first.meaning, first.made, plain=False)


def _computed(value: Value, beneath: Meant | None) -> Meant | None:
    """Values whose meaning a computation changes or keeps: log, exp, 1 - p, p + eps, clamps, a softmax by hand."""
    name, operands = value.origin.name, value.origin.operands
    if name == "div" and _is_softmax_by_hand(value):
        return Meant(Meaning.PROBABILITY, value)
    if name in ("sub", "rsub") and len(operands) == 2 and operands[0].has_constant and operands[0].constant == 1:
        inner = meaning_of(operands[1])
        if inner is not None and inner.meaning is Meaning.PROBABILITY:
            return Meant(Meaning.PROBABILITY, inner.made, plain=False)
    if beneath is None:
        return None
    is_probability = beneath.meaning is Meaning.PROBABILITY
    if name == "log" and is_probability:
        return Meant(Meaning.LOG_PROBABILITY, value)
    if name == "exp" and beneath.meaning is Meaning.LOG_PROBABILITY:
        return Meant(Meaning.PROBABILITY, value)
    if name in _LIMITS and beneath.meaning is not Meaning.RAW:
        return Meant(beneath.meaning, beneath.made, plain=False)
    if name == "add" and is_probability and is_small_constant(operands[1]):
        return Meant(beneath.meaning, beneath.made, plain=False)
    return None


def is_small_constant(value: Value) -> bool:
    """Whether a value is an epsilon: a small positive number, written or the default of a setting."""
    return value.has_constant and isinstance(value.constant, float) and 0 < value.constant <= _SMALL


def _is_softmax_by_hand(value: Value) -> bool:
    """`e / e.sum(dim, keepdim=True)` where e is an exp."""
    if len(value.origin.operands) != 2:
        return False
    top, total = value.origin.operands
    while total.origin.name in ("unsqueeze", "view", "reshape", "expand_as", "getitem") and total.origin.operands:
        total = total.origin.operands[0]
    return top.origin.name == "exp" and total.origin.name == "sum" and total.origin.operands[0].key == top.key


def kind_of(made: Value) -> str:
    """What a person would call what made probabilities or scores: softmax, sigmoid, layer."""
    name = made.origin.name
    if name == "unknown":
        return made.origin.label.removeprefix("torch.nn.").removesuffix("()") + " layer"
    return {"div": "softmax", "gumbel_softmax": "Gumbel softmax", "exp": "softmax"}.get(name, name)


def through_views(value: Value) -> Value:
    """The value behind views, casts and selections of elements."""
    while (value.origin.name in VIEWS or value.origin.name in SELECTIONS) and value.origin.label != "indices":
        value = value.origin.operands[0]
    return value
