"""The JSON output is what docs/contract.md promises, field by field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from losslint import reporters
from losslint.diagnostic import (
    Applicability,
    Diagnostic,
    Edit,
    Evidence,
    Fix,
    Location,
    Origin,
    Place,
    Severity,
    Span,
    Verdict,
)
from losslint.runner import Report

PAGE = Path(__file__).parent.parent / "docs" / "contract.md"


def record(**properties: object) -> dict[str, object]:
    """A JSON schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


STRING = {"type": "string"}
COUNT = {"type": "integer", "minimum": 1}
LOCATION = record(row=COUNT, column=COUNT)
EDIT = record(filename=STRING, location=LOCATION, end_location=LOCATION, content=STRING)
FIX = record(applicability={"enum": ["safe", "unsafe"]}, message=STRING, edits={"type": "array", "items": EDIT})
EVIDENCE = record(message=STRING, filename=STRING, location=LOCATION)
FINDING = record(
    filename=STRING,
    code={"type": "string", "pattern": "^[A-Z]{2,}[0-9]{3}$"},
    name={"type": "string", "pattern": "^[a-z][a-z0-9-]*$"},
    message=STRING,
    severity={"enum": ["error", "warning", "info"]},
    location=LOCATION,
    end_location=LOCATION,
    symbol=STRING,
    cell={"anyOf": [COUNT, {"type": "null"}]},
    origin={"enum": ["source", "probe", "both"]},
    verdict={"enum": ["confirmed", "not-reproduced", "not-run", None]},
    confidence={"type": ["number", "null"], "minimum": 0, "maximum": 1},
    evidence={"type": "array", "items": EVIDENCE},
    reproducer={"type": ["string", "null"]},
    fix={"anyOf": [FIX, {"type": "null"}]},
    url={"type": ["string", "null"], "pattern": "^docs/rules/[a-z0-9-]+[.]md$"},
    fingerprint=STRING,
)
CONTRACT = {"type": "array", "items": FINDING}


def validated(text: str) -> list[dict[str, Any]]:
    found = json.loads(text)
    jsonschema.validate(found, CONTRACT)
    assert isinstance(found, list)
    return found


def rendered(*diagnostics: Diagnostic) -> list[dict[str, Any]]:
    return validated(reporters.render("json", Report(diagnostics, {}, 1, 1, 0, 0, 0)))


PLACE = Place("losses.py", Span(10, 20), Location(2, 5), Location(2, 15))
LEAST = Diagnostic("LL201", "unguarded-log", "message", Severity.ERROR, PLACE)


def test_every_field_is_there_even_when_nothing_is_known() -> None:
    assert rendered(LEAST) == [
        {
            "filename": "losses.py",
            "code": "LL201",
            "name": "unguarded-log",
            "message": "message",
            "severity": "error",
            "location": {"row": 2, "column": 5},
            "end_location": {"row": 2, "column": 15},
            "symbol": "",
            "cell": None,
            "origin": "source",
            "verdict": None,
            "confidence": None,
            "evidence": [],
            "reproducer": None,
            "fix": None,
            "url": None,
            "fingerprint": "",
        }
    ]


def test_no_finding_is_an_empty_list() -> None:
    assert rendered() == []


def test_the_page_names_every_field_in_order() -> None:
    table = PAGE.read_text(encoding="utf-8").split("## `--output-format json`")[1].split("\n\n")
    rows = next(part for part in table if part.startswith("| field"))
    assert re.findall(r"^\| `(\w+)`", rows, re.MULTILINE) == list(rendered(LEAST)[0])


@pytest.mark.parametrize("members", [Severity, Origin, Verdict, Applicability])
def test_the_page_names_every_value(members: Any) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{member.value}`" in page for member in members)


locations = st.builds(Location, st.integers(1, 10**6), st.integers(1, 10**6))
places = st.builds(Place, st.text(), st.builds(Span, st.integers(0), st.integers(0)), locations, locations)
fixes = st.builds(
    Fix, st.sampled_from(Applicability), st.text(), st.lists(st.builds(Edit, places, st.text()), max_size=2).map(tuple)
)
diagnostics = st.builds(
    Diagnostic,
    code=st.from_regex(r"\ALL[0-9]{3}\Z"),
    name=st.just("some-rule"),
    message=st.text(),
    severity=st.sampled_from(Severity),
    place=places,
    symbol=st.text(),
    evidence=st.lists(st.builds(Evidence, st.text(), places), max_size=2).map(tuple),
    fix=st.none() | fixes,
    cell=st.none() | st.integers(1, 99),
    origin=st.sampled_from(Origin),
    verdict=st.none() | st.sampled_from(Verdict),
    confidence=st.none() | st.floats(0, 1),
    reproducer=st.none() | st.text(),
    url=st.just("docs/rules/some-rule.md"),
    fingerprint=st.text("0123456789abcdef", min_size=16, max_size=16),
)


@given(st.lists(diagnostics, max_size=3))
def test_whatever_is_found_keeps_the_contract(found: list[Diagnostic]) -> None:
    shown = rendered(*found)
    assert [each["message"] for each in shown] == [each.message for each in found]
    assert [each["location"]["row"] for each in shown] == [each.place.location.row for each in found]
