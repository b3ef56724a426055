"""The parsed files behind one lint: the linted one, and those its calls and base classes lead to."""

from __future__ import annotations

import ast
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from losslint.diagnostic import Diagnostic
from losslint.positions import Positions
from losslint.semantics.names import Unit, parse_unit, unit_in_pieces
from losslint.semantics.pieces import divide
from losslint.semantics.project import Project
from losslint.source import Source, parse_ast, parse_cst, read_source, too_complex

MAX_CHARACTERS = 800_000
UNPARSED = 50  # how many characters of plain text take the memory of one that is parsed


class Library:
    """Units and their sources by path, read when a name leads to them."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._units: OrderedDict[Path, Unit | None] = OrderedDict()
        self._sources: dict[Path, Source] = {}
        self._keys: dict[Unit, Path] = {}
        self._positions: dict[Path, Positions] = {}
        self._resolved: dict[tuple[Path, str], tuple[Unit, str] | None] = {}
        self._neighbours: dict[Path, tuple[Path, ...] | None] = {}
        self._texts: dict[Path, str] = {}
        self._failed: set[Path] = set()

    def open(self, source: Source) -> Unit | Diagnostic:
        """The unit of a file that is to be linted; an LL9 where libcst cannot parse it."""
        path = Path(source.filename)
        key = path.absolute()
        known = self._units.get(key)
        if known is not None and self._sources[key].text == source.text:
            self._units.move_to_end(key)
            return known
        unit = self._parsed(path, source, parse_ast(source))
        if isinstance(unit, Diagnostic):
            return unit
        self._forget(key)
        self._units[key], self._sources[key], self._keys[unit] = unit, source, key
        return unit

    def trim(self) -> None:
        """Forget the files that were needed longest ago, until those that are left are short enough together.

        Only between two lints: within one a file has to stay the same unit.
        """
        length = sum(_length(unit) for unit in self._units.values())
        while length > MAX_CHARACTERS and self._units:
            key, unit = next(iter(self._units.items()))
            length -= _length(unit)
            self._forget(key)

    def _forget(self, key: Path) -> None:
        unit = self._units.pop(key, None)
        self._sources.pop(key, None)
        self._positions.pop(key, None)
        if unit is not None:
            self._keys.pop(unit, None)
            self._resolved = {
                asked: found for asked, found in self._resolved.items() if found is None or found[0] is not unit
            }

    def resolve(self, unit: Unit, name: str) -> tuple[Unit, str] | None:
        """The unit and the local name of what `name` means in `unit`, where that is a definition of the project."""
        key = (unit.path, name)
        if key not in self._resolved:
            definition = self._project.resolve(unit.path, name)
            found = self._unit(definition.path) if definition is not None else None
            self._resolved[key] = None if found is None or definition is None else (found, definition.qualname)
            return self._resolved[key]
        known = self._resolved[key]
        if known is not None:
            self._units.move_to_end(self._keys[known[0]])
        return known

    def _unit(self, path: Path) -> Unit | None:
        """The unit of a file; None where it cannot be read or parsed, which its own lint reports."""
        key = path.absolute()
        if key not in self._units:
            self._units[key] = self._read(path)
        self._units.move_to_end(key)
        return self._units[key]

    def _read(self, path: Path) -> Unit | None:
        source = read_source(path, str(path))
        if isinstance(source, Diagnostic):
            return None
        tree = self._project.tree(path) or parse_ast(source)  # the search for the name has parsed it, most often
        if isinstance(tree, Diagnostic) or too_complex(source, tree) is not None:
            return None
        unit = self._parsed(path, source, tree)
        if isinstance(unit, Diagnostic):
            return None
        self._sources[path.absolute()], self._keys[unit] = source, path.absolute()
        return unit

    def _parsed(self, path: Path, source: Source, tree: ast.Module | Diagnostic) -> Unit | Diagnostic:
        """A file in pieces, or as a whole where that cannot be, or where libcst has failed on a piece."""
        if not isinstance(tree, Diagnostic) and path.absolute() not in self._failed:
            division = divide(path, source.text, tree)
            if division is not None:
                return unit_in_pieces(path, source.filename, source.text, division)
        module = parse_cst(source)
        return module if isinstance(module, Diagnostic) else parse_unit(path, source.filename, module, source.text)

    def leave_out(self, path: Path) -> None:
        """Take a file for one that cannot be parsed, now that libcst has failed on a piece of it."""
        key = path.absolute()
        self._forget(key)
        self._units[key] = None
        self._failed.add(key)

    def texts_beside(self, unit: Unit) -> Mapping[Path, str] | None:
        """The texts of the project's other files by their paths; None where they are too many or too long to be read."""
        own = unit.path.absolute()
        if own.parent not in self._neighbours:
            self._neighbours[own.parent] = self._project.neighbours(own)
        paths = self._neighbours[own.parent]
        return None if paths is None else {path: self._text(path) for path in paths if path != own}

    def _text(self, path: Path) -> str:
        if path not in self._texts:
            try:
                self._texts[path] = path.read_text("utf-8", "replace")
            except OSError:
                self._texts[path] = ""
        return self._texts[path]

    def source(self, unit: Unit) -> Source:
        """The source a unit was parsed from."""
        return self._sources[unit.path.absolute()]

    def positions(self, unit: Unit) -> Positions:
        """The byte spans of a unit's nodes."""
        key = unit.path.absolute()
        if key not in self._positions:
            self._positions[key] = Positions(unit)
        return self._positions[key]


def _length(unit: Unit | None) -> int:
    """The number of characters of a file that are parsed, and a small part of those that are not."""
    return 1 if unit is None else sum(len(piece.text) for piece in unit.parsed) + len(unit.text) // UNPARSED + 1
