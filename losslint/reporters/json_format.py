"""The outside contract of docs/contract.md: a JSON list with every field of every finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from losslint.diagnostic import Diagnostic, Evidence, Fix, Location
from losslint.reporters.json_text import json_text

if TYPE_CHECKING:
    from losslint.runner import Report


def render(report: Report, color: bool = False) -> str:
    """The findings as JSON, indented by two; it has no colour and no summary."""
    return json_text([item(diagnostic) for diagnostic in report.diagnostics])


def item(diagnostic: Diagnostic) -> dict[str, Any]:
    """One finding with the names and kinds of the contract."""
    return {
        "filename": diagnostic.filename,
        "code": diagnostic.code,
        "name": diagnostic.name,
        "message": diagnostic.message,
        "severity": diagnostic.severity.value,
        "location": _location(diagnostic.place.location),
        "end_location": _location(diagnostic.place.end_location),
        "symbol": diagnostic.symbol,
        "cell": diagnostic.cell,
        "origin": diagnostic.origin.value,
        "verdict": diagnostic.verdict.value if diagnostic.verdict else None,
        "confidence": diagnostic.confidence,
        "evidence": [_evidence(step) for step in diagnostic.evidence],
        "reproducer": diagnostic.reproducer,
        "fix": _fix(diagnostic.fix) if diagnostic.fix else None,
        "url": diagnostic.url,
        "fingerprint": diagnostic.fingerprint,
    }


def _location(location: Location) -> dict[str, int]:
    return {"row": location.row, "column": location.column}


def _evidence(step: Evidence) -> dict[str, Any]:
    location = _location(step.place.location)
    return {"message": step.message, "filename": step.place.filename, "location": location}


def _fix(fix: Fix) -> dict[str, Any]:
    edits = [
        {
            "filename": edit.place.filename,
            "location": _location(edit.place.location),
            "end_location": _location(edit.place.end_location),
            "content": edit.content,
        }
        for edit in fix.edits
    ]
    return {"applicability": fix.applicability.value, "message": fix.message, "edits": edits}
