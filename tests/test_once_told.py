"""What lies in a helper is told once: where it lies, or by the first caller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from losslint.cli import cli

HELPER = """\
import torch

def normal_loss(x, y):
    return -torch.log(0.5 - 0.5 * torch.erf(x - y)).mean(){comment}
"""
CALLER = """\
from terms import normal_loss

def first_loss(x, y):
    return 2 * normal_loss(x, y)

def second_loss(x, y):
    return normal_loss(x, y) + 1
"""


def told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *paths: str, comment: str = "", caller: str = CALLER
) -> list[tuple[str, int]]:
    """Files and rows of the LL201 findings."""
    (folder / "terms.py").write_text(HELPER.format(comment=comment))
    (folder / "losses.py").write_text(caller)
    monkeypatch.chdir(folder)
    arguments = ["check", *paths, "--isolated", "--exit-zero", "--select", "LL201", "--output-format", "json"]
    found = json.loads(CliRunner().invoke(cli, arguments).stdout)
    return [(each["filename"], each["location"]["row"]) for each in found]


def test_a_finding_of_the_helper_is_not_repeated_by_its_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(tmp_path, monkeypatch, ".") == [("terms.py", 4)]


def test_the_first_caller_tells_it_where_the_helper_is_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(tmp_path, monkeypatch, "losses.py") == [("losses.py", 4)]


def test_what_a_comment_silences_in_the_helper_is_silent_in_its_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(tmp_path, monkeypatch, ".", comment="  # losslint: ignore[LL201]") == []


def test_a_comment_at_one_caller_silences_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = CALLER.replace("2 * normal_loss(x, y)", "2 * normal_loss(x, y)  # losslint: ignore[LL201]")
    (tmp_path / "others.py").write_text(CALLER)
    assert told(tmp_path, monkeypatch, "losses.py", "others.py", caller=silent) == [("others.py", 4)]


def test_order_of_the_files_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(tmp_path, monkeypatch, "losses.py", "terms.py") == told(tmp_path, monkeypatch, "terms.py", "losses.py")
