"""What losslint says about code: severities, places, fixes and diagnostics, all frozen.

A `Span` counts bytes of the source's UTF-8 text without its byte order mark, whatever the file's own encoding is;
`Location` counts rows and columns from 1, columns in code points, as the outside contract shows them.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass


class Severity(enum.Enum):
    """How bad a finding is; INFO is shown and never fails a run unless asked to."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return _RANKS[self]

    def __lt__(self, other: Severity) -> bool:
        return self.rank < other.rank


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


class Applicability(enum.Enum):
    """Whether a fix keeps the meaning of the code (SAFE) or changes values or intent (UNSAFE)."""

    SAFE = "safe"
    UNSAFE = "unsafe"


class Origin(enum.Enum):
    """Which half of losslint a diagnostic came from."""

    SOURCE = "source"
    PROBE = "probe"
    BOTH = "both"


class Verdict(enum.Enum):
    """What a run said of a static finding."""

    CONFIRMED = "confirmed"
    NOT_REPRODUCED = "not-reproduced"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The half-open byte range [start, end) of a source's UTF-8 text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file: 1-based row, 1-based column in code points."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one file, as a byte span and as the locations of its start and end."""

    filename: str
    span: Span
    location: Location
    end_location: Location


@dataclass(frozen=True, slots=True)
class Evidence:
    """One step of a witness path: what is known at a place."""

    message: str
    place: Place


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text at `place` by `content`; an empty span inserts."""

    place: Place
    content: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A list of text edits that removes a finding, applied all together or not at all."""

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding as every reporter shows it; the fields are those of the outside contract in docs.

    `symbol` is `Class.method` or the function's name, `cell` the 1-based notebook cell, `confidence` a number in
    [0, 1] when a run gave one, `reproducer` a script that shows the hazard alone, `url` the page of the rule.
    No part of the contract: `doubted`, the severity beneath the info that a doubted rule's finding is shown as, and `cause`, the
    place of the fault where it lies in another file, which a call at `place` leads to.
    """

    code: str
    name: str
    message: str
    severity: Severity
    place: Place
    symbol: str = ""
    evidence: tuple[Evidence, ...] = ()
    fix: Fix | None = None
    cell: int | None = None
    origin: Origin = Origin.SOURCE
    verdict: Verdict | None = None
    confidence: float | None = None
    reproducer: str | None = None
    url: str | None = None
    fingerprint: str = ""
    doubted: Severity | None = None
    cause: Place | None = None

    @property
    def filename(self) -> str:
        """The file the finding is in, as it was given on the command line."""
        return self.place.filename

    @property
    def sort_key(self) -> tuple[str, Span, str]:
        """Order of presentation: by file, then place, then code."""
        return (self.place.filename, self.place.span, self.code)


def fingerprint(code: str, filename: str, symbol: str, excerpt: str, occurrence: int) -> str:
    """A name for a finding that survives edits elsewhere in the file.

    `filename` is relative to the project with forward slashes, `excerpt` the flagged source text (its white space
    does not count), `occurrence` the number of equal findings before it in the same symbol.
    """
    text = "\0".join((code, filename, symbol, "".join(excerpt.split()), str(occurrence)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
