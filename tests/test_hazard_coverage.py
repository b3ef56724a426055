"""The table of hazards names rules that exist, and every hazard of a family once."""

from __future__ import annotations

import re
from pathlib import Path

from losslint import registry

TABLE = (Path(__file__).parent.parent / "docs" / "hazard-coverage.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if re.match(r"\| [A-Z]\d", line)
]
CATALOGUE = {"D": 13, "G": 8, "N": 24, "R": 17, "S": 6, "T": 7, "B": 6, "A": 16, "P": 10, "X": 4}


def test_every_code_named_exists() -> None:
    named = set(re.findall(r"LL\d{3}", TABLE))
    assert named <= set(registry.index())


def test_every_hazard_of_the_catalogue_has_one_row() -> None:
    hazards = [hazard for row in ROWS for hazard in row[0].split(", ")]
    expected = [f"{family}{number:02}" for family, count in CATALOGUE.items() for number in range(1, count + 1)]
    assert sorted(hazards) == sorted(expected)


def test_a_hazard_without_a_rule_says_why() -> None:
    assert all(re.search(r"LL\d{3}", row[2]) or row[2].startswith("none") for row in ROWS)
    assert all(":" in row[2] for row in ROWS if row[2].startswith("none"))
