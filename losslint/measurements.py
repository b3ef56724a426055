"""What a run of a loss measured: plain, frozen, JSON-serialisable, without torch, and public to rule packs.

Measuring is apart from judging. The worker measures; rules read a `Measurements` and decide what of it is a finding, so
that a run can be stored, drawn and judged again. Numbers that are not finite are the strings "inf", "-inf" and "nan".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

VERSION = 1
Number = float | str | None


@dataclass(frozen=True)
class UserLine:
    """A place in the user's code, `op` the ATen operator that ran there."""

    filename: str | None = None
    line: int | None = None
    function: str = ""
    op: str = ""


@dataclass(frozen=True)
class Input:
    """One argument. `kind` says what its numbers mean (logits, probability, index...), `text` makes it, given torch."""

    name: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    kind: str = "value"
    role: str = "other"
    differentiable: bool = False
    by_name: bool = False
    text: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class InputSet:
    """Other inputs that the loss ran on, too."""

    source: str
    confidence: float
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True)
class Construction:
    """How the loss was made. `source`: function, defaults, guessed, example, doctest; `confidence` from 0 to 1. `call` is the
    expression of what is called."""

    text: str
    source: str
    confidence: float
    call: str = ""


@dataclass(frozen=True)
class Outcome:
    """One call with its backward pass. `status`: ok, value or gradient (that is not finite), error, unsupported.

    `gradients` has the norm of each leaf's gradient, None where no graph leads there. `magnitude` is the largest number in
    the changed arguments; `texts` says how arguments were changed, "{0}" being the argument before and "{name}" another.
    """

    name: str
    status: str
    value: Number = None
    gradients: Mapping[str, Number] = field(default_factory=dict)
    origin: UserLine | None = None
    error: str | None = None
    argument: str = ""
    magnitude: float | None = None
    change: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Forward:
    """The call at generic points: shapes and dtypes of what came back."""

    status: str
    value: Number = None
    gradients: Mapping[str, Number] = field(default_factory=dict)
    origin: UserLine | None = None
    error: str | None = None
    shapes: tuple[tuple[int, ...], ...] = ()
    dtypes: tuple[str, ...] = ()
    is_scalar: bool = False
    requires_grad: bool = False


@dataclass(frozen=True)
class DeadGradient:
    """Leaves without gradient: `dead` ones the value depends on (`cut`: no graph leads there), `flat` ones it does not."""

    status: str
    dead: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    flat: tuple[str, ...] = ()
    alive: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Sweep:
    """Outcomes over the magnitude of the inputs and at the ends of their domain."""

    status: str
    points: tuple[Outcome, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Degenerate:
    """Outcomes of batches in which something is missing."""

    status: str
    batches: tuple[Outcome, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Half:
    """Outcomes by dtype: float16 and bfloat16."""

    status: str
    dtypes: Mapping[str, Outcome] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Trace:
    """Which tracer gave the graph (symbolic, make_fx, dispatch), and where symbolic_trace stopped."""

    tracer: str = ""
    stopped_at: Mapping[str, Any] | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    status: str = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Worst:
    """The largest disagreement of a gradient check."""

    leaf: str
    analytic: float
    numeric: float
    relative_error: float


@dataclass(frozen=True)
class GradientCheck:
    """passed, failed, not-checkable or skipped."""

    status: str
    reason: str = ""
    filename: str | None = None
    line: int | None = None
    worst: Worst | None = None
    points: int = 0
    directions: int = 0


@dataclass(frozen=True)
class Term:
    """A summand of the final sum, its weight applied; shares are of the sum of absolute values and of norms."""

    name: str
    value: Number = None
    value_share: Number = None
    gradient_norm: Number = None
    gradient_share: Number = None
    weight: Number = None
    filename: str | None = None
    line: int | None = None
    complementary: bool = False


@dataclass(frozen=True)
class Terms:
    """split, single or skipped."""

    status: str
    reason: str = ""
    terms: tuple[Term, ...] = ()
    total: Number = None


@dataclass(frozen=True)
class Behaviour:
    """input_mutation, second_step and determinism: a status, why, and where."""

    status: str
    reason: str = ""
    filename: str | None = None
    line: int | None = None
    arguments: tuple[str, ...] = ()
    changes: str = ""


@dataclass(frozen=True)
class Device:
    """passed, mismatch, unknown or skipped, on the pretend or the real GPU."""

    status: str
    reason: str = ""
    device: str = ""
    filename: str | None = None
    line: int | None = None
    output_device: str | None = None


@dataclass(frozen=True)
class OperatorMet:
    """An operator at a user's line: how often it ran, and in which runs its operand (denominator, argument) had a zero."""

    filename: str
    line: int
    operator: str
    calls: int = 0
    zero_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """Lines that ran, by file, and what the watched operators met."""

    lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    operators: tuple[OperatorMet, ...] = ()


@dataclass(frozen=True)
class Measurements:
    """Everything about one loss. `status`: ok, no-inputs, not-constructed, import-error, crashed, timeout.

    A part is None where its experiment did not run. `other_inputs` are further inputs that ran; `stood_in` the missing
    dependencies that were stood in for; `output` what the loss printed.
    """

    target: str
    module: str
    symbol: str
    filename: str
    line: int
    status: str
    version: int = VERSION
    end_line: int | None = None
    reason: str = ""
    advice: str = ""
    construction: Construction | None = None
    inputs: tuple[Input, ...] = ()
    input_source: str | None = None
    input_confidence: float | None = None
    other_inputs: tuple[InputSet, ...] = ()
    finite: bool | None = None
    has_gradient: bool | None = None
    forward: Forward | None = None
    dead_gradient: DeadGradient | None = None
    scale: Sweep | None = None
    degenerate: Degenerate | None = None
    half: Half | None = None
    trace: Trace | None = None
    gradient_check: GradientCheck | None = None
    terms: Terms | None = None
    mutation: Behaviour | None = None
    second_step: Behaviour | None = None
    determinism: Behaviour | None = None
    device: Device | None = None
    observed: Observed | None = None
    stood_in: tuple[str, ...] = ()
    output: str = ""
    seconds: float | None = None
    search_seconds: float | None = None

    def input(self, name: str) -> Input | None:
        """The argument of a name; what follows the name in the path of a leaf (`features[0]`) does not count."""
        return next((each for each in self.inputs if each.name == name.partition("[")[0]), None)

    def outcomes(self) -> Iterator[tuple[str, Outcome]]:
        """Every call that was made, with its experiment: forward, saturation, degenerate or half."""
        if self.forward is not None:
            generic = self.forward
            yield (
                "forward",
                Outcome("generic", generic.status, generic.value, generic.gradients, generic.origin, generic.error),
            )
        if self.scale is not None:
            yield from (("saturation", point) for point in self.scale.points)
        if self.degenerate is not None:
            yield from (("degenerate", batch) for batch in self.degenerate.batches)
        if self.half is not None:
            yield from (("half", replace(each, name=name)) for name, each in self.half.dtypes.items())


def from_data(data: Mapping[str, Any]) -> Measurements:
    """Measurements from what the worker sent. Raises msgspec.ValidationError where it is none."""
    return msgspec.convert(dict(data), Measurements, strict=False)


def to_data(measurements: Measurements) -> dict[str, Any]:
    """Plain data, ready for JSON."""
    data: dict[str, Any] = msgspec.to_builtins(measurements)
    return data
