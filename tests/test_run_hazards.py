"""Rules that judge runs: their fixtures and pages are run, once for all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from losslint import registry
from losslint.diagnostic import Diagnostic
from losslint.probe.report import ProbeReport
from probed import probed

ROOT = Path(__file__).parent.parent / "fixtures" / "hazards"
RULES = [info for info in registry.index().values() if info.in_run and not info.in_source]
MARKER = re.compile(r"#.*?\b(LL\d{3})(?: (info|warning|error))?\s*$")
BLOCK = re.compile(r"## (Bad|Good)\n+```python\n(.*?)```", re.DOTALL)


def module_name(info: registry.RuleInfo, block: str) -> str:
    return f"{info.name.replace('-', '_')}_{block.lower()}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fixtures and the blocks of pages as modules of different names in one folder."""
    folder = tmp_path_factory.mktemp("hazards")
    for info in RULES:
        for name in ("bad", "good"):
            (folder / f"{module_name(info, name)}.py").write_text((ROOT / info.name / f"{name}.py").read_text("utf-8"))
        for name, text in BLOCK.findall(info.page):
            (folder / f"{module_name(info, f'page_{name}')}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def report(files: Path) -> ProbeReport:
    return probed([files], files)


def in_file(report: ProbeReport, path: Path) -> list[Diagnostic]:
    return [each for each in report.diagnostics if Path(each.filename).name == path.name]


@pytest.mark.parametrize("info", RULES, ids=lambda info: info.code)
def test_marked_hazards_and_nothing_else_are_found(info: registry.RuleInfo, report: ProbeReport, files: Path) -> None:
    path = files / f"{module_name(info, 'bad')}.py"
    expected = set()
    for row, line in enumerate(path.read_text().splitlines(), 1):
        match = MARKER.search(line)
        if match and match.group(1) == info.code:
            expected.add((row, match.group(2) or info.severity.value))
    assert expected, "bad.py marks its hazards"
    found = {(d.place.location.row, d.severity.value) for d in in_file(report, path) if d.code == info.code}
    assert found == expected


@pytest.mark.parametrize("info", RULES, ids=lambda info: info.code)
def test_traps_run_and_are_silent(info: registry.RuleInfo, report: ProbeReport, files: Path) -> None:
    path = files / f"{module_name(info, 'good')}.py"
    runs = [each.measurements for each in report.losses if Path(each.measurements.filename).name == path.name]
    assert runs and [(m.symbol, m.status, m.reason) for m in runs if m.status != "ok"] == []
    loud = [d for d in in_file(report, path) if d.severity.value != "info" or d.code == info.code]
    assert [(d.place.location.row, d.code, d.message) for d in loud] == []


@pytest.mark.parametrize("info", RULES, ids=lambda info: info.code)
def test_bad_block_is_found_and_good_block_is_silent(info: registry.RuleInfo, report: ProbeReport, files: Path) -> None:
    bad = in_file(report, files / f"{module_name(info, 'page_Bad')}.py")
    assert info.code in {each.code for each in bad}
    good = in_file(report, files / f"{module_name(info, 'page_Good')}.py")
    assert [(d.code, d.message) for d in good if d.severity.value != "info" or d.code == info.code] == []
