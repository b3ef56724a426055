"""Fixes as text edits: which can be applied together, what the text becomes, and how it reaches the disk."""

from __future__ import annotations

import difflib
import io
import os
import re
import shutil
import tempfile
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from losslint.comments import comments
from losslint.diagnostic import Applicability, Diagnostic, Edit, Fix
from losslint.semantics.quiet_parse import quietly_parsed
from losslint.source import Source

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A source's text after one pass of fixes, and the diagnostics whose fixes are in it."""

    text: str
    applied: tuple[Diagnostic, ...]


class NotWritten(Exception):
    """A fixed file that was left as it was: which, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path} was not written: {self.reason}"


def effective_applicability(source: Source, fix: Fix) -> Applicability:
    """UNSAFE for a fix that says so, or whose edits would delete a comment; SAFE otherwise."""
    if any(_deletes_comment(source, edit) for edit in fix.edits):
        return Applicability.UNSAFE
    return fix.applicability


def demote_commented(source: Source, diagnostic: Diagnostic) -> Diagnostic:
    """The diagnostic with its fix marked unsafe where that fix would delete a comment."""
    fix = diagnostic.fix
    if fix is None or effective_applicability(source, fix) is fix.applicability:
        return diagnostic
    return replace(diagnostic, fix=replace(fix, applicability=Applicability.UNSAFE))


def _deletes_comment(source: Source, edit: Edit) -> bool:
    span = edit.place.span
    if edit.place.filename != source.filename or b"#" not in source.utf8[span.start : span.end]:
        return False
    inside = (each for each in comments(source) if span.start <= each.span.start < span.end)
    return any(each.text not in edit.content for each in inside)


def apply_fixes(source: Source, diagnostics: Iterable[Diagnostic], unsafe: bool = False) -> Fixed:
    """Apply the safe fixes, and the unsafe ones too if asked, that do not get in each other's way.

    Of fixes that touch the first by position is applied, the others wait for the next pass. A fix is applied with
    all its edits or not at all; one that would leave text that Python cannot parse is dropped.
    """
    chosen = _compatible(sorted(_fixable(source, diagnostics, unsafe), key=_first_edit))
    text = _edited(source, chosen)
    if chosen and not _parses(text):
        chosen = _harmless(source, chosen)
        text = _edited(source, chosen)
    return Fixed(text, tuple(chosen))


def _fixable(source: Source, diagnostics: Iterable[Diagnostic], unsafe: bool) -> Iterable[Diagnostic]:
    for diagnostic in diagnostics:
        fix = diagnostic.fix
        if fix is None or (fix.applicability is Applicability.UNSAFE and not unsafe):
            continue
        here = all(edit.place.filename == source.filename for edit in fix.edits)
        if here and any(_changes(source, edit) for edit in fix.edits):
            yield diagnostic


def _changes(source: Source, edit: Edit) -> bool:
    span = edit.place.span
    return _content(source, edit) != source.utf8[span.start : span.end]


def _first_edit(diagnostic: Diagnostic) -> tuple[int, int, str]:
    first = min(edit.place.span for edit in _edits(diagnostic))
    return first.start, first.end, diagnostic.code


def _edits(diagnostic: Diagnostic) -> tuple[Edit, ...]:
    return diagnostic.fix.edits if diagnostic.fix else ()


def _compatible(candidates: Iterable[Diagnostic]) -> list[Diagnostic]:
    chosen: list[Diagnostic] = []
    taken: set[Edit] = set()
    for candidate in candidates:
        edits = set(_edits(candidate))
        apart = not any(_touch(edit, other) for edit in edits for other in taken - edits)
        if apart and not any(_overlap(one, other) for one, other in combinations(edits, 2)):
            chosen.append(candidate)
            taken |= edits
    return chosen


def _touch(one: Edit, other: Edit) -> bool:
    """Whether edits of two fixes meet: what one writes next to the other may bind differently than either meant."""
    first, second = sorted((one.place.span, other.place.span))
    return second.start <= first.end


def _overlap(one: Edit, other: Edit) -> bool:
    first, second = sorted((one.place.span, other.place.span))
    return second.start < first.end or first == second


def _harmless(source: Source, candidates: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The candidates, one after the other, without those that break the syntax."""
    kept: list[Diagnostic] = []
    for candidate in candidates:
        if _parses(_edited(source, [*kept, candidate])):
            kept.append(candidate)
    return kept


def edited(source: Source, fix: Fix) -> str:
    """The source's text with the edits of one fix that are in this file; their spans must not overlap."""
    return _spliced(source, {edit for edit in fix.edits if edit.place.filename == source.filename})


def _edited(source: Source, chosen: Iterable[Diagnostic]) -> str:
    return _spliced(source, {edit for diagnostic in chosen for edit in _edits(diagnostic)})


def _spliced(source: Source, edits: Iterable[Edit]) -> str:
    parts: list[bytes] = []
    done = 0
    for edit in sorted(edits, key=lambda each: each.place.span):
        span = edit.place.span
        parts += source.utf8[done : span.start], _content(source, edit)
        done = span.end
    return b"".join((*parts, source.utf8[done:])).decode()


def _content(source: Source, edit: Edit) -> bytes:
    """An edit's text in the file's own line ends: those of its first line."""
    first = source.utf8.find(b"\n")
    is_crlf = first > 0 and source.utf8[first - 1 : first] == b"\r"
    content = edit.content.encode()
    return re.sub(rb"\r?\n", b"\r\n", content) if is_crlf else content


def _parses(text: str) -> bool:
    try:
        quietly_parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def unified_diff(source: Source, text: str) -> str:
    """What changes from the source's text to the new one, as `patch -p0` reads it; empty where nothing does."""
    before, after = _lines(source.text), _lines(text)
    diff = difflib.unified_diff(before, after, source.filename, source.filename)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def write_fixed(path: Path, source: Source, text: str) -> None:
    """Put the new text in place of the file in one step, in its own encoding, byte order mark and mode.

    Raises NotWritten, and leaves the file alone, where it changed since it was read, cannot be written, or the text
    cannot be said in its encoding.
    """
    path = path.resolve()
    try:
        content = _encoded(source, text)
        if not _reads_as(content, text):
            raise NotWritten(source.filename, "its encoding declaration would be moved out of place")
        if path.read_bytes() != _encoded(source, source.text):
            raise NotWritten(source.filename, "it changed since it was read")
        if not os.access(path, os.W_OK):
            raise NotWritten(source.filename, "it is read-only")
        _replace(path, content)
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        reason = f"its encoding, {source.encoding}, has no {character!r}"
        raise NotWritten(source.filename, reason) from error
    except OSError as error:
        raise NotWritten(source.filename, error.strerror or str(error)) from error


def _encoded(source: Source, text: str) -> bytes:
    return (_BOM if source.bom else b"") + text.encode(source.encoding)


def _reads_as(content: bytes, text: str) -> bool:
    """Whether Python would find this text in these bytes: an encoding counts only in the first two lines."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding) == text
    except (SyntaxError, UnicodeDecodeError):
        return False


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        shutil.copymode(path, name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
