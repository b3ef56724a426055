"""What to run: `src/`, `file.py`, `package.module` and `package.module:Name` become losses with a module to import.

Nothing is imported here; modules are found as files.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from losslint.files import NoSuchPath, find_files
from losslint.semantics.losses import Loss, LossKind, find_losses, might_hold_loss
from losslint.semantics.outline import outline
from losslint.semantics.project import Project
from losslint.settings import Settings
from losslint.source import Source, parse_ast, read_source


class BadTarget(Exception):
    """A target that leads nowhere: what was looked for, and where."""


@dataclass(frozen=True, slots=True)
class Target:
    """A loss to run. `module` is its dotted name below `search_path`, `root` the folder of its package or project."""

    module: str
    symbol: str
    file: Path
    line: int
    end_line: int
    entries: tuple[str, ...]
    search_path: Path
    root: Path

    @property
    def name(self) -> str:
        """`package.module:Name`."""
        return f"{self.module}:{self.symbol}"


@dataclass(frozen=True, slots=True)
class Found:
    """The losses behind targets, and the files that could not be read or parsed, with the reason."""

    targets: tuple[Target, ...]
    unreadable: tuple[tuple[Path, str], ...] = ()


def find_targets(given: Sequence[str], settings: Settings, root: Path, exclude: Sequence[str], python: str) -> Found:
    """All losses that targets name, in order, each once. Raises BadTarget or files.NoSuchPath."""
    targets: dict[tuple[Path, str], Target] = {}
    unreadable: list[tuple[Path, str]] = []
    finder = _Finder(settings, root.resolve())
    for each in given:
        for file, wanted in _files(each, root, exclude, python):
            source = read_source(file, str(file))
            if wanted is None and isinstance(source, Source) and not finder.might_hold_loss(source):
                continue
            tree = parse_ast(source) if isinstance(source, Source) else source
            if not isinstance(tree, ast.Module):
                unreadable.append((file, tree.message))
                continue
            found = list(finder.losses(file, tree, wanted))
            if wanted is not None and not found:
                raise BadTarget(f"{each}: {file} defines no `{wanted}`{_nearest(wanted, tree)}")
            targets |= {(target.file, target.symbol): target for target in found}
    return Found(tuple(targets.values()), tuple(unreadable))


def _files(given: str, root: Path, exclude: Sequence[str], python: str) -> Iterator[tuple[Path, str | None]]:
    """The files of a target, and the symbol where it names one."""
    path, separator, symbol = _split(given)
    if Path(path).exists():
        for file in find_files((Path(path),), exclude, root, False):
            if file.suffix == ".py":
                yield file, symbol if separator else None
        return
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", path):
        raise NoSuchPath(path)
    located = locate(path, root, python)
    if located is None:
        places = "the current folder, the project, its src folder and the packages of " + python
        raise BadTarget(f"{path} is neither a path nor a module: looked in {places}")
    if located.name == "__init__.py" and not separator:
        yield from ((file, None) for file in sorted(located.parent.rglob("*.py")))
    else:
        yield located, symbol if separator else None


def _split(given: str) -> tuple[str, str, str]:
    """Path, separator, symbol; the colon of a Windows drive is no separator."""
    path, separator, symbol = given.rpartition(":")
    if not separator or not re.fullmatch(r"[^\W\d][\w.]*", symbol) or len(path) == 1:
        return given, "", ""
    return path, separator, symbol


def locate(module: str, root: Path, python: str) -> Path | None:
    """The file of a module, without importing it."""
    parts = module.split(".")
    for folder in (Path.cwd(), root, root / "src", *_package_folders(python)):
        for candidate in (folder.joinpath(*parts, "__init__.py"), folder.joinpath(*parts).with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


@functools.lru_cache
def _package_folders(python: str) -> tuple[Path, ...]:
    """Where a Python looks for packages."""
    command = [python, "-c", "import json, sys; print(json.dumps(sys.path))"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        return tuple(Path(folder) for folder in json.loads(done.stdout) if folder)
    except ValueError:
        return ()


class _Finder:
    """Finds losses in files; what it read of a project is kept for the next file."""

    def __init__(self, settings: Settings, root: Path) -> None:
        self._settings = settings
        self._root = root
        self._projects: dict[Path, Project] = {}

    def might_hold_loss(self, source: Source) -> bool:
        """A quick look, so that large packages are not parsed whole."""
        return might_hold_loss(source.text.encode("utf-8", "replace"), self._settings.loss_names)

    def losses(self, file: Path, tree: ast.Module, wanted: str | None) -> Iterator[Target]:
        """The losses of a file, or the one that is wanted."""
        file = file.resolve()
        top, search_path = package_of(file)
        project = self._projects.setdefault(search_path, Project((search_path,)))
        names = file.relative_to(search_path).with_suffix("").parts
        module = ".".join(names[:-1] if names[-1] == "__init__" and len(names) > 1 else names)
        root = self._root if file.is_relative_to(self._root) and "site-packages" not in file.parts else top
        known = {loss.symbol: loss for loss in find_losses(tree, file, project, self._settings.loss_names)}
        chosen = (
            list(known.values()) if wanted is None else [known[wanted]] if wanted in known else _asked(tree, wanted)
        )
        for loss in chosen:
            if loss.kind is not LossKind.SCRIPT:
                yield Target(
                    module, loss.symbol, file, loss.row, _end_line(tree, loss), loss.entries, search_path, root
                )


def package_of(file: Path) -> tuple[Path, Path]:
    """The top folder of the package a file is in (its own folder if in none), and the folder to import it from."""
    folder = file.resolve().parent
    top = folder
    while (folder / "__init__.py").is_file():
        top, folder = folder, folder.parent
    return top, folder if (top / "__init__.py").is_file() else top


def _asked(tree: ast.Module, wanted: str) -> list[Loss]:
    """What a user names is a loss, whatever it looks like."""
    for site in outline(tree).sites:
        if site.qualname == wanted:
            kind = LossKind.MODULE if isinstance(site.node, ast.ClassDef) else LossKind.FUNCTION
            return [Loss(wanted, kind, (), site.node.lineno, ("asked for by name",))]
    return []


def _end_line(tree: ast.Module, loss: Loss) -> int:
    for site in outline(tree).sites:
        if site.qualname == loss.symbol:
            return site.node.end_lineno or loss.row
    return loss.row


def _nearest(wanted: str, tree: ast.Module) -> str:
    import difflib

    names = [site.qualname for site in outline(tree).sites]
    close = difflib.get_close_matches(wanted, names, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
