"""Which bindings of a function's local names are read, and which are bound again before anybody reads them.

What happens to a binding is what the first events of its name are on the ways that lead on from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.name_events import END, START, Binding, Layout
from losslint.semantics.names import Function


@dataclass(frozen=True, slots=True)
class Fate:
    """What the first events after a binding are: a read, other bindings, or the end of the function."""

    read: bool
    rebound: tuple[Binding, ...]
    leaves: bool


class Liveness:
    """The events of one function."""

    def __init__(self, function: Function) -> None:
        layout = Layout(function)
        self._events = layout.events
        self._captured = layout.captured
        self.is_opaque = layout.is_opaque
        self.bindings = tuple(each.binding for each in self._events if each.binding is not None)
        self._positions = {
            id(event.binding): position for position, event in enumerate(self._events) if event.binding is not None
        }

    def fate(self, binding: Binding) -> Fate:
        """What happens to a binding."""
        return self._fate(self._positions[id(binding)], binding.name)

    def fate_of_parameter(self, name: str) -> Fate:
        """What happens to what a parameter is given."""
        return self._fate(START, name)

    def _fate(self, start: int, name: str) -> Fate:
        if self.is_opaque or name in self._captured:
            return Fate(True, (), False)
        read, leaves = False, False
        rebound: list[Binding] = []
        seen: set[int] = set()
        pending = list(self._events[start].following)
        while pending:
            position = pending.pop()
            if position in seen:
                continue
            seen.add(position)
            event = self._events[position]
            if position == END:
                leaves = True
            elif event.name != name:
                pending.extend(event.following)
            elif event.binding is None:
                read = True
            else:
                rebound.append(event.binding)
        return Fate(read, tuple(rebound), leaves)


@kept_for_a_file
def liveness(function: Function) -> Liveness:
    """The events of a function, laid out once."""
    return Liveness(function)
