"""The interpreter's workbench: it numbers values, records operators and remembers what it learned of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import libcst as cst
from msgspec.structs import replace

from losslint.semantics.graph import IN_PLACE, Falling, Op
from losslint.semantics.local_names import local_names
from losslint.semantics.names import Function, Unit
from losslint.semantics.operators import Interval
from losslint.semantics.sizes import rank_of
from losslint.semantics.state import Assumption, State
from losslint.semantics.values import (
    EVERYTHING,
    Device,
    DType,
    Gradient,
    Kind,
    Origin,
    Reduced,
    Reduction,
    Role,
    Site,
    Value,
)

if TYPE_CHECKING:
    from losslint.semantics.members import Instance

MAX_OPERATORS = 20_000
MAX_STATEMENTS = 12_000
MAX_INLINED_STATEMENTS = 500
MAX_ALTERNATIVES = 4
MAX_STATES = 8
MAX_CALL_DEPTH = 5

T = TypeVar("T")

_STRONGEST_FIRST = (Gradient.CARRIES, Gradient.ZERO, Gradient.CUT)


Hints = Mapping[str, tuple[Kind, Role]]
Resolver = Callable[[Unit, str], "tuple[Unit, str] | None"]
Surroundings = Callable[[Unit], "Mapping[Path, str] | None"]


def nothing_elsewhere(unit: Unit, name: str) -> tuple[Unit, str] | None:
    """The resolver of a file that stands alone."""
    return None


def alone(unit: Unit) -> Mapping[Path, str]:
    """The surroundings of a file that stands alone."""
    return {}


class TooMuchWork(Exception):
    """A loss needs more operators than the budget; what was found until then stands."""


def strongest_gradient(gradients: Sequence[Gradient]) -> Gradient:
    """What a value made of several others carries: one that carries wins, then zero, then cut."""
    for each in _STRONGEST_FIRST:
        if each in gradients:
            return each
    return Gradient.NEUTRAL


@dataclass(frozen=True, slots=True)
class Mark:
    """How much a machine has recorded at one point."""

    ops: int
    falling: int
    statements: int
    results: Mapping[Hashable, Value]


class Machine:
    """State shared by all paths of one analysis."""

    def __init__(self, unit: Unit, hints: Hints, resolve: Resolver = nothing_elsewhere) -> None:
        self.unit = unit
        self.hints = hints
        self.resolve = resolve
        self.ops: list[Op] = []
        self.learned_kinds: dict[str, Kind] = {}
        self.learned_roles: dict[str, Role] = {}
        self.asked_kinds: dict[int, tuple[Value, str]] = {}  # what isinstance() was asked, by the key of its answer
        self.constants: dict[int, object] = {}
        self.literals: dict[int, Value] = {}
        self.buffers: dict[str, Value] = {}
        self.instances: dict[int, object] = {}
        self.building = 0
        self.refused: list[tuple[tuple[Assumption, bool], ...]] = []  # answers that no object of the class has together
        self.statements = 0
        self.built = 0  # what the constructor of the loss took is no part of what its calls may take
        self.inlined: set[int] = set()
        self.results: dict[Hashable, Value] = {}
        self.opaque: set[int] = set()
        self.closures: dict[int, tuple[Instance | None, State]] = {}
        self.decorated: dict[int, Value | None] = {}
        self.undecorated: set[int] = set()
        self.falling: list[Falling] = []
        self.bound_reads: set[int] = set()
        self.unbound_reads: dict[int, Site] = {}
        self._numbers: dict[Hashable, int] = {}
        self._frames = 0
        self.loop_depth = 0

    def copy(self, hints: Hints) -> Machine:
        """Another machine that knows what this one does; what either learns from now on, the other does not."""
        other = copy(self)
        for name, kept in vars(self).items():
            if isinstance(kept, (dict, list, set)):
                setattr(other, name, kept.copy())
        other.hints = hints
        return other

    def mark(self) -> Mark:
        """What has been recorded up to here."""
        return Mark(len(self.ops), len(self.falling), self.statements, dict(self.results))

    def return_to(self, mark: Mark) -> None:
        """Forget what has been recorded since."""
        del self.ops[mark.ops :]
        del self.falling[mark.falling :]
        self.statements = mark.statements
        self.results = dict(mark.results)

    def number(self, *parts: Hashable) -> int:
        """The same number for the same parts: value numbering."""
        return self._numbers.setdefault(parts, len(self._numbers))

    def fresh(self) -> int:
        """A number that nothing else has."""
        return self.number("fresh", len(self._numbers))

    def count_statement(self) -> None:
        """Count one statement of one path against the budget."""
        self.statements += 1
        if self.statements > MAX_STATEMENTS:
            raise TooMuchWork

    @property
    def may_inline(self) -> bool:
        """Whether calls are still followed; past the budget they are opaque."""
        return self.statements - self.built < MAX_INLINED_STATEMENTS

    def is_refused(self, state: State) -> bool:
        """Whether the constructor would have raised for what a path takes its settings to be."""
        known = state.assumptions
        return bool(self.refused) and any(
            all(known.get(asked) is answer for asked, answer in each) for each in self.refused
        )

    def local_names(self, function: Function) -> frozenset[str]:
        """The names that a function binds itself."""
        return local_names(function)

    def never_bound(self) -> tuple[Site, ...]:
        """Where a local name is read that no path there has bound; loops, which run once here, are left out."""
        return tuple(site for key, site in self.unbound_reads.items() if key not in self.bound_reads)

    def next_frame(self) -> int:
        """The number of a new call frame."""
        self._frames += 1
        return self._frames

    def emit(self, value: Value, state: State, detail: str = "") -> Value:
        """Record the operator that made a value."""
        if len(self.ops) >= MAX_OPERATORS:
            raise TooMuchWork
        self.ops.append(
            Op(
                value.origin,
                value,
                state.conditions,
                state.calls,
                state.scope,
                state.gradient_matters,
                state.loops,
                detail,
                state.guards,
                state.assumptions,
                state.contexts,
            )
        )
        return value

    def fall(self, function: Function, unit: Unit, states: Sequence[State]) -> None:
        """Record the paths that end a function without a return."""
        self.falling.extend(Falling(function, unit, state.conditions) for state in states)

    def replace_last(self, value: Value) -> None:
        """Correct the value of the operator recorded last."""
        self.ops[-1] = replace(self.ops[-1], value=value)

    def mark_in_place(self, value: Value) -> None:
        """Say of the operator recorded last that it changed its first operand, if it is the one that made a value."""
        if self.ops and self.ops[-1].origin is value.origin:
            self.ops[-1] = replace(self.ops[-1], detail=IN_PLACE)

    def constant(self, constant: object, node: cst.CSTNode | None = None, unit: Unit | None = None) -> Value:
        """A Python literal."""
        kind = _CONSTANT_KINDS.get(type(constant), Kind.OBJECT)
        interval = EVERYTHING
        if isinstance(constant, (int, float)) and not math.isnan(constant):
            interval = Interval(float(constant), float(constant))
        key = self.number("constant", type(constant).__name__, repr(constant))
        self.constants[key] = constant
        return Value(
            key=key,
            kind=kind,
            interval=interval,
            origin=Origin("constant", site=self.site(node, unit), label=repr(constant)),
            rank=0,
            constant=constant,
            has_constant=True,
        )

    def unknown(self, node: cst.CSTNode | None, unit: Unit, operands: Sequence[Value] = (), label: str = "") -> Value:
        """A value nothing is known of but what went into it."""
        carries = bool(operands) and any(value.gradient is Gradient.CARRIES for value in operands)
        if label.endswith("()") and node is not None:
            self.opaque.add(id(node))
        return Value(
            key=self.number("unknown", label, *(value.key for value in operands)) if label else self.fresh(),
            origin=Origin("unknown", tuple(operands), site=self.site(node, unit), label=label),
            gradient=Gradient.CARRIES if carries else Gradient.NEUTRAL,
        )

    def site(self, node: cst.CSTNode | None, unit: Unit | None = None) -> Site | None:
        """Where a node stands."""
        return None if node is None else Site(unit or self.unit, node)

    def phi(self, values: Sequence[Value], node: cst.CSTNode | None = None, unit: Unit | None = None) -> Value:
        """A value that is one of several, each kept as an alternative."""
        by_key: dict[int, Value] = {}
        for value in values:
            for alternative in value.alternatives:
                known = by_key.get(alternative.key)
                by_key[alternative.key] = alternative if known is None else _vaguer(known, alternative)
        distinct = list(by_key.values())
        if len(distinct) == 1:
            return distinct[0]
        origin = Origin("phi", tuple(distinct[:MAX_ALTERNATIVES]), site=self.site(node, unit))
        joined = _joined(self.number("phi", *(value.key for value in distinct)), origin, distinct)
        members = _members(distinct)
        if members is None:
            return joined
        return joined.with_(elements=tuple(self.phi(each, node, unit) for each in members))


def _members(values: Sequence[Value]) -> list[tuple[Value, ...]] | None:
    """What stands at each place of tuples of one length that several paths give; None for anything else."""
    tuples = [
        value.elements for value in values if isinstance(value.elements, tuple) and value.origin.name == "sequence"
    ]
    if len(tuples) < len(values) or len({len(each) for each in tuples}) != 1:
        return None
    return list(zip(*tuples, strict=True))


def _vaguer(known: Value, other: Value) -> Value:
    """One value as two paths know it: its shape where both agree, its zero where only one has asked for it."""
    if other.zero is None and known.zero is not None:
        other = other.with_(zero=known.zero)
    if known.shape == other.shape and known.rank == other.rank:
        return other
    agreed = rank_of(known.shape) is None and known.shape is not None
    return other.with_(
        rank=None, shape=known.shape if agreed else None if rank_of(other.shape) is not None else other.shape
    )


def _joined(key: int, origin: Origin, values: Sequence[Value]) -> Value:
    present = [value for value in values if value.kind is not Kind.NONE] or values
    kinds = {value.kind for value in present}
    tensors = [value for value in present if value.is_tensor] or present
    shaped = [value for value in present if value.is_tensor or value.kind in (Kind.NUMBER, Kind.BOOL)] or present
    witnesses = [value.zero for value in present if value.zero is not None]
    return Value(
        key=key,
        kind=_joined_kind(kinds),
        interval=Interval(min(value.interval.low for value in present), max(value.interval.high for value in present)),
        origin=origin,
        gradient=strongest_gradient([value.gradient for value in present]),
        role=_agreed([value.role for value in present], Role.UNKNOWN),
        rank=_agreed([value.rank for value in shaped], None),
        shape=_agreed([value.shape if value.is_tensor else () for value in shaped], None),
        reduction=_agreed([value.reduction for value in tensors], Reduction(Reduced.UNKNOWN)),
        dtype=_agreed([value.dtype for value in tensors], DType.UNKNOWN),
        device=_agreed([value.device for value in tensors], Device.UNKNOWN),
        alias=frozenset().union(*(value.alias for value in present)),
        zero=max(witnesses, key=lambda witness: witness.certainty) if witnesses else None,
    )


def _joined_kind(kinds: set[Kind]) -> Kind:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds <= {Kind.TENSOR, Kind.NUMBER}:
        return Kind.TENSOR
    return Kind.UNKNOWN


def _agreed(values: Sequence[T], otherwise: T) -> T:
    return values[0] if all(value == values[0] for value in values) else otherwise


_CONSTANT_KINDS = {
    bool: Kind.BOOL,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    str: Kind.STR,
    type(None): Kind.NONE,
}
