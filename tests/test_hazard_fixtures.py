"""Every rule's fixtures: the marked lines are found at their severity, the traps are silent, the fix is the fixed file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from linted import linted
from losslint import registry
from losslint.diagnostic import Applicability
from losslint.fixes import apply_fixes
from losslint.source import Source, source_from_bytes

ROOT = Path(__file__).parent.parent / "fixtures" / "hazards"
MARKER = re.compile(r"#.*?\b(LL\d{3})(?: (info|warning|error))?\s*$")
NAMES = {info.name: info for info in registry.index().values()}
EVERY = sorted(path for path in ROOT.iterdir() if path.is_dir())
FOLDERS = [path for path in EVERY if path.name not in NAMES or NAMES[path.name].in_source]


def marked(path: Path, code: str, default: str) -> set[tuple[int, str]]:
    """The rows of a file marked with a code, with the severity expected there."""
    found = set()
    for row, line in enumerate(path.read_text().splitlines(), 1):
        match = MARKER.search(line)
        if match and match.group(1) == code:
            found.add((row, match.group(2) or default))
    return found


def found_rows(path: Path, code: str) -> set[tuple[int, str]]:
    """The rows a rule reports in a file, with severities."""
    return {
        (each.place.location.row, each.severity.value) for each in linted(path.read_bytes(), path) if each.code == code
    }


def test_every_rule_has_its_fixtures() -> None:
    rules = {info.name for info in NAMES.values() if not info.code.startswith("LL9")}
    assert {folder.name for folder in EVERY} == rules
    assert all((folder / "bad.py").exists() and (folder / "good.py").exists() for folder in EVERY)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_marked_hazards_and_nothing_else_are_found(folder: Path) -> None:
    info = NAMES[folder.name]
    expected = marked(folder / "bad.py", info.code, info.severity.value)
    assert expected, "bad.py marks its hazards"
    assert found_rows(folder / "bad.py", info.code) == expected


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_traps_are_silent(folder: Path) -> None:
    others = {info.code for info in NAMES.values() if info.preview and info.name != folder.name}
    found = [each for each in linted((folder / "good.py").read_bytes()) if each.code not in others]
    info = NAMES[folder.name]
    mine = info.code if info.preview and info.severity.value == "info" else ""
    loud = [each for each in found if each.severity.value != "info" or each.code == mine]
    assert [(each.place.location.row, each.code, each.message) for each in loud] == []


def read(path: Path) -> Source:
    source = source_from_bytes(path.read_bytes(), path.name)
    assert isinstance(source, Source)
    return source


@pytest.mark.parametrize(
    "folder", [folder for folder in FOLDERS if (folder / "fixed.py").exists()], ids=lambda folder: folder.name
)
def test_fix_gives_the_fixed_file_and_is_idempotent(folder: Path) -> None:
    code = NAMES[folder.name].code
    source = read(folder / "bad.py")
    mine = [each for each in linted(source.utf8, Path("bad.py")) if each.code == code]
    unsafe = any(each.fix is not None and each.fix.applicability is Applicability.UNSAFE for each in mine)
    fixed = apply_fixes(source, mine, unsafe=unsafe)
    assert fixed.text == (folder / "fixed.py").read_text()
    again = [each for each in linted(fixed.text) if each.code == code and each.fix is not None]
    assert again == []
