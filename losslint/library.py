"""The parsed files behind one lint: the linted one, and those its calls and base classes lead to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from losslint.diagnostic import Diagnostic
from losslint.positions import Positions
from losslint.semantics.names import Unit, parse_unit
from losslint.semantics.project import Project
from losslint.source import Source, parse_ast, parse_cst, read_source, too_complex

MAX_TEXT = 40_000_000


class Library:
    """Units and their sources by path, read when a name leads to them."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._units: dict[Path, Unit | None] = {}
        self._sources: dict[Path, Source] = {}
        self._positions: dict[Path, Positions] = {}
        self._resolved: dict[tuple[Path, str], tuple[Unit, str] | None] = {}
        self._neighbours: dict[Path, tuple[Path, ...] | None] = {}
        self._texts: dict[Path, str] = {}

    def open(self, source: Source) -> Unit | Diagnostic:
        """The unit of a file that is to be linted; an LL9 where libcst cannot parse it."""
        path = Path(source.filename)
        key = path.absolute()
        known = self._units.get(key)
        if known is not None and self._sources[key].text == source.text:
            return known
        module = parse_cst(source)
        if isinstance(module, Diagnostic):
            return module
        unit = parse_unit(path, source.filename, module, source.text)
        self._units[key], self._sources[key] = unit, source
        self._positions.pop(key, None)
        return unit

    def resolve(self, unit: Unit, name: str) -> tuple[Unit, str] | None:
        """The unit and the local name of what `name` means in `unit`, where that is a definition of the project."""
        key = (unit.path, name)
        if key not in self._resolved:
            definition = self._project.resolve(unit.path, name)
            found = self._unit(definition.path) if definition is not None else None
            self._resolved[key] = None if found is None or definition is None else (found, definition.qualname)
        return self._resolved[key]

    def _unit(self, path: Path) -> Unit | None:
        """The unit of a file; None where it cannot be read or parsed, which its own lint reports."""
        key = path.absolute()
        if key not in self._units:
            self._units[key] = self._read(path)
        return self._units[key]

    def _read(self, path: Path) -> Unit | None:
        source = read_source(path, str(path))
        if isinstance(source, Diagnostic):
            return None
        tree = parse_ast(source)
        if isinstance(tree, Diagnostic) or too_complex(source, tree) is not None:
            return None
        module = parse_cst(source)
        if isinstance(module, Diagnostic):
            return None
        self._sources[path.absolute()] = source
        return parse_unit(path, str(path), module, source.text)

    def texts_beside(self, unit: Unit) -> Mapping[Path, str] | None:
        """The texts of the project's other files by their paths; None where they are too many or too long to be looked through."""
        own = unit.path.absolute()
        if own.parent not in self._neighbours:
            self._neighbours[own.parent] = self._project.neighbours(own)
        paths = self._neighbours[own.parent]
        if paths is None:
            return None
        texts = {path: self._text(path) for path in paths if path != own}
        return texts if sum(map(len, texts.values())) <= MAX_TEXT else None

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
