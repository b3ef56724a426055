"""GitHub's workflow commands: every finding becomes an annotation in the diff of a pull request."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from losslint.diagnostic import Diagnostic, Severity

if TYPE_CHECKING:
    from losslint.runner import Report

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report, color: bool = False) -> str:
    """One workflow command a finding; it has no colour and no summary."""
    return "".join(f"{_command(diagnostic)}\n" for diagnostic in report.diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    start, end = diagnostic.place.location, diagnostic.place.end_location
    properties = {
        "file": PurePath(diagnostic.filename).as_posix(),
        "line": start.row,
        "endLine": end.row,
        "title": f"{diagnostic.code} {diagnostic.name}",
    }
    if start.row == end.row:  # GitHub refuses columns of an annotation over several lines
        properties |= {"col": start.column, "endColumn": end.column}
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{_COMMANDS[diagnostic.severity]} {listed}::{_data(_message(diagnostic))}"


def _message(diagnostic: Diagnostic) -> str:
    steps = [
        f"{number}. {step.place.filename}:{step.place.location.row}: {step.message}"
        for number, step in enumerate(diagnostic.evidence, 1)
    ]
    return "\n".join((diagnostic.message, *steps))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
