"""A file in pieces, each parsed by libcst when something asks for it.

Of the files that a loss leads to a class or two is needed, and libcst takes a second for a million characters, and 400
bytes of memory for each while it works. Python's own parser, ten times as fast, says where the pieces are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import libcst as cst

from losslint.semantics.bindings import blocks

INDENT, NEWLINE = " " * 4, "\n"
_LINES = re.compile(r"[^\n]*\n|[^\n]+\Z")


class Unparsable(Exception):
    """libcst cannot parse a file, though Python can."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class Begin:
    """Where a statement begins, behind its decorators: its line, from 1, and how many bytes of that are before it.

    `inner` is where the statements in the body of a class begin.
    """

    line: int
    column: int
    inner: tuple[Begin, ...] = ()


class Piece:
    """The statements of a module from one character on, with the comments above them; or a module that is parsed already.

    `begins` is where its statements begin, as far as that is known.
    """

    def __init__(
        self,
        path: Path,
        text: str,
        start: int = 0,
        module: cst.Module | None = None,
        begins: tuple[Begin, ...] = (),
    ) -> None:
        self._path = path
        self.text = text
        self.start = start
        self.begins = begins
        if module is not None:
            self.module = module

    @property
    def is_parsed(self) -> bool:
        """Whether anything has asked for it."""
        return "module" in self.__dict__

    @cached_property
    def module(self) -> cst.Module:
        """What is parsed. What stands above its first statement belongs to that, as it would in the whole file."""
        try:
            module = cst.parse_module(self.text)
        except (cst.ParserSyntaxError, RecursionError) as error:
            raise Unparsable(self._path) from error
        if not self.start or not module.header:
            return module
        first = module.body[0]
        moved = first.with_changes(leading_lines=[*module.header, *first.leading_lines])
        return module.with_changes(header=(), body=[moved, *module.body[1:]])


@dataclass(frozen=True, slots=True)
class Division:
    """The pieces of a file, its statements, each with the number of the piece it is in, its lines, and its indentation."""

    pieces: tuple[Piece, ...]
    statements: tuple[tuple[int, ast.stmt], ...]
    lines: Sequence[str]
    indent: str


def divide(path: Path, text: str, tree: ast.Module) -> Division | None:
    """A file in pieces; None where they would not be read as they are in the whole: they are not indented alike.

    libcst takes what a file's first block is indented by for what all its blocks are, unless they differ.
    """
    if not tree.body or "\r" in text:
        return None
    lines = _LINES.findall(text)
    rows: list[int] = []
    statements: list[tuple[int, ast.stmt]] = []
    indents: set[str] = set()
    ended = 0
    for node in tree.body:
        decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
        first = min([node.lineno, *(each.lineno for each in decorators)])
        if first > ended:
            rows.append(_with_comments(lines, first - 1, ended) if rows else 0)
        statements.append((len(rows) - 1, node))
        indents |= {indent for block in blocks(node) if block and (indent := _indent(lines, block))}
        ended = max(ended, node.end_lineno or node.lineno)
    if len(indents) > 1:
        return None
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    edges = [*(starts[row] for row in rows), len(text)]
    begins: list[list[Begin]] = [[] for _ in rows]
    for number, node in statements if "\f" not in text else ():  # Python and libcst count a form feed differently
        begins[number].append(_begin(node))
    pieces = tuple(
        Piece(path, text[start:end], start, begins=tuple(inside))
        for (start, end), inside in zip(pairwise(edges), begins, strict=True)
    )
    return Division(pieces, tuple(statements), lines, indents.pop() if indents else INDENT)


def _begin(node: ast.stmt) -> Begin:
    inner = tuple(map(_begin, node.body)) if isinstance(node, ast.ClassDef) else ()
    return Begin(node.lineno, node.col_offset, inner)


def _with_comments(lines: Sequence[str], row: int, ended: int) -> int:
    """The row where the comments above a statement start; indented ones belong to the block that they follow."""
    while row > ended and (lines[row - 1].startswith("#") or not lines[row - 1].strip()):
        row -= 1
    return row


def _indent(lines: Sequence[str], block: Sequence[ast.stmt]) -> str:
    """What a block is indented by; nothing where it stands on the line of its head."""
    before = lines[block[0].lineno - 1][: block[0].col_offset]
    return before if not before.strip() else ""
