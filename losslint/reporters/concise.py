"""One line a finding: `path:row:column: CODE severity message`, then the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from losslint.diagnostic import Diagnostic
from losslint.reporters import summary

if TYPE_CHECKING:
    from losslint.runner import Report


def render(report: Report, color: bool = False) -> str:
    """The report for grep and for editors that read lines; it has no colour."""
    return "".join(f"{line}\n" for line in (*map(_line, report.diagnostics), summary(report)))


def _line(diagnostic: Diagnostic) -> str:
    at = diagnostic.place.location
    message = " ".join(diagnostic.message.split())
    severity = diagnostic.severity.value
    return f"{diagnostic.filename}:{at.row}:{at.column}: {diagnostic.code} {severity} {message}"
