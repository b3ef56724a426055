"""Many files to one report. Nothing is imported for a file that holds no loss."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pathspec

from losslint import registry
from losslint.diagnostic import Applicability, Diagnostic, Severity
from losslint.garbage import Collection, collection_paused
from losslint.once_told import Cause, cause, once_told
from losslint.semantics.losses import Loss, find_losses, might_hold_loss
from losslint.semantics.project import Project
from losslint.settings import Settings
from losslint.source import (
    Source,
    internal_error,
    parse_ast,
    read_bytes,
    source_from_bytes,
    too_complex,
)
from losslint.suppression import suppress

if TYPE_CHECKING:
    from losslint.library import Library


@dataclass(frozen=True, slots=True)
class Request:
    """What to check: display paths, the settings, the selected codes, and the folder patterns are relative to."""

    files: tuple[Path, ...]
    settings: Settings
    selected: tuple[str, ...]
    root: Path
    stdin: tuple[str, bytes] | None = None
    trusted: frozenset[str] = frozenset()


class Workspace:
    """What is kept between the files of a run: the project's modules, and those parsed by libcst."""

    def __init__(self, root: Path) -> None:
        self.project = Project((root,))

    @cached_property
    def library(self) -> Library:
        """The parsed files; making it brings in libcst, which only a file with a loss is worth."""
        from losslint.library import Library

        return Library(self.project)


@dataclass(frozen=True, slots=True)
class Checked:
    """One file's outcome: its diagnostics, its source where there is something to show, how many losses it has, and what
    comments silence in it."""

    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    losses: int = 0
    silenced: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found: `files` and `losses` seen, what `--fix` and `--unsafe-fixes` could mend, what was mended.

    `sources` holds the files that diagnostics and their evidence are in, by name.
    """

    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)
    files: int = 0
    losses: int = 0
    fixable: int = 0
    fixable_unsafe: int = 0
    fixed: int = 0


def check(request: Request) -> Report:
    """Check every file of a request, one after the other."""
    return report(check_each(request))


def check_each(request: Request) -> Iterator[Checked]:
    """The outcome of each file, as it is checked."""
    collection = Collection()
    with collection_paused():
        for checked in _check_each(request):
            collection.after(checked.losses)
            yield checked


def _check_each(request: Request) -> Iterator[Checked]:
    workspace = Workspace(request.root)
    if request.stdin is not None:
        filename, data = request.stdin
        yield check_bytes(data, filename, request, workspace)
    for path in request.files:
        data_or_diagnostic = read_bytes(path, str(path))
        if isinstance(data_or_diagnostic, Diagnostic):
            yield _own(data_or_diagnostic, Source(str(path), ""), request)
        else:
            yield check_bytes(data_or_diagnostic, str(path), request, workspace)


def report(outcomes: Iterable[Checked], fixed: int = 0) -> Report:
    """The outcomes of files brought together."""
    found: list[Diagnostic] = []
    silenced: list[Cause] = []
    sources: dict[str, Source] = {}
    files = losses = 0
    for outcome in outcomes:
        files += 1
        losses += outcome.losses
        found.extend(outcome.diagnostics)
        silenced.extend(outcome.silenced)
        sources.update(outcome.sources)
    diagnostics = once_told(found, silenced)
    fixes = [each.fix.applicability for each in diagnostics if each.fix is not None]
    return Report(
        diagnostics,
        sources,
        files,
        losses,
        fixes.count(Applicability.SAFE),
        fixes.count(Applicability.UNSAFE),
        fixed,
    )


def check_bytes(data: bytes, filename: str, request: Request, workspace: Workspace) -> Checked:
    """Check the bytes of one file; an exception becomes an LL906, so that the other files are still checked."""
    if not might_hold_loss(data, request.settings.loss_names):
        return Checked()
    source = source_from_bytes(data, filename)
    if isinstance(source, Diagnostic):
        return _own(source, Source(filename, ""), request)
    try:
        return _check_source(source, request, workspace)
    except Exception as error:
        if os.environ.get("LOSSLINT_DEBUG"):
            raise
        return _own(internal_error(source, error), source, request)


def _check_source(source: Source, request: Request, workspace: Workspace) -> Checked:
    tree = parse_ast(source)
    if isinstance(tree, Diagnostic):
        return _own(tree, source, request)
    losses = find_losses(tree, Path(source.filename), workspace.project, request.settings.loss_names)
    if not losses:
        return Checked()
    complaint = too_complex(source, tree)
    if complaint is not None:
        return _own(complaint, source, request)
    return _lint(source, losses, request, workspace)


def _lint(source: Source, losses: tuple[Loss, ...], request: Request, workspace: Workspace) -> Checked:
    from losslint.linter import lint_source

    selected = selected_for(source.filename, request)
    linted = lint_source(source, losses, registry.load(selected), workspace.library)
    # What only a run can find was not looked for, so a comment that silences it is not unused.
    looked_for = tuple(code for code in selected if registry.index()[code].in_source)
    kept = suppress(source, linted.diagnostics, looked_for, registry.index())
    kept = tuple(each for each in kept if each.code in selected)
    silenced = tuple(cause(each) for each in linted.diagnostics if each.cause is None and each not in kept)
    kept = tuple(_as_earned(each, request.trusted) for each in kept)
    return Checked(kept, linted.sources if kept else {}, len(losses), silenced)


def _as_earned(diagnostic: Diagnostic, trusted: frozenset[str]) -> Diagnostic:
    """A warning or error of a rule that is doubted, and that the settings do not trust, as an info."""
    info = registry.index()[diagnostic.code]
    if not info.doubted or diagnostic.code in trusted or diagnostic.severity is Severity.INFO:
        return diagnostic
    return replace(diagnostic, severity=Severity.INFO, doubted=diagnostic.severity)


def _own(diagnostic: Diagnostic, source: Source, request: Request) -> Checked:
    """A file that could not be analysed: its one diagnostic, if it is selected."""
    if diagnostic.code not in selected_for(source.filename, request):
        return Checked()
    return Checked((diagnostic,), {source.filename: source})


def selected_for(filename: str, request: Request) -> tuple[str, ...]:
    """The selected codes without those that per-file-ignores takes out for this file."""
    ignored: set[str] = set()
    for pattern, codes in request.settings.per_file_ignores.items():
        if _matches(pattern, filename, request.root):
            for selector in codes:
                ignored |= registry.matching(selector)
    return tuple(code for code in request.selected if code not in ignored)


def _matches(pattern: str, filename: str, root: Path) -> bool:
    absolute = Path(os.path.abspath(filename))
    relative = absolute.relative_to(root) if absolute.is_relative_to(root) else Path(filename)
    return pathspec.GitIgnoreSpec.from_lines([pattern]).match_file(relative.as_posix())
