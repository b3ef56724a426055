"""The project around a file: where an imported name is defined, and what a class descends from.

Only files are read, and only on demand; nothing is imported. What lies outside of the project stays a dotted name.
"""

from __future__ import annotations

import ast
import os
from collections import OrderedDict, deque
from dataclasses import dataclass
from pathlib import Path

from losslint.semantics.bindings import Bindings, Defined, Import, dotted_name, read_bindings
from losslint.semantics.quiet_parse import quietly_parsed

MAX_BYTES = 2_000_000
MAX_LINES = 30_000
MAX_TEXT = 40_000_000
MAX_HOPS = 24
MAX_ANCESTORS = 64
MAX_PARENTS = 4
MAX_NEIGHBOURS = 4_000
SOURCE_FOLDERS = ("", "src", "lib")
INSTALLED = ("site-packages", "dist-packages")
_SKIPPED = frozenset({*INSTALLED, "node_modules", "venv", "env", "build", "dist", "__pycache__"})
ROOT_MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg")


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A class or function of the project, and the file and qualified name it has there."""

    path: Path
    node: Defined
    qualname: str


class Project:
    """Finds definitions across files. One object serves a whole run; it keeps what it read."""

    def __init__(self, roots: tuple[Path, ...] = ()) -> None:
        self._roots = tuple(dict.fromkeys(_absolute(root) for root in roots))
        self._trees: OrderedDict[str, ast.Module | None] = OrderedDict()
        self._lines = 0
        self._bindings: dict[str, Bindings] = {}
        self._folders: dict[Path, tuple[Path, ...]] = {}
        self._modules: dict[tuple[str, int, Path, bool], Path | None] = {}
        self._is_file: dict[Path, bool] = {}
        self._keys: dict[Path, str] = {}
        self._located: dict[tuple[Path, str], Definition | str | None] = {}

    def remember(self, path: Path, tree: ast.Module) -> None:
        """Take a tree that was parsed already, so that the file is not parsed again."""
        self._keep(self._key(path), tree)

    def _key(self, path: Path) -> str:
        """The absolute path of a file, which is worked out once for each."""
        known = self._keys.get(path)
        if known is None:
            known = self._keys[path] = os.path.abspath(path)
        return known

    def tree(self, path: Path) -> ast.Module | None:
        """The parsed file, None where it cannot be read or parsed."""
        key = self._key(path)
        if key not in self._trees:
            self._keep(key, _parse(path))
        self._trees.move_to_end(key)
        return self._trees[key]

    def _keep(self, key: str, tree: ast.Module | None) -> None:
        """Keep a tree, and of the others those asked for last, as far as they are short enough together."""
        self._drop(key)
        self._trees[key] = tree
        self._lines += _length(tree)
        while self._lines > MAX_LINES and len(self._trees) > 2:
            self._drop(next(iter(self._trees)))

    def _drop(self, key: str) -> None:
        if key in self._trees:
            self._lines -= _length(self._trees.pop(key))
            self._bindings.pop(key, None)
            self._located.clear()

    def bindings(self, path: Path) -> Bindings:
        """What the names of a file are bound to; nothing where it cannot be read."""
        key = self._key(path)
        known = self._bindings.get(key)
        if known is None:
            tree = self.tree(path)
            known = self._bindings[key] = read_bindings(tree) if tree is not None else Bindings()
        else:
            self._trees.move_to_end(key)
        return known

    def module_file(self, dotted: str, importer: Path, level: int = 0) -> Path | None:
        """The file of an imported module where it is one of the project's, None for all others."""
        key = (dotted, level, importer.parent, importer.is_absolute())
        if key not in self._modules:
            folder = _absolute(importer).parent
            for _ in range(level - 1):
                folder = folder.parent
            parts = dotted.split(".") if dotted else []
            folders = (folder,) if level else self._own_folders(folder, parts)
            found = next((found for each in folders if (found := self._file(each, parts))), None)
            self._modules[key] = _like(importer, found)
        return self._modules[key]

    def _own_folders(self, folder: Path, parts: list[str]) -> tuple[Path, ...]:
        """Where an import may lead to within the project: of what is installed beside a package only itself is its own."""
        return tuple(
            each
            for each in self._search_folders(folder)
            if each.name not in INSTALLED or (parts and folder.is_relative_to(each / parts[0]))
        )

    def _file(self, folder: Path, parts: list[str]) -> Path | None:
        """The file of a module or package below a folder."""
        where = folder.joinpath(*parts)
        if parts and self._exists(module := where.with_name(f"{where.name}.py")):
            return module
        return package if self._exists(package := where / "__init__.py") else None

    def _exists(self, path: Path) -> bool:
        known = self._is_file.get(path)
        if known is None:
            known = self._is_file[path] = path.is_file()
        return known

    def _search_folders(self, folder: Path) -> tuple[Path, ...]:
        """Where an absolute import written in this folder may lead to, nearest first."""
        if folder not in self._folders:
            bases = [*self._bases(folder), *self._roots, folder]
            folders = [base / inner for base in bases for inner in SOURCE_FOLDERS]
            self._folders[folder] = tuple(each for each in dict.fromkeys(folders) if each.is_dir())
        return self._folders[folder]

    def _bases(self, folder: Path) -> list[Path]:
        """The folder that holds a file's outermost package, and those above it up to the root of its project."""
        bases = [self._package_root(folder)]
        while len(bases) < MAX_PARENTS and bases[-1] not in self._roots and not _is_root(bases[-1]):
            if bases[-1].parent == bases[-1]:
                break
            bases.append(bases[-1].parent)
        return bases

    def _package_root(self, folder: Path) -> Path:
        while folder.name and self._exists(folder / "__init__.py"):
            folder = folder.parent
        return folder

    def neighbours(self, path: Path) -> tuple[Path, ...] | None:
        """The Python files of a file's project, itself included; None where they are too many or too long to be read.

        The project is what lies below the folder with a marker such as .git, or else the file's package, or its folder.
        """
        own = _absolute(path)
        above = [folder for folder in self._bases(own.parent) if folder in self._roots or _is_root(folder)]
        visible = [folder for folder in above if not any(map(_is_skipped, own.relative_to(folder).parts))]
        if visible:
            return _python_files(visible[-1])
        outside = self._package_root(own.parent)
        if outside == own.parent:
            return tuple(sorted(outside.glob("*.py"))[:MAX_NEIGHBOURS])
        return _python_files(outside / own.relative_to(outside).parts[0])

    def module_name(self, path: Path) -> str:
        """The dotted name of a file, from the outermost folder that has an __init__.py."""
        where = _absolute(path)
        inner = where.with_suffix("").relative_to(self._package_root(where.parent)).parts
        return ".".join(inner[:-1] if len(inner) > 1 and inner[-1] == "__init__" else inner)

    def resolve(self, path: Path, name: str) -> Definition | None:
        """Where a name used in a file is defined, through imports, re-exports and aliases; None if outside."""
        found = self.locate(path, name)
        return found if isinstance(found, Definition) else None

    def locate(self, path: Path, name: str) -> Definition | str:
        """The definition of a name in the project, or its full dotted name outside (`nn.Module`: torch.nn.Module)."""
        question = (path, name)
        if question not in self._located:
            found = self._locate(path, name, MAX_HOPS, set())
            # not before: what is looked through may drop trees, and all of this with them
            self._located[question] = found
        return self._located[question] or name

    def _locate(self, path: Path, name: str, hops: int, asked: set[tuple[Path, str]]) -> Definition | str | None:
        """`asked` holds what this search has looked at: packages that import each other's stars would be asked without end."""
        if hops <= 0 or (path, name) in asked:
            return None
        asked.add((path, name))
        bindings = self.bindings(path)
        head, _, rest = name.partition(".")
        if head in bindings.definitions:
            found = bindings.member(name)
            return Definition(path, *found) if found else None
        if head in bindings.imports:
            return self._imported(path, bindings.imports[head], rest, hops - 1, asked)
        if head in bindings.aliases:
            return self._locate(path, _join(bindings.aliases[head], rest), hops - 1, asked)
        for star in bindings.stars:
            file = self.module_file(star.module, path, star.level)
            if file is not None and (there := self._locate(file, name, hops - 1, asked)):
                return there
        nested = bindings.member(name)
        return Definition(path, *nested) if nested else None

    def _imported(
        self, path: Path, origin: Import, rest: str, hops: int, asked: set[tuple[Path, str]]
    ) -> Definition | str | None:
        wanted = _join(origin.name, rest)
        file = self.module_file(origin.module, path, origin.level)
        if file is not None and wanted and self._key(file) != self._key(path):
            found = self._locate(file, wanted, hops, asked)
            if found is not None:
                return found
        # What the package does not bind may be a module in it; a folder without __init__.py has no file at all.
        parts = wanted.split(".") if wanted else []
        for length in range(len(parts) - 1, 0, -1):
            inner = self.module_file(_join(origin.module, ".".join(parts[:length])), path, origin.level)
            if inner is not None:
                found = self._locate(inner, ".".join(parts[length:]), hops, asked)
                if found is not None:
                    return found
        return None if origin.level or file is not None else _join(origin.module, wanted)

    def ancestry(self, path: Path, cls: ast.ClassDef) -> tuple[str, ...]:
        """The dotted names of all ancestors: the project's classes expanded, external ones as imported."""
        return tuple(each if isinstance(each, str) else self.dotted(each) for each in self.lineage(path, cls))

    def dotted(self, definition: Definition) -> str:
        """The full name of a definition: package, module, class."""
        return _join(self.module_name(definition.path), definition.qualname)

    def lineage(self, path: Path, cls: ast.ClassDef) -> tuple[Definition | str, ...]:
        """All ancestors, nearest first: a definition for the project's classes, a dotted name for the others."""
        found: list[Definition | str] = []
        seen = {(self._key(path), cls.lineno)}
        pending = deque((path, cls, base) for base in _bases(cls))
        while pending and len(found) < MAX_ANCESTORS:
            where, child, base = pending.popleft()
            ancestor = self._base(where, child, base)
            if isinstance(ancestor, str):
                found.append(ancestor)
            elif isinstance(ancestor.node, ast.ClassDef):
                key = (self._key(ancestor.path), ancestor.node.lineno)
                if key not in seen:
                    seen.add(key)
                    found.append(ancestor)
                    pending.extend((ancestor.path, ancestor.node, each) for each in _bases(ancestor.node))
        return tuple(found)

    def _base(self, path: Path, cls: ast.ClassDef, base: str) -> Definition | str:
        origin = self.bindings(path).imports.get(base)
        if base == cls.name and origin is not None:
            # `from there import Loss` and then `class Loss(Loss)`: the base is the imported one.
            return self._imported(path, origin, "", MAX_HOPS, set()) or base
        return self.locate(path, base)


