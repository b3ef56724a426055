"""Paths to files: folders are walked for Python files; what git ignores and what the settings exclude is left out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pathspec

DEFAULT_EXCLUDES = (
    ".bzr .direnv .eggs .git .git-rewrite .hg .ipynb_checkpoints .mypy_cache .nox .pants.d .pyenv .pytest_cache "
    ".pytype .ruff_cache .svn .tox .venv .vscode __pycache__ __pypackages__ _build buck-out build dist node_modules "
    "site-packages venv"
).split()


class NoSuchPath(Exception):
    """A path on the command line that does not exist."""


def find_files(
    paths: Sequence[Path], exclude: Iterable[str] = (), root: Path | None = None, force_exclude: bool = False
) -> tuple[Path, ...]:
    """The Python files behind the paths, each once, in order.

    A file that is named is taken whatever it is called and even if it is excluded, unless `force_exclude`. `exclude`
    holds gitignore patterns relative to `root` (default: the current folder). Raises NoSuchPath.
    """
    base = (root or Path()).resolve()
    excluded = pathspec.GitIgnoreSpec.from_lines(exclude)
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise NoSuchPath(str(path))
        for file in _walk(path, excluded, base) if path.is_dir() else [path]:
            if path is file and force_exclude and _is_excluded(file, excluded, base):
                continue
            found.setdefault(Path(os.path.abspath(file)), file)
    return tuple(found.values())


def displayed(filename: str) -> str:
    """A file relative to the working directory, where it lies below it."""
    real = os.path.realpath(filename)
    try:
        relative = os.path.relpath(real)
    except ValueError:
        return real  # another drive
    return real if relative.startswith(os.pardir) else relative


def _is_excluded(path: Path, excluded: pathspec.GitIgnoreSpec, base: Path, is_folder: bool = False) -> bool:
    try:
        relative = Path(os.path.abspath(path)).relative_to(base)
    except ValueError:
        relative = Path(path.name)
    names = relative.parts if is_folder else relative.parts[:-1]
    if any(name in DEFAULT_EXCLUDES for name in names):
        return True
    return excluded.match_file(relative.as_posix() + ("/" if is_folder else ""))


def _walk(folder: Path, excluded: pathspec.GitIgnoreSpec, base: Path) -> Iterator[Path]:
    """The Python files below a folder. Links to folders are not followed: what they lead to is found where it is."""
    ignores = list(_ignores_above(folder))
    if _is_ignored(folder, True, ignores):
        ignores = []  # whoever names an ignored folder wants it checked
    if _is_excluded(folder, excluded, base, is_folder=True):
        base = Path(os.path.abspath(folder))
    pending: list[tuple[Path, list[tuple[Path, pathspec.GitIgnoreSpec]]]] = [(folder, ignores)]
    while pending:
        current, known = pending.pop()
        here = _ignore_of(current)
        rules = [*known, here] if here is not None else known
        try:
            entries = sorted(os.scandir(current), key=lambda entry: entry.name)
        except OSError:
            continue
        folders: list[Path] = []
        for entry in entries:
            path = current / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not entry.name.endswith(".py"):
                continue
            if (is_folder and entry.name in DEFAULT_EXCLUDES) or _is_ignored(path, is_folder, rules):
                continue
            if excluded.patterns and _is_excluded(path, excluded, base, is_folder):
                continue
            if is_folder:
                folders.append(path)
            else:
                yield path
        pending.extend((each, rules) for each in reversed(folders))


def _ignore_of(folder: Path) -> tuple[Path, pathspec.GitIgnoreSpec] | None:
    try:
        lines = (folder / ".gitignore").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    return Path(os.path.abspath(folder)), pathspec.GitIgnoreSpec.from_lines(lines)


def _ignores_above(folder: Path) -> Iterator[tuple[Path, pathspec.GitIgnoreSpec]]:
    """The .gitignore files of the repository above a folder."""
    above = Path(os.path.abspath(folder))
    chain: list[Path] = []
    while not (above / ".git").exists():
        if above.parent == above:
            return
        above = above.parent
        chain.append(above)
    for each in reversed(chain):
        found = _ignore_of(each)
        if found is not None:
            yield found


def _is_ignored(path: Path, is_folder: bool, rules: Sequence[tuple[Path, pathspec.GitIgnoreSpec]]) -> bool:
    """Git's answer: the last pattern that matches decides, deeper files after shallower ones."""
    ignored = False
    absolute = Path(os.path.abspath(path))
    for folder, spec in rules:
        verdict = spec.check_file(absolute.relative_to(folder).as_posix() + ("/" if is_folder else "")).include
        if verdict is not None:
            ignored = verdict
    return ignored
