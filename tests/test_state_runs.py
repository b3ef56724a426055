"""Hazards of state that are seen in the source and in runs: both find some of the marked lines, and nothing in the traps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from probed import probed

ROOT = Path(__file__).parent.parent / "fixtures" / "hazards"


@pytest.mark.parametrize("name", ["mutated-argument", "graph-kept-across-steps"])
def test_runs_find_what_the_source_shows(name: str) -> None:
    bad, good = ROOT / name / "bad.py", ROOT / name / "good.py"
    found = {each.place.location.row for each in probed([bad], ROOT).diagnostics if each.code.startswith("LL6")}
    text = bad.read_text().splitlines()
    marked = {row for row, line in enumerate(text, 1) if re.search(r"# LL6\d\d", line)}
    assert found & marked
    assert [each for each in probed([good], ROOT).diagnostics if each.code.startswith("LL6")] == []
