"""From syntax nodes to byte spans: resolved for one file at a time, and only where something is reported."""

from __future__ import annotations

from functools import cached_property

import libcst as cst

from losslint.diagnostic import Span
from losslint.semantics.names import Unit
from losslint.semantics.rendering import byte_spans


class Positions:
    """The byte spans of a unit's nodes."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._spans: dict[cst.CSTNode, tuple[int, int]] = {}
        self._resolved: set[int] = set()

    def span(self, node: cst.CSTNode) -> Span:
        """The bytes of a node, without the white space and comments around it."""
        if node not in self._spans:
            self._resolve()
        return Span(*self._spans.get(node, (0, 0)))

    def _resolve(self) -> None:
        """Take up the pieces of the file that have been parsed since."""
        for piece in self._unit.parsed:
            if piece.start not in self._resolved:
                self._resolved.add(piece.start)
                self.__dict__.pop("_functions", None)
                before = len(self._unit.text[: piece.start].encode("utf-8", "surrogatepass"))
                self._spans.update(byte_spans(piece.module, before))

    @cached_property
    def _functions(self) -> list[tuple[Span, str]]:
        found = [(self.span(node), name) for name, node in self._unit.parsed_functions()]
        return sorted(found, key=lambda each: each[0].end - each[0].start)

    def symbol(self, node: cst.CSTNode) -> str:
        """The qualified name of the innermost function around a node; empty at module level."""
        span = self.span(node)
        for around, name in self._functions:
            if around.start <= span.start and span.end <= around.end:
                return name
        return ""
