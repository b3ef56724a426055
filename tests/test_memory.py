"""What keeps memory small: long files are parsed in pieces, and files that were needed long ago are forgotten."""

from __future__ import annotations

import ast
from pathlib import Path

import libcst as cst
import pytest

from linted import linted
from losslint.diagnostic import Diagnostic
from losslint.library import Library
from losslint.long_files import parse_module
from losslint.positions import Positions
from losslint.semantics.names import parse_unit, unit_in_pieces
from losslint.semantics.pieces import divide
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

NAMES = """
import os.path, torch.nn as nn
from .there import here as hear, more
from . import beside
from all import *
if torch: import on_one_line
else:
    from later import only_here
try:
    import fast
except ImportError: import slow as fast
except OSError:
    import slow as slower
with open("x") as f:
    held = 1
class Outer(Base):
    size: int = 3
    bare: int
    a = b = 2
    if size:
        def method(self):
            from inside import more, new
            def inner(): import not_taken
            class Local:
                pass
    class Inner: pass
    async def wait(self): ...
def twice(): return 1
def twice():
    return 2
x, y = 1, 2
z = 1; z = 2
"""


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


@pytest.mark.parametrize(
    "text",
    [TEXT, TEXT.rstrip("\n"), TEXT.replace("    ", "\t"), NAMES],
    ids=["as it is", "no newline", "tabs", "names"],
)
def test_a_file_in_pieces_has_the_names_and_the_tree_of_the_whole(text: str) -> None:
    path = Path("a.py")
    division = divide(path, text, ast.parse(text))
    assert division is not None
    module = cst.parse_module(text)
    whole, pieces = parse_unit(path, "a.py", module, text), unit_in_pieces(path, "a.py", text, division)
    assert not list(pieces.parsed)
    assert pieces.imports == whole.imports
    for expected, found in (
        (whole.functions, pieces.functions),
        (whole.classes, pieces.classes),
        (whole.constants, pieces.constants),
    ):
        assert list(found) == list(expected)
        for name in expected:
            assert found[name].deep_equals(expected[name])
            assert pieces.code(found[name]) == whole.code(expected[name])
    assert pieces.module.deep_equals(module)


def test_only_the_piece_that_is_asked_for_is_parsed_and_placed() -> None:
    division = divide(Path("a.py"), TEXT, ast.parse(TEXT))
    assert division is not None
    unit = unit_in_pieces(Path("a.py"), "a.py", TEXT, division)
    method = unit.functions["Second.method"]
    assert [piece.text.startswith("\n# one between") for piece in unit.parsed] == [True]
    span = Positions(unit).span(method)
    assert TEXT[span.start : span.end].startswith("def method(self):")


@pytest.mark.parametrize(
    "text", ["", "if x:\n  y = 1\nif x:\n    z = 1\n", "x = 1\r\n"], ids=["empty", "mixed", "CRLF"]
)
def test_what_would_be_read_otherwise_in_pieces_is_not_divided(text: str) -> None:
    assert divide(Path("a.py"), text, ast.parse(text)) is None


def test_a_file_with_a_piece_that_libcst_cannot_parse_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "helper.py").write_text("def helper(x):\n    return x.log()\n")
    text = "import torch\nfrom helper import helper\ndef my_loss(p, y):\n    return helper(torch.relu(p)).mean()\n"
    path = tmp_path / "loss.py"
    path.write_text(text)
    assert [each.code for each in linted(text, path, tmp_path)] == ["LL201"]
    whole = cst.parse_module

    def parse(text: str) -> cst.Module:
        if "def helper" in text:
            raise cst.ParserSyntaxError("", lines=[text], raw_line=1, raw_column=0)
        return whole(text)

    monkeypatch.setattr(cst, "parse_module", parse)
    assert linted(text, path, tmp_path) == ()


def test_a_linted_file_with_a_piece_that_libcst_cannot_parse_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cst.parse_module

    def parse(text: str) -> cst.Module:
        if "def my_loss" in text:
            raise cst.ParserSyntaxError("", lines=[text], raw_line=1, raw_column=0)
        return whole(text)

    monkeypatch.setattr(cst, "parse_module", parse)
    text = "import torch\ndef my_loss(p, y):\n    return torch.relu(p).log().mean()\n"
    assert [each.code for each in linted(text)] == ["LL904"]


def test_functions_that_mention_a_word_are_found_without_the_others() -> None:
    text = "def first(x):\n    return helper(x)\ndef second(x):\n    return x\n"
    division = divide(Path("a.py"), text, ast.parse(text))
    assert division is not None
    unit = unit_in_pieces(Path("a.py"), "a.py", text, division)
    assert [name for name, _ in unit.functions_that_mention("helper")] == ["first"]
    assert [name for name, _ in unit.parsed_functions()] == ["first"]


def test_functions_that_return_a_name_are_found_without_those_that_use_it() -> None:
    text = "def first(x):\n    return (x,\n            loss)\ndef second(loss):\n    return loss.mean()\n"
    division = divide(Path("a.py"), text, ast.parse(text))
    assert division is not None
    unit = unit_in_pieces(Path("a.py"), "a.py", text, division)
    assert [name for name, _ in unit.functions_that_return("loss")] == ["first"]


def test_functions_that_call_a_name_are_found_without_those_that_define_it() -> None:
    text = "class Loss:\n    def forward(self, x):\n        return x\ndef second(x):\n    return Loss().forward (x)\n"
    division = divide(Path("a.py"), text, ast.parse(text))
    assert division is not None
    unit = unit_in_pieces(Path("a.py"), "a.py", text, division)
    assert [name for name, _ in unit.functions_that_call("forward")] == ["second"]
    assert [name for name, _ in unit.classes_that_mention(["self"])] == ["Loss"]


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
