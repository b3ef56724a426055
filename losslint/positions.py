"""From syntax nodes to byte spans: resolved for one statement at a time, and only where something is reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain

import libcst as cst

from losslint.diagnostic import Span
from losslint.semantics.names import Unit
from losslint.semantics.pieces import Begin, Piece
from losslint.semantics.rendering import Spans, spans_in_module, spans_in_statement
from losslint.semantics.syntax_walk import nodes_of


class Positions:
    """The byte spans of a unit's nodes."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._known: list[Spans] = []
        self._resolved: set[int] = set()
        self._functions: dict[int, list[tuple[Span, str]]] = {}

    def span(self, node: cst.CSTNode) -> Span:
        """The bytes of a node, without the white space and comments around it."""
        around = self._spans_around(node)
        return Span(0, 0) if around is None else Span(*around[node])

    def _spans_around(self, node: cst.CSTNode) -> Spans | None:
        known = next((spans for spans in self._known if node in spans), None)
        return known if known is not None else self._resolve(node)

    def _resolve(self, node: cst.CSTNode) -> Spans | None:
        """Place the statement that holds a node; or the pieces of the file, where no single statement is known to."""
        for spans in chain(self._in_statement(node), self._in_pieces()):
            self._known.append(spans)
            if node in spans:
                return spans
        return None

    def _in_statement(self, node: cst.CSTNode) -> Iterator[Spans]:
        for piece in self._unit.parsed:
            for statement, indent, begin in _statements(piece):
                if any(each is node for each in nodes_of(statement)):
                    start = self._line_starts[begin.line - 1] + begin.column
                    yield spans_in_statement(piece.module, statement, indent, start)
                    return

    def _in_pieces(self) -> Iterator[Spans]:
        """The pieces of the file that have been parsed since."""
        for piece in self._unit.parsed:
            if piece.start not in self._resolved:
                self._resolved.add(piece.start)
                yield spans_in_module(piece.module, _bytes_in(self._unit.text[: piece.start]))

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        return list(accumulate((_bytes_in(line) + 1 for line in self._unit.text.split("\n")), initial=0))

    def symbol(self, node: cst.CSTNode) -> str:
        """The qualified name of the innermost function around a node; empty at module level."""
        around = self._spans_around(node)
        if around is None:
            return ""
        span = Span(*around[node])
        for function, name in self._functions_in(around):
            if function.start <= span.start and span.end <= function.end:
                return name
        return ""

    def _functions_in(self, spans: Spans) -> list[tuple[Span, str]]:
        """The functions of a part of the file, the shortest first."""
        known = self._functions.get(id(spans))
        if known is None:
            named = self._unit.parsed_functions()
            found = [(Span(*spans[function]), name) for name, function in named if function in spans]
            known = sorted(found, key=lambda each: each[0].end - each[0].start)
            self._functions[id(spans)] = known
        return known


def _statements(piece: Piece) -> Iterator[tuple[cst.BaseStatement, str, Begin]]:
    """The statements of a piece, or of the classes in it, each with its indentation and where it begins."""
    for statement, begin in _with_begins(piece.module.body, piece.begins):
        body = statement.body if isinstance(statement, cst.ClassDef) else None
        if isinstance(body, cst.IndentedBlock):
            indent = piece.module.default_indent if body.indent is None else body.indent
            yield from ((inner, indent, where) for inner, where in _with_begins(body.body, begin.inner))
        else:
            yield statement, "", begin


def _with_begins(
    statements: Sequence[cst.BaseStatement | cst.SimpleStatementLine], begins: Sequence[Begin]
) -> Iterator[tuple[cst.BaseStatement, Begin]]:
    """Statements with where they begin, of which Python's own parser knows one for each part of `a; b`."""
    counts = [len(each.body) if isinstance(each, cst.SimpleStatementLine) else 1 for each in statements]
    if sum(counts) == len(begins):
        firsts = accumulate(counts[:-1], initial=0)
        yield from ((each, begins[first]) for each, first in zip(statements, firsts, strict=True))


def _bytes_in(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
