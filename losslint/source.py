"""Bytes of a file to text and back: encodings, byte order marks, positions; and the parses that analysis starts from."""

from __future__ import annotations

import ast
import bisect
import io
import re
import stat
import tokenize
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from losslint.diagnostic import Diagnostic, Location, Place, Span, fingerprint
from losslint.own_diagnostics import (
    INTERNAL_ERROR,
    SYNTAX_ERROR,
    TOO_COMPLEX,
    UNDECODABLE_FILE,
    UNREADABLE_FILE,
    OwnDiagnostic,
)
from losslint.semantics.quiet_parse import quietly_parsed

if TYPE_CHECKING:
    import libcst as cst

_BOM = b"\xef\xbb\xbf"
# libcst's parser overflows its stack near 1,400 nested parentheses and takes 15 s for a sum of 5,000 terms; both limits
# keep a wide margin to that and are far above what people write.
MAX_DEPTH = 200
MAX_TERMS = 1_000
# A statement at the top of a file is parsed in one piece, which takes libcst 400 bytes a character.
MAX_STATEMENT = 250_000
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BRACKETS = re.compile(r"[()\[\]{}]")
_LEAF = 4  # a name of one letter is a statement, an expression, a name and how it is used


@dataclass(frozen=True)
class Source:
    """The text of one file. Spans count bytes of `utf8`, the text without its byte order mark."""

    filename: str
    text: str
    encoding: str = "utf-8"
    bom: bool = False

    @cached_property
    def utf8(self) -> bytes:
        """The text as UTF-8, without byte order mark."""
        return self.text.encode("utf-8", "surrogatepass")

    @property
    def data(self) -> bytes:
        """The text in its own encoding, with its byte order mark. Raises UnicodeEncodeError."""
        return (_BOM if self.bom else b"") + self.text.encode(self.encoding)

    @cached_property
    def _lines(self) -> list[int]:
        """The byte offsets at which lines start; a line ends with LF, CRLF or CR."""
        return [0, *(ended.end() for ended in _LINE_END.finditer(self.utf8))]

    def location(self, offset: int) -> Location:
        """The row and column, in code points, of a byte offset."""
        row = bisect.bisect_right(self._lines, offset)
        start = self._lines[row - 1]
        return Location(row, len(self.utf8[start:offset].decode("utf-8", "replace")) + 1)

    def place(self, span: Span) -> Place:
        """A span with its locations."""
        return Place(self.filename, span, self.location(span.start), self.location(span.end))

    def excerpt(self, span: Span) -> str:
        """The text of a span."""
        return self.utf8[span.start : span.end].decode("utf-8", "replace")

    def line(self, row: int) -> str:
        """The text of a 1-based row without its line ending; empty past the end."""
        if not 1 <= row <= len(self._lines):
            return ""
        end = self._lines[row] if row < len(self._lines) else len(self.utf8)
        return self.utf8[self._lines[row - 1] : end].decode("utf-8", "replace").rstrip("\r\n")


def own_diagnostic(own: OwnDiagnostic, source: Source, message: str, offset: int = 0) -> Diagnostic:
    """A diagnostic about a file itself."""
    return Diagnostic(
        code=own.code,
        name=own.name,
        message=message,
        severity=own.severity,
        place=source.place(Span(offset, offset)),
        url=f"docs/rules/{own.name}.md",
        fingerprint=fingerprint(own.code, Path(source.filename).as_posix(), "", "", 0),
    )


def read_bytes(path: Path, filename: str) -> bytes | Diagnostic:
    """The bytes of a regular file, or an LL902."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return _unreadable(filename, "it is no regular file")
        return path.read_bytes()
    except OSError as error:
        return _unreadable(filename, error.strerror or str(error))


def _unreadable(filename: str, reason: str) -> Diagnostic:
    message = f"{filename} cannot be read: {reason}; check the path and its permissions, or exclude it"
    return own_diagnostic(UNREADABLE_FILE, Source(filename, ""), message)


def read_source(path: Path, filename: str) -> Source | Diagnostic:
    """The text of a file, or one LL9 diagnostic that says why there is none."""
    data = read_bytes(path, filename)
    return data if isinstance(data, Diagnostic) else source_from_bytes(data, filename)


def source_from_bytes(data: bytes, filename: str) -> Source | Diagnostic:
    """The text of bytes, decoded as Python would; an LL903 where they are not what their encoding promises."""
    bom = data.startswith(_BOM)
    body = data[len(_BOM) :] if bom else data
    encoding = "utf-8"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        before = Source(filename, body[: error.start].decode(encoding, "replace"))
        message = (
            f"byte 0x{body[error.start]:02x} is not valid {encoding}; save the file as UTF-8, or declare its encoding "
            "in its first line"
        )
        return own_diagnostic(UNDECODABLE_FILE, before, message, len(before.utf8))
    except (SyntaxError, LookupError) as error:
        message = f"its encoding declaration is not understood ({error}); save the file as UTF-8 and say so"
        return own_diagnostic(UNDECODABLE_FILE, Source(filename, ""), message)
    return Source(filename, text, encoding, bom)


def parse_ast(source: Source) -> ast.Module | Diagnostic:
    """Python's own parse, without its warnings; an LL904 or LL905 where there is none."""
    if "\0" in source.text:
        offset = len(source.text[: source.text.index("\0")].encode())
        return own_diagnostic(SYNTAX_ERROR, source, "source code cannot hold NUL bytes; is this a binary file?", offset)
    try:
        return _parsed(source.text)
    except SyntaxError as error:
        if error.msg in _NESTING:
            return own_diagnostic(
                TOO_COMPLEX, source, f"cannot be analysed: {error.msg}; exclude the file to silence this"
            )
        return own_diagnostic(SYNTAX_ERROR, source, f"cannot be parsed: {error.msg}", _offset(source, error))
    except (RecursionError, MemoryError):
        return own_diagnostic(TOO_COMPLEX, source, "is nested too deeply to be parsed; exclude it to silence this")
    except ValueError as error:
        return own_diagnostic(SYNTAX_ERROR, source, f"cannot be parsed: {error}")


