"""SARIF 2.1.0: findings with their witness paths as code flows, fixes, and the rules' pages as help."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from losslint import __version__
from losslint.diagnostic import Diagnostic, Fix, Place, Severity
from losslint.packs import RuleInfo
from losslint.registry import index
from losslint.reporters.json_text import json_text

if TYPE_CHECKING:
    from losslint.runner import Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render(report: Report, color: bool = False) -> str:
    """The report as one SARIF run, indented by two; it has no colour and no summary."""
    return json_text(log(report))


def log(report: Report) -> dict[str, Any]:
    """The report as a SARIF log in plain dictionaries and lists."""
    known = index()
    codes = sorted({diagnostic.code for diagnostic in report.diagnostics if diagnostic.code in known})
    driver = {
        "name": "losslint",
        "version": __version__,
        "rules": [_rule(known[code]) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True}],
        "results": [_result(diagnostic, codes) for diagnostic in report.diagnostics],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(info: RuleInfo) -> dict[str, Any]:
    page = info.page or info.title
    return {
        "id": info.code,
        "name": info.name,
        "shortDescription": {"text": info.title},
        "fullDescription": {"text": page.split("\n\n")[0]},
        "help": {"text": page, "markdown": f"# {info.title}\n\n{page}"},
        "defaultConfiguration": {"level": _LEVELS[info.shown_severity], "enabled": not info.preview},
        "properties": {"tags": ["pytorch", "loss"], "preview": info.preview, "fixable": info.fixable},
    }


def _result(diagnostic: Diagnostic, codes: Sequence[str]) -> dict[str, Any]:
    location: dict[str, Any] = {"physicalLocation": _physical(diagnostic.place)}
    if diagnostic.symbol:
        location["logicalLocations"] = [{"fullyQualifiedName": diagnostic.symbol, "kind": "function"}]
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "level": _LEVELS[diagnostic.severity],
        "kind": "fail",
        "message": {"text": diagnostic.message},
        "locations": [location],
        "properties": _properties(diagnostic),
    }
    if diagnostic.code in codes:
        result["ruleIndex"] = codes.index(diagnostic.code)
    if diagnostic.fingerprint:
        result["partialFingerprints"] = {"losslint/v1": diagnostic.fingerprint}
    if diagnostic.evidence:
        result["codeFlows"] = [_code_flow(diagnostic)]
        result["relatedLocations"] = [
            {"id": number, **_location(step.place, step.message)} for number, step in enumerate(diagnostic.evidence, 1)
        ]
    if diagnostic.fix:
        result["fixes"] = [_fix(diagnostic.fix)]
    return result


def _properties(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "origin": diagnostic.origin.value,
        "verdict": diagnostic.verdict.value if diagnostic.verdict else None,
        "confidence": diagnostic.confidence,
        "reproducer": diagnostic.reproducer,
        "cell": diagnostic.cell,
    }


def _code_flow(diagnostic: Diagnostic) -> dict[str, Any]:
    """The witness path, ending at the finding itself."""
    steps = [(step.place, step.message) for step in diagnostic.evidence]
    if steps[-1][0].span != diagnostic.place.span or steps[-1][0].filename != diagnostic.filename:
        steps.append((diagnostic.place, diagnostic.message))
    locations = [
        {"location": _location(place, message), "executionOrder": number, "importance": "essential"}
        for number, (place, message) in enumerate(steps, 1)
    ]
    return {"threadFlows": [{"locations": locations}]}


def _location(place: Place, message: str) -> dict[str, Any]:
    return {"physicalLocation": _physical(place), "message": {"text": message}}


def _physical(place: Place) -> dict[str, Any]:
    return {"artifactLocation": _artifact(place.filename), "region": _region(place)}


def _artifact(filename: str) -> dict[str, Any]:
    path = PurePath(filename)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(os.fsencode(path.as_posix())), "uriBaseId": "%SRCROOT%"}


def _region(place: Place) -> dict[str, int]:
    return {
        "startLine": place.location.row,
        "startColumn": place.location.column,
        "endLine": place.end_location.row,
        "endColumn": place.end_location.column,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    filenames = dict.fromkeys(edit.place.filename for edit in fix.edits)
    return {
        "description": {"text": fix.message},
        "artifactChanges": [
            {"artifactLocation": _artifact(filename), "replacements": _replacements(fix, filename)}
            for filename in filenames
        ],
        "properties": {"applicability": fix.applicability.value},
    }


def _replacements(fix: Fix, filename: str) -> Iterable[dict[str, Any]]:
    return [
        {"deletedRegion": _region(edit.place), "insertedContent": {"text": edit.content}}
        for edit in sorted(fix.edits, key=lambda edit: edit.place.span)
        if edit.place.filename == filename
    ]
