"""Shapes as a person would write them: (N, 1) and (N,)."""

from __future__ import annotations

from collections.abc import Mapping

from losslint.semantics.measures import size_of
from losslint.semantics.sizes import Size, Sizes, factors, is_pack
from losslint.semantics.values import Kind, Value

_LETTERS = "N M K L P Q R S T U V W".split()


def size_names(scope: Mapping[str, Value]) -> frozenset[Size]:
    """The sizes that the code has given a name to, other than a leading underscore."""
    return frozenset(_named(scope))


def _named(scope: Mapping[str, Value]) -> dict[Size, str]:
    found: dict[Size, str] = {}
    for name, value in scope.items():
        if value.kind is Kind.NUMBER and value.origin.name == "size" and not name.startswith(("_", "self.")):
            found.setdefault(size_of(value), name)
    return found


class ShapeWriter:
    """Writes shapes that belong together: one name a size, the code's own names where it has bound some."""

    def __init__(self, scope: Mapping[str, Value]) -> None:
        self._names = _named(scope)
        self._letters = iter(letter for letter in _LETTERS if letter not in self._names.values())

    def write(self, sizes: Sizes) -> str:
        """`(N, 1)`; dimensions nothing is known of one by one are `...`."""
        written = [self._size(size) for size in sizes]
        return f"({written[0]},)" if len(written) == 1 else f"({', '.join(written)})"

    def _size(self, size: Size) -> str:
        if isinstance(size, int):
            return str(size)
        if is_pack(size):
            return "..."
        if size not in self._names and "·" in size:
            number, names = factors(size)
            return "*".join([*([str(number)] if number != 1 else []), *(self._size(name) for name in names)])
        if size not in self._names:
            self._names[size] = next(self._letters, "?")
        return self._names[size]