def _bases(cls: ast.ClassDef) -> list[str]:
    """The bases as written; `Base[T]` is Base, and a call such as with_metaclass(Meta, Base) names its arguments."""
    written: list[str] = []
    for base in cls.bases:
        bare = base.value if isinstance(base, ast.Subscript) else base
        choices = bare.args if isinstance(bare, ast.Call) else [bare]
        written += [name for choice in choices if (name := dotted_name(choice))]
    return written


def _length(tree: ast.Module | None) -> int:
    """The number of lines of a file, about."""
    return 1 if tree is None or not tree.body else tree.body[-1].end_lineno or 1


def _join(head: str, rest: str) -> str:
    return f"{head}.{rest}" if head and rest else head or rest


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _like(importer: Path, found: Path | None) -> Path | None:
    """A found file, spelled relative to the working directory where the importer was."""
    if found is None or importer.is_absolute():
        return found
    relative = os.path.relpath(found)
    return found if relative.startswith(os.pardir) else Path(relative)


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED


def _python_files(folder: Path) -> tuple[Path, ...] | None:
    found: list[Path] = []
    size = 0
    for where, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if not _is_skipped(name))
        here = [Path(where, name) for name in sorted(names) if name.endswith(".py")]
        found += here
        size += sum(path.stat().st_size for path in here if path.exists())
        if len(found) > MAX_NEIGHBOURS or size > MAX_TEXT:
            return None
    return tuple(found)


def _is_root(folder: Path) -> bool:
    return any((folder / marker).exists() for marker in ROOT_MARKERS)


def _parse(path: Path) -> ast.Module | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        data = path.read_bytes()
        return quietly_parsed(data)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
