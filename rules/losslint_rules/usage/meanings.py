"""What the numbers of a value mean: probabilities, log-probabilities, or the raw output of a layer.

Read from the operator that made the value, through views, selections, casts and joins; never from a name.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
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


def meaning_of(value: Value) -> Meant | None:
    """What a value means, None where that is not known or differs between the paths that lead to it."""
    return _Reader().read(value)


class _Reader:
    """Reads each value once, however many paths lead to it."""

    def __init__(self) -> None:
        self._known: dict[int, Meant | None] = {}

    def read(self, value: Value) -> Meant | None:
        """The meaning of a value."""
        if value.key not in self._known:
            self._known[value.key] = None  # what leads back to itself says nothing
            self._known[value.key] = self._read(value)
        return self._known[value.key]

    def _read(self, value: Value) -> Meant | None:
        name, operands = value.origin.name, value.origin.operands
        if name in _PROBABILITIES and operands:
            return Meant(Meaning.PROBABILITY, value)
        if name in _LOGS and operands:
            return Meant(Meaning.LOG_PROBABILITY, value)
        if name in _LAYER_OPERATORS or (name == "unknown" and value.origin.label in _LAYER_MODULES):
            return Meant(Meaning.RAW, value)
        if not operands or value.origin.label == "indices":
            return None
        if name == "phi":
            return self._joined([each for each in operands if each.kind is not Kind.NONE])
        if name in ("cat", "stack"):
            return self._joined(operands[0].elements if isinstance(operands[0].elements, tuple) else ())
        if name in VIEWS or name in SELECTIONS:
            return self.read(operands[0])
        return self._computed(value)

    def _joined(self, parts: Sequence[Value]) -> Meant | None:
        found = [self.read(part) for part in parts]
        first = found[0] if found else None
        if first is None or any(each is None or each.meaning is not first.meaning for each in found):
            return None
        return Meant(first.meaning, first.made, plain=False)

    def _computed(self, value: Value) -> Meant | None:
        """Values whose meaning a computation changes or keeps: log, exp, 1 - p, p + eps, clamps, a softmax by hand."""
        name, operands = value.origin.name, value.origin.operands
        if name == "div" and _is_softmax_by_hand(value):
            return Meant(Meaning.PROBABILITY, value)
        if name in ("sub", "rsub") and len(operands) == 2 and operands[0].has_constant and operands[0].constant == 1:
            return self._kept(operands[1], Meaning.PROBABILITY)
        if name == "log":
            inner = self.read(operands[0])
            return Meant(Meaning.LOG_PROBABILITY, value) if _is(inner, Meaning.PROBABILITY) else None
        if name == "exp":
            inner = self.read(operands[0])
            return Meant(Meaning.PROBABILITY, value) if _is(inner, Meaning.LOG_PROBABILITY) else None
        if name in _LIMITS:
            return self._kept(operands[0], Meaning.PROBABILITY) or self._kept(operands[0], Meaning.LOG_PROBABILITY)
        if name == "add" and len(operands) == 2 and is_small_constant(operands[1]):
            return self._kept(operands[0], Meaning.PROBABILITY)
        return None

    def _kept(self, value: Value, meaning: Meaning) -> Meant | None:
        inner = self.read(value)
        return Meant(meaning, inner.made, plain=False) if inner is not None and inner.meaning is meaning else None


def _is(meant: Meant | None, meaning: Meaning) -> bool:
    return meant is not None and meant.meaning is meaning


def is_small_constant(value: Value) -> bool:
    """Whether a value is an epsilon: a small positive number, written or the default of a setting."""
    return value.has_constant and isinstance(value.constant, float) and 0 < value.constant <= _SMALL


def _is_softmax_by_hand(value: Value) -> bool:
    """`e / e.sum(dim, keepdim=True)` where e is an exp."""
    if len(value.origin.operands) != 2:
        return False
    top, total = value.origin.operands
    total = total.beneath(("unsqueeze", "view", "reshape", "expand_as", "getitem"))
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
