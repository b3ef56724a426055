"""What is known of one value: the fields are fixed by docs/decisions/0001-op-and-value.md.

Floats are meant with their float semantics: an `Interval` is closed, because a sigmoid really reaches 0 and 1.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from losslint.semantics.operators import Interval

if TYPE_CHECKING:
    import libcst as cst

    from losslint.semantics.names import Unit


class _Fact(enum.Enum):
    """One of a few answers; each is hashed by what it is, and not by its name as Python's enumerations are."""

    __hash__ = object.__hash__


class Kind(_Fact):
    """The Python kind of a value."""

    TENSOR = "tensor"
    NUMBER = "number"
    BOOL = "bool"
    STR = "str"
    NONE = "none"
    SHAPE = "shape"
    MODULE = "module"
    FUNCTION = "function"
    CLASS = "class"
    SEQUENCE = "sequence"
    MAPPING = "mapping"
    OBJECT = "object"
    UNKNOWN = "unknown"


class Gradient(_Fact):
    """Whether a gradient can flow from a value back to a prediction.

    NEUTRAL: nothing in it ever carried one (constants, sizes). CARRIES: some path carries one, or may.
    CUT: a path was cut on purpose or by leaving the graph (detach, no_grad, item).
    ZERO: only through operators that are piecewise constant or return indices.
    """

    NEUTRAL = "neutral"
    CARRIES = "carries"
    CUT = "cut"
    ZERO = "zero"


class Role(_Fact):
    """What a parameter, or what is computed from it alone, is for."""

    PREDICTION = "prediction"
    TARGET = "target"
    WEIGHT = "weight"
    MASK = "mask"
    CONFIG = "config"
    UNKNOWN = "unknown"


class Reduced(_Fact):
    """How a value was brought together over its elements."""

    NONE = "none"
    MEAN = "mean"
    SUM = "sum"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


class DType(_Fact):
    """The family of a tensor's dtype."""

    BOOL = "bool"
    INT = "int"
    HALF = "half"
    FLOAT = "float"
    DOUBLE = "double"
    UNKNOWN = "unknown"


class Device(_Fact):
    """Where a tensor lives: with an input, on the default device, or not known."""

    INPUT = "input"
    DEFAULT = "default"
    UNKNOWN = "unknown"


class Certainty(enum.IntEnum):
    """How sure a witness is: POSSIBLE is never more than info, LIKELY a warning, PROVEN the rule's own severity."""

    POSSIBLE = 0
    LIKELY = 1
    PROVEN = 2


class Effect(enum.Flag):
    """What goes wrong at the witnessed point."""

    VALUE = enum.auto()
    GRADIENT = enum.auto()


EVERYTHING = Interval(-math.inf, math.inf)


class Site(Struct, frozen=True, eq=False):
    """A node of one parsed file; its position is resolved only when it is reported."""

    unit: Unit
    node: cst.CSTNode


class Origin(Struct, frozen=True, eq=False):
    """How a value was made: an operator's ATen name (or `parameter`, `attribute`, `constant`, `phi`...) and operands.

    `label` names what a person would call it (a parameter's name, an attribute, a constant); `keywords` are the
    remaining bound arguments by the names of the operator's signature; `frame` is the call frame it ran in; `module` is
    the module whose call applied it, None for a function or a method.
    """

    name: str
    operands: tuple[Value, ...] = ()
    keywords: Mapping[str, Value] = field(default_factory=dict)
    site: Site | None = None
    label: str = ""
    frame: int = 0
    module: Value | None = None


class ZeroWitness(Struct, frozen=True, eq=False):
    """Why a value can be exactly zero: the origin where the zero comes from and the reason in words.

    `collective` is False where one element is zero by rounding alone (a softmax underflows), which a sum over many
    elements does not inherit.
    """

    source: Value
    reason: str
    certainty: Certainty
    collective: bool = True
    effect: Effect = Effect.VALUE | Effect.GRADIENT

    @property
    def is_named(self) -> bool:
        """Whether something speaks for the zero: its source makes it likely, or is an argument that is called a mask."""
        return self.certainty >= Certainty.LIKELY or self.source.role is Role.MASK


class Reduction(Struct, frozen=True):
    """How and over what a value was reduced: `over` is "all", "batch", "dims" or ""."""

    kind: Reduced = Reduced.UNKNOWN
    over: str = ""


class Value(Struct, frozen=True, eq=False):
    """What is known of one value at one point of one path. Equal `key`s mean the same value.

    `rank` is None where unknown, `shape` holds one symbolic or known size a dimension ("" unknown), with an unknown number of
    dimensions as one entry, or is None (losslint/semantics/sizes.py; `sizes_of` reads it);
    `constant` is the Python constant (a default if `is_default`); `elements` the members of a literal sequence or
    mapping; `alias` the names of the parameters this is a view of (empty: fresh); `zero` the witness that it can be 0.
    """

    key: int
    kind: Kind = Kind.UNKNOWN
    interval: Interval = EVERYTHING
    origin: Origin = field(default_factory=lambda: Origin("unknown"))
    gradient: Gradient = Gradient.NEUTRAL
    role: Role = Role.UNKNOWN
    rank: int | None = None
    shape: tuple[str | int, ...] | None = None
    reduction: Reduction = Reduction()
    dtype: DType = DType.UNKNOWN
    device: Device = Device.UNKNOWN
    alias: frozenset[str] = frozenset()
    zero: ZeroWitness | None = None
    constant: object = None
    has_constant: bool = False
    is_default: bool = False
    elements: tuple[Value, ...] | Mapping[str, Value] | None = None

    @property
    def alternatives(self) -> tuple[Value, ...]:
        """The values this may be, one for each joined path; itself where there is one."""
        return self.origin.operands if self.origin.name == "phi" else (self,)

    @property
    def is_tensor(self) -> bool:
        """True only where the value is proven to be a tensor."""
        return self.kind is Kind.TENSOR

    @property
    def is_scalar(self) -> bool:
        """True for Python numbers and tensors proven to have no dimension."""
        return self.kind in (Kind.NUMBER, Kind.BOOL) or (self.is_tensor and self.rank == 0)

    def beneath(self, names: Container[str]) -> Value:
        """What is left of a value without operators of these names, each taken for what it does to its first operand."""
        current = self
        while current.origin.name in names and current.origin.operands:
            current = current.origin.operands[0]
        return current

    def with_(self, **changes: object) -> Value:
        """A copy with some fields changed."""
        return replace(self, **changes)
