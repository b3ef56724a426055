"""Placing one statement says of its nodes what placing the whole file does."""

from __future__ import annotations

import ast
from pathlib import Path

import libcst as cst
import pytest

from losslint.positions import Positions
from losslint.semantics.names import Unit, parse_unit, unit_in_pieces
from losslint.semantics.pieces import divide
from losslint.semantics.syntax_walk import walk

TEXT = """import torch  # \u00e9\u4f60

class First:  # \u00fc
\tx = 1; y = "\u00e9"; z = (x,
\t  y)

\t@staticmethod
\t# between
\t@other("\u4f60")

\tdef method(a, b="\u00e9"): return a + \\
\t\tb;

\tasync def second(self):
\t\tawait x; return "\u4f60".join(x)
\t# behind
# above
@decorated(1)
class Second(First): pass

class Third: x = 1; y = 2

def function(x):
\tdef inner(): return (x).y
\t(x.y).z = 1; (x + y); return inner
"""
FORM_FEED = "class First:\n    x = 1\n\f    def method(self):\n        return self.x\n"


def divided(text: str) -> Unit:
    division = divide(Path("a.py"), text, ast.parse(text))
    assert division is not None
    return unit_in_pieces(Path("a.py"), "a.py", text, division)


@pytest.mark.parametrize(
    "text",
    [TEXT, TEXT.replace("\t", "  "), TEXT.rstrip(), FORM_FEED],
    ids=["tabs", "spaces", "no newline", "form feed"],
)
def test_a_statement_is_placed_as_in_the_whole_file(text: str) -> None:
    module = cst.parse_module(text)
    whole = Positions(parse_unit(Path("a.py"), "a.py", module, text))
    unit = divided(text)
    parts = Positions(unit)
    in_parts = [node for piece in unit.pieces for statement in piece.module.body for node in walk(statement)]
    in_whole = [node for statement in module.body for node in walk(statement)]
    for placed, expected in zip(in_parts, in_whole, strict=True):
        if isinstance(placed, (cst.TrailingWhitespace, cst.Newline)):
            continue  # libcst writes a newline at the end of a file that has none
        assert parts.span(placed) == whole.span(expected)
        assert parts.symbol(placed) == whole.symbol(expected)


def test_only_the_statement_around_a_node_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(module: cst.Module, before: int = 0) -> None:
        raise AssertionError

    monkeypatch.setattr("losslint.positions.spans_in_module", fail)
    unit = divided(TEXT)
    span = Positions(unit).span(unit.functions["First.method"])
    assert TEXT.encode()[span.start : span.end].startswith(b"def method(a, b=")
