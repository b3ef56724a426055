"""What keeps memory small: long files are parsed in pieces, and files that were needed long ago are forgotten."""

from __future__ import annotations

from pathlib import Path

import libcst as cst
import pytest

from losslint.diagnostic import Diagnostic
from losslint.library import Library
from losslint.long_files import parse_module
from losslint.semantics.project import Project
from losslint.source import Source, parse_ast, too_complex

TEXT = '''"""A module."""
# a comment at the top

import torch


@torch.no_grad()
def first(x):
    y = """text
def not_a_function(): ...
"""
    return x
    # a comment in the function

# one between two functions


class Second:

    def method(self):
        return 1
        # the last in the class
third = 1; fourth = 2
if third:
    fifth = (
        1,
    )
# the end
'''


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.rstrip("\n"),
        TEXT.replace("    ", "\t"),
        "#\n" + TEXT * 3,
        "x = 1\n",
        "# no\n",
    ],
    ids=["as it is", "CRLF", "no newline at the end", "tabs", "more than once", "one statement", "none"],
)
def test_pieces_give_the_same_tree(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losslint.long_files.LONG", 2)
    module = parse_module(text)
    assert module.code == text
    assert module.deep_equals(cst.parse_module(text))


def test_a_class_that_is_too_long_is_left_out() -> None:
    def complaint(lines: int) -> Diagnostic | None:
        source = Source(
            "a.py", "class Loss:\n" + "    value = 'as long as a line may well become in real code'\n" * lines
        )
        tree = parse_ast(source)
        assert not isinstance(tree, Diagnostic)
        return too_complex(source, tree)

    assert complaint(1_000) is None
    found = complaint(6_000)
    assert found is not None
    assert found.code == "LL905"
    assert "characters" in found.message


def test_files_that_were_needed_long_ago_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "helper.py").write_text("def helper(x):\n    return x\n")
    library = Library(Project((tmp_path,)))
    source = Source(str(tmp_path / "loss.py"), "from helper import helper\n")
    (tmp_path / "loss.py").write_text(source.text)
    unit = library.open(source)
    assert not isinstance(unit, Diagnostic)
    first = library.resolve(unit, "helper")
    library.trim()
    assert library.open(source) is unit
    assert library.resolve(unit, "helper") == first
    monkeypatch.setattr("losslint.library.MAX_CHARACTERS", 0)
    library.trim()
    again = library.open(source)
    assert again is not unit
    assert not isinstance(again, Diagnostic)
    second = library.resolve(again, "helper")
    assert first is not None
    assert second is not None
    assert second[0] is not first[0]
