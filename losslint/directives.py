"""Suppression comments as they are written: `losslint: ignore[...]`, `losslint: file-ignore[...]` and `noqa`."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from losslint.comments import Comment

# A reason or remark runs to the end of the comment, or to a further comment such as `# type: ignore` behind it.
_REST = r"(?P<rest>(?:(?!\s+\#\s*(?:[A-Za-z][\w-]*\s*:|noqa\b)).)*)"
_IGNORE = re.compile(
    r"(?<!\S)\#\s*losslint\s*:\s*(?P<verb>[A-Za-z][\w-]*)\s*(?:\[(?P<codes>[^\]#]*)\])?" + _REST, re.DOTALL
)
_NOQA = re.compile(
    r"(?<!\S)\#\s*noqa(?:(?P<colon>\s*:)(?:\s*(?P<codes>[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*))?)?(?![\w:])" + _REST,
    re.DOTALL | re.IGNORECASE,
)
_WORD = re.compile(r"[^\s,]+")


class Kind(enum.Enum):
    """How far a suppression reaches: the statement, the whole file, or flake8's and ruff's `noqa` for the line."""

    IGNORE = "ignore"
    FILE_IGNORE = "file-ignore"
    NOQA = "noqa"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Characters [start, end) of a comment."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One code or name of a suppression, as written."""

    text: str
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Directive:
    """One suppression in a comment.

    `verb` is the word as written, `kind` what it means (None: not known), `entries` the codes (None: no list was
    given), `stretch` all of it with its reason, `remark` text behind it that is no reason.
    """

    comment: Comment
    verb: str
    kind: Kind | None
    entries: tuple[Entry, ...] | None
    stretch: Stretch
    remark: str

    @property
    def silences_all(self) -> bool:
        """True for a bare `noqa`."""
        return self.kind is Kind.NOQA and self.entries is None


def directives(comment: Comment) -> Iterator[Directive]:
    """The suppressions in one comment, in order."""
    for match in _IGNORE.finditer(comment.text):
        verb = match["verb"]
        kind = next((kind for kind in (Kind.IGNORE, Kind.FILE_IGNORE) if kind.value == verb), None)
        if kind is not None or match["codes"] is not None:
            yield _directive(comment, match, verb, kind)
    for match in _NOQA.finditer(comment.text):
        if match["colon"] is None or match["codes"] is not None:
            yield _directive(comment, match, "noqa", Kind.NOQA)


def _directive(comment: Comment, match: re.Match[str], verb: str, kind: Kind | None) -> Directive:
    remark = match["rest"].strip()
    end = match.start("rest") + len(match["rest"].rstrip())
    if remark.startswith("--"):
        remark = ""
    return Directive(comment, verb, kind, _entries(match), Stretch(match.start(), end), remark)


def _entries(match: re.Match[str]) -> tuple[Entry, ...] | None:
    if match["codes"] is None:
        return None
    offset = match.start("codes")
    words = _WORD.finditer(match["codes"])
    return tuple(Entry(word[0], Stretch(offset + word.start(), offset + word.end())) for word in words)


def without(directive: Directive, dropped: frozenset[Entry]) -> tuple[Stretch, str]:
    """What to replace in the comment's text, and by what, so that these entries go and everything else stays."""
    entries = directive.entries or ()
    kept = [entry.text for entry in entries if entry not in dropped]
    if kept:
        text = directive.comment.text
        between = text[entries[0].stretch.end : entries[1].stretch.start]
        return Stretch(entries[0].stretch.start, entries[-1].stretch.end), between.join(kept)
    if directive.remark:
        return directive.stretch, f"# {directive.remark}"
    return directive.stretch, ""
