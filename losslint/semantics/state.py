"""The state of one execution path: names in scope, tests that hold, and what the path knows.

A `State` is the interpreter's own, changed in place while one path runs; what it hands out (`scope`, `conditions`) is
replaced, never mutated, so operators can keep references to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

from losslint.semantics.graph import Call, Condition
from losslint.semantics.sizes import Sizes
from losslint.semantics.values import Device, Site, Value

Assumption = tuple[object, ...]


class State:
    """One path through a function. `device` is where factories make tensors on it, `fails` whether Python surely raises here."""

    __slots__ = (
        "assumptions",
        "calls",
        "conditions",
        "contexts",
        "device",
        "fails",
        "frame",
        "gradient_matters",
        "guards",
        "loops",
        "scope",
        "shapes",
    )

    def __init__(self, frame: int = 0) -> None:
        self.scope: Mapping[str, Value] = {}
        self.conditions: tuple[Condition, ...] = ()
        self.assumptions: Mapping[Assumption, bool] = {}
        self.guards: frozenset[int] = frozenset()
        self.gradient_matters = True
        self.device = Device.DEFAULT
        self.fails = False
        self.frame = frame
        self.calls: tuple[Call, ...] = ()
        self.loops: tuple[Site, ...] = ()
        self.contexts: tuple[Value, ...] = ()
        self.shapes: Mapping[int, Sizes] = {}

    def fork(self) -> State:
        """A second path that starts with everything this one knows."""
        other = State(self.frame)
        other.scope = self.scope
        other.conditions = self.conditions
        other.assumptions = self.assumptions
        other.guards = self.guards
        other.gradient_matters = self.gradient_matters
        other.device = self.device
        other.fails = self.fails
        other.calls = self.calls
        other.loops = self.loops
        other.contexts = self.contexts
        other.shapes = self.shapes
        return other

    def bind(self, name: str, value: Value) -> None:
        """Give a name (or a `self.attribute`) a value."""
        self.scope = {**self.scope, name: value}

    def assume(self, answers: Iterable[tuple[Assumption, bool]]) -> None:
        """Remember the answers to normalised tests; one of a shape is kept as that."""
        assumptions = dict(self.assumptions)
        for assumption, answer in answers:
            if assumption[0] == "shape" and answer:
                self.learn_shapes(dict([assumption[1:]]))  # type: ignore[list-item]
            else:
                assumptions[assumption] = answer
        self.assumptions = assumptions

    def learn_shapes(self, shapes: Mapping[int, Sizes]) -> None:
        """Remember the shapes of the values with these keys on this path."""
        if shapes:
            self.shapes = {**self.shapes, **shapes}

    def guard(self, keys: frozenset[int]) -> None:
        """Remember that a comparison of these values decided the path."""
        if not keys <= self.guards:
            self.guards |= keys


def join_states(states: Sequence[State], join: Callable[[Sequence[Value]], Value]) -> State:
    """One state for several paths: equal names stay, others become a phi; only common knowledge is kept."""
    first, *rest = states
    if not rest:
        return first
    merged = first.fork()
    scopes = [state.scope for state in states]
    joined: dict[str, Value] = {}
    for name in dict.fromkeys(chain.from_iterable(scopes)):
        values = [scope[name] for scope in scopes if name in scope]
        chosen = values[0]
        joined[name] = join(values) if any(value is not chosen for value in values) else chosen
    merged.scope = joined
    merged.shapes = dict(
        first.shapes.items() & frozenset.intersection(*(frozenset(each.shapes.items()) for each in states))
    )
    merged.guards = frozenset.intersection(*(state.guards for state in states))
    merged.assumptions = {
        key: answer
        for key, answer in first.assumptions.items()
        if all(state.assumptions.get(key) is answer for state in rest)
    }
    common = 0
    while all(
        common < len(state.conditions) and state.conditions[common] is first.conditions[common] for state in states
    ):
        common += 1
    merged.conditions = first.conditions[:common]
    return merged
