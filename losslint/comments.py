"""The comments of a source, and the statement each one stands in or above."""

from __future__ import annotations

import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from losslint.diagnostic import Span
from losslint.source import Source

_LONE_RETURN = re.compile(r"\r(?!\n)")
_BLANK = frozenset({tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.NL})


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment, from its `#` to the end of the line.

    `statement` holds the bytes of the statement it stands in, or directly above if `is_above`; of a compound
    statement that is the header alone, decorators included. None where it stands by itself.
    """

    text: str
    span: Span
    line: Span
    is_alone: bool
    is_above: bool
    statement: Span | None


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    text: str
    line_start: int
    is_alone: bool


def comments(source: Source) -> tuple[Comment, ...]:
    """All comments in order; of a file that cannot be read to its end, those before the trouble."""
    text = _LONE_RETURN.sub("\n", source.text)
    offsets = _Offsets(text)
    return tuple(offsets.comment(*found) for found in _group(text, offsets))


def _group(text: str, offsets: _Offsets) -> Iterator[tuple[_Found, bool, tuple[int, int] | None]]:
    """Every comment with whether it is above its statement, and the statement's range of characters."""
    above: list[_Found] = []
    inside: list[_Found] = []
    start: int | None = None
    begins_line, decorates = True, False
    for token in _tokens(text):
        here = offsets.at(token.start)
        if token.type == tokenize.COMMENT:
            before = text[offsets.at((token.start[0], 0)) : here]
            found = _Found(here, token.string.rstrip("\r\n"), here - len(before), not before.strip())
            (above if start is None else inside).append(found)
        elif token.type == tokenize.NEWLINE:
            begins_line = True
            if start is not None and not decorates:
                yield from ((each, True, (start, here)) for each in above)
                yield from ((each, False, (start, here)) for each in inside)
                above, inside, start = [], [], None
        elif token.type == tokenize.NL and start is None and not token.line.strip():
            yield from ((each, False, None) for each in above)
            above = []
        elif token.type not in _BLANK:
            start = here if start is None else start
            decorates = token.string == "@" if begins_line else decorates
            begins_line = False
    yield from ((each, False, None) for each in above)
    yield from ((each, False, (start or 0, len(text))) for each in inside)


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError):
        return


class _Offsets:
    """Rows and columns of the tokenizer as characters, and characters as bytes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._rows = [0, *(match.end() for match in re.finditer("\n", text))]
        self._bytes = [0]
        for start, end in zip(self._rows, self._rows[1:], strict=False):
            self._bytes.append(self._bytes[-1] + len(text[start:end].encode()))

    def at(self, position: tuple[int, int]) -> int:
        row, column = position
        return self._rows[row - 1] + column if row <= len(self._rows) else len(self._text)

    def byte(self, offset: int) -> int:
        row = bisect_right(self._rows, offset) - 1
        return self._bytes[row] + len(self._text[self._rows[row] : offset].encode())

    def span(self, start: int, end: int) -> Span:
        return Span(self.byte(start), self.byte(end))

    def comment(self, found: _Found, is_above: bool, statement: tuple[int, int] | None) -> Comment:
        end = self._text.find("\n", found.start)
        line_end = len(self._text) if end < 0 else end + 1
        return Comment(
            found.text,
            self.span(found.start, found.start + len(found.text)),
            self.span(found.line_start, line_end),
            found.is_alone,
            is_above,
            self.span(*statement) if statement else None,
        )
