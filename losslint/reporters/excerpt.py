"""Source lines as a terminal shows them: tabs and control characters made visible, cropped, underlined."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from losslint.diagnostic import Place
from losslint.source import Source

TAB = "    "
_ELLIPSIS = "..."
_MOST_LINES = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One line to show; `row` is None for lines left out, [start, end) the terminal cells to underline."""

    row: int | None
    text: str
    is_flagged: bool = False
    start: int = 0
    end: int = 0


def printable(text: str) -> str:
    """The text with tabs as four spaces and without characters that steer a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character == "\t":
        return TAB
    steers = unicodedata.category(character) in ("Cc", "Cs") or "\u202a" <= character <= "\u202e"
    return "\N{REPLACEMENT CHARACTER}" if steers or "\u2066" <= character <= "\u2069" else character


def excerpt(source: Source, place: Place, width: int) -> list[Line]:
    """The flagged lines, without their common indentation, with a line before and after for company.

    The first flagged line carries the underline. A long stretch is shown by its first and last lines.
    """
    first, last = place.location.row, place.end_location.row
    end = place.end_location
    if last > first and end.column == 1:
        last -= 1
    rows = [*_company(source, first - 1), *_some(first, last), *_company(source, last + 1)]
    texts = {row: source.line(row) for row in rows if row is not None}
    indent = _common_indent(list(texts.values()))
    lines = []
    for row in rows:
        if row is None:
            lines.append(Line(None, _ELLIPSIS))
        elif row == first:
            stop = place.end_location.column - 1 if last == first else len(texts[row].rstrip())
            lines.append(_underlined(row, texts[row], indent, place.location.column - 1, stop, width))
        else:
            text = _cropped(printable(texts[row][indent:]).rstrip(), width)
            lines.append(Line(row, text, first < row <= last))
    return lines


def one_line(source: Source, place: Place, width: int) -> str:
    """The place's line without its indentation, cropped so that the place shows."""
    text = source.line(place.location.row)
    start = place.location.column - 1
    indent = min(start, len(text) - len(text.lstrip()))
    return _underlined(1, text, indent, start, start + 1, width).text


def _company(source: Source, row: int) -> list[int]:
    """A neighbouring row if it exists and holds more than white space."""
    last = source.location(len(source.utf8)).row
    return [row] if 1 <= row <= last and source.line(row).strip() else []


def _some(first: int, last: int) -> list[int | None]:
    if last - first < _MOST_LINES:
        return list(range(first, last + 1))
    return [first, first + 1, first + 2, None, last]


def _common_indent(lines: list[str]) -> int:
    indents = [line[: len(line) - len(line.lstrip())] for line in lines if line.strip()]
    columns = list(zip(*indents, strict=False))
    return next((n for n, column in enumerate(columns) if len(set(column)) > 1), len(columns))


def _underlined(row: int, text: str, indent: int, start: int, end: int, width: int) -> Line:
    """One flagged line, moved to the left where [start, end) would be out of sight."""
    start, end = max(start, indent), max(end, start + 1)
    before, under = printable(text[indent:start]), printable(text[start:end])
    whole = printable(text[indent:]).rstrip()
    reach = cell_len(before + under)
    if reach > width - len(_ELLIPSIS) and cell_len(whole) > width:
        seen = chop_cells(before[::-1], width // 3)[0][::-1] if before else ""
        if seen != before:
            whole = _ELLIPSIS + whole[len(before) - len(seen) :]
            before = _ELLIPSIS + seen
    shown = _cropped(whole, width)
    first = cell_len(before)
    last = min(first + max(cell_len(under), 1), max(cell_len(shown), first + 1))
    return Line(row, shown, True, first, last)


def _cropped(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return chop_cells(text, width - len(_ELLIPSIS))[0] + _ELLIPSIS