@lru_cache(maxsize=1)
def _parsed(text: str) -> ast.Module:
    """A file in which losses were looked for is parsed already when they are looked at."""
    return quietly_parsed(text)


_NESTING = ("too many nested parentheses", "too many levels of indentation")


def _offset(source: Source, error: SyntaxError) -> int:
    row = error.lineno or 1
    starts = source._lines
    start = starts[min(row, len(starts)) - 1]
    return min(start + len(source.line(row)[: max((error.offset or 1) - 1, 0)].encode()), len(source.utf8))


def too_complex(source: Source, tree: ast.Module) -> Diagnostic | None:
    """An LL905 for what libcst would choke on: deep nesting, of brackets too, and very long sums."""
    depth = max(_bracket_depth(source.text), _tree_depth(source, tree))
    if depth <= MAX_DEPTH:
        longest = longest_statement(source.text, tree)
        if longest <= MAX_STATEMENT:
            return None
        message = f"has a class or function of {longest:,} characters, where {MAX_STATEMENT:,} are analysed"
        return own_diagnostic(TOO_COMPLEX, source, f"{message}; exclude it to silence this")
    message = f"is nested {depth} deep, where {MAX_DEPTH} are analysed (a sum counts one for each term); exclude it to silence this"
    return own_diagnostic(TOO_COMPLEX, source, message)


def longest_statement(text: str, tree: ast.Module) -> int:
    """About the number of characters of the longest statement at the top of a file."""
    if len(text) <= MAX_STATEMENT:
        return 0
    lines = max(((node.end_lineno or node.lineno) - node.lineno + 1 for node in tree.body), default=0)
    return lines * len(text) // (text.count("\n") + 1)


def _bracket_depth(text: str) -> int:
    """How deep brackets nest, those in strings and comments counted too: an upper bound is enough."""
    if text.count("(") + text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    deepest = depth = 0
    for character in _BRACKETS.findall(text):
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif depth:
            depth -= 1
    return deepest


def _tree_depth(source: Source, tree: ast.Module) -> int:
    """The depth of the syntax tree, as far as it may matter; a left-leaning sum of n terms counts as n / 5.

    Each step down takes a character at least, so that what is short enough need not be walked.
    """
    lines = source._lines
    deepest = 0
    pending: list[tuple[ast.AST, float]] = [(tree, 0.0)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, int(depth))
        if isinstance(node, (ast.stmt, ast.expr)):
            start = lines[node.lineno - 1] + node.col_offset
            end = lines[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or MAX_STATEMENT)
            if depth + end - start + _LEAF < MAX_DEPTH:
                continue
        step = MAX_DEPTH / MAX_TERMS if isinstance(node, ast.BinOp) else 1.0
        pending.extend((child, depth + step) for child in ast.iter_child_nodes(node))
    return deepest


def parse_cst(source: Source) -> cst.Module | Diagnostic:
    """libcst's parse, which keeps every space and comment; an LL904 for syntax that only a newer libcst knows."""
    import libcst

    from losslint.long_files import parse_module

    try:
        return parse_module(source.text)
    except libcst.ParserSyntaxError as error:
        message = f"libcst {libcst.LIBCST_VERSION} cannot parse this, though Python can: {error.message}; update libcst"
        return own_diagnostic(SYNTAX_ERROR, source, message)
    except RecursionError:
        return own_diagnostic(TOO_COMPLEX, source, "is nested too deeply to be parsed; exclude it to silence this")


def internal_error(source: Source, error: BaseException) -> Diagnostic:
    """An LL906 for an exception while a file was analysed."""
    message = f"losslint failed here ({type(error).__name__}: {error}); please report this. LOSSLINT_DEBUG=1 shows more"
    return own_diagnostic(INTERNAL_ERROR, source, message)
