"""Long files are parsed by libcst in pieces, for its parser needs 400 bytes of memory a character while it works.

A piece ends where a statement of the module begins, so every statement is parsed as it would be in the whole file. What is
left behind the last statement of a piece are the lines above the first one of the next.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import libcst as cst

LONG = 80_000
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


def parse_module(text: str) -> cst.Module:
    """The module of a text, parsed in pieces where it is long."""
    pieces = list(_pieces(text)) if len(text) > LONG else []
    return (_joined(pieces) if len(pieces) > 1 else None) or cst.parse_module(text)


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _pieces(text: str) -> Iterator[str]:
    lines = _LINES.findall(text)
    started, length, row = 0, 0, 0
    for start in _starts(ast.parse(text)):
        length += sum(map(len, lines[row:start]))
        row = start
        if length > LONG // 2:
            yield "".join(lines[started:start])
            started, length = start, 0
    yield "".join(lines[started:])


def _starts(tree: ast.Module) -> Iterator[int]:
    """How many lines come before each statement that begins a line of its own."""
    ended = 0
    for node in tree.body:
        decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
        first = min([node.lineno, *(each.lineno for each in decorators)])
        if first > ended:
            yield first - 1
        ended = _last_line(node)


def _joined(pieces: Sequence[str]) -> cst.Module | None:
    """The module of all pieces; None where they are not indented alike, or their lines do not end alike."""
    first = last = cst.parse_module(pieces[0])
    body = list(first.body)
    above: list[cst.EmptyLine] = list(first.footer)
    for piece in pieces[1:]:
        last = cst.parse_module(piece)
        if (last.default_indent, last.default_newline) != (first.default_indent, first.default_newline):
            return None
        statements = list(last.body)
        if statements and (above or last.header):
            leading = [*above, *last.header, *statements[0].leading_lines]
            statements[0] = statements[0].with_changes(leading_lines=leading)
            above = []
        body += statements
        above += last.footer
    return first.with_changes(body=body, footer=above, has_trailing_newline=last.has_trailing_newline)
