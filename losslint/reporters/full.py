"""The whole story of every finding for a person at a terminal: where, what, the witness path, and the way out.

Errors and warnings come first, in the order of the files; infos follow, dimmed and in short.
"""

from __future__ import annotations

import difflib
import io
import shutil
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from losslint.diagnostic import Applicability, Diagnostic, Evidence, Fix, Place, Severity, Verdict
from losslint.fixes import edited
from losslint.reporters import summary
from losslint.reporters.excerpt import Line, excerpt, one_line, printable

if TYPE_CHECKING:
    from losslint.runner import Report

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "cyan"}
_VERDICTS = {
    Verdict.CONFIRMED: "confirmed: a run showed it",
    Verdict.NOT_REPRODUCED: "not reproduced: a run reached this line and all went well",
    Verdict.NOT_RUN: "not run",
}
_NARROW, _FALLBACK, _WIDE = 60, 100, 120
_MOST_CHANGES = 8


def render(report: Report, color: bool = False) -> str:
    """The report as text for a terminal; without colour it holds no escape codes."""
    page = _Page(report, shutil.get_terminal_size((_FALLBACK, 24)).columns)
    lines = list(page.lines())
    if not color:
        return "".join(f"{line.plain.rstrip()}\n" for line in lines)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", highlight=False)
    with console.capture() as capture:
        for line in lines:
            console.print(line, soft_wrap=True)
    return capture.get()


class _Page:
    def __init__(self, report: Report, columns: int) -> None:
        self._report = report
        self._width = min(max(columns, _NARROW), _WIDE)

    def lines(self) -> Iterator[Text]:
        found = self._report.diagnostics
        for diagnostic in found:
            if diagnostic.severity is not Severity.INFO:
                yield from self._story(diagnostic)
        doubted = [diagnostic for diagnostic in found if diagnostic.doubted is not None]
        if doubted:
            yield Text("Worth a look (info: your callers may rule these out; --trust makes them fail a run)", "dim")
            yield Text()
        for diagnostic in doubted:
            yield from self._story(diagnostic)
        infos = [
            diagnostic for diagnostic in found if diagnostic.severity is Severity.INFO and diagnostic.doubted is None
        ]
        if infos and len(infos) < len(found):
            yield Text("Also seen (info: nothing proven, does not fail the run)", "dim")
            yield Text()
        for diagnostic in infos:
            yield from self._note(diagnostic)
        for line in summary(self._report).splitlines():
            yield Text(line, "bold")

    def _story(self, diagnostic: Diagnostic) -> Iterator[Text]:
        yield _header(diagnostic)
        yield from self._prose(diagnostic.message, "  ", "bold")
        yield from self._excerpt(diagnostic, "bold red" if diagnostic.severity is Severity.ERROR else "bold yellow")
        if diagnostic.evidence:
            yield Text("  How it comes about:")
            for number, step in enumerate(diagnostic.evidence, 1):
                yield from self._step(number, step)
            yield Text()
        if diagnostic.verdict:
            yield Text(f"  run: {_VERDICTS[diagnostic.verdict]}")
        if diagnostic.fix:
            yield from self._fix(diagnostic, diagnostic.fix)
        yield Text.assemble("  see: ", (f"losslint rule {diagnostic.code}", "cyan"))
        yield Text()

    def _note(self, diagnostic: Diagnostic) -> Iterator[Text]:
        yield _header(diagnostic)
        yield from self._prose(diagnostic.message, "  ", "dim")
        code = self._code(diagnostic.place, self._width - 4)
        if code:
            yield Text(f"    {code}", "dim")
        if diagnostic.fix:
            yield from self._fix(diagnostic, diagnostic.fix)
        yield Text()

    def _prose(self, text: str, indent: str, style: str = "") -> Iterator[Text]:
        paragraphs = printable(text.replace("\n", " ").strip())
        for line in textwrap.wrap(
            paragraphs, self._width - len(indent), break_long_words=False, break_on_hyphens=False
        ):
            yield Text(indent).append(line, style)

    def _excerpt(self, diagnostic: Diagnostic, style: str) -> Iterator[Text]:
        source = self._report.sources.get(diagnostic.filename)
        yield Text()
        if source is None or not source.utf8:
            return
        digits = len(str(diagnostic.place.end_location.row + 1))
        for line in excerpt(source, diagnostic.place, self._width - digits - 7):
            yield _numbered(line, digits, style)
            if line.end:
                under = " " * line.start + "^" * (line.end - line.start)
                yield Text.assemble((f"  {' ' * digits} | ", "dim"), (f"  {under}", style))
        yield Text()

    def _step(self, number: int, step: Evidence) -> Iterator[Text]:
        at = step.place.location
        place = f"{number:>5}. {printable(step.place.filename)}:{at.row}:{at.column}"
        code = self._code(step.place, self._width - 7)
        fits = cell_len(place) + 2 + cell_len(code) <= self._width
        yield Text.assemble((place, "dim"), "  " if fits else "\n       ", code)
        yield from self._prose(step.message, " " * 7)

    def _code(self, place: Place, width: int) -> str:
        source = self._report.sources.get(place.filename)
        return one_line(source, place, width) if source is not None and source.utf8 else ""

    def _fix(self, diagnostic: Diagnostic, fix: Fix) -> Iterator[Text]:
        title = f"fix ({fix.applicability.value}):"
        lines = list(self._prose(f"{title} {fix.message}", "  "))
        lines[0].stylize("green" if fix.applicability is Applicability.SAFE else "yellow", 2, 2 + len(title))
        yield from lines
        yield from self._changes(diagnostic, fix)

    def _changes(self, diagnostic: Diagnostic, fix: Fix) -> Iterator[Text]:
        """The lines that a fix takes away and puts in their place."""
        source = self._report.sources.get(diagnostic.filename)
        if source is None:
            return
        before, after = source.text.splitlines(), edited(source, fix).splitlines()
        diff = list(difflib.unified_diff(before, after, n=0, lineterm=""))
        changed = [line for line in diff[2:] if not line.startswith("@@")]
        if len(changed) > _MOST_CHANGES:
            return
        for line in changed:
            text = f"{line[0]} {printable(line[1:].strip())}"
            yield Text(f"    {text}", "red" if line[0] == "-" else "green")


def _header(diagnostic: Diagnostic) -> Text:
    at = diagnostic.place.location
    style = _STYLES[diagnostic.severity]
    is_info = diagnostic.severity is Severity.INFO
    header = Text.assemble(
        (f"{printable(diagnostic.filename)}:{at.row}:{at.column}: ", "dim" if is_info else "bold"),
        (f"{diagnostic.code} [{diagnostic.severity.value}] ", style),
        (diagnostic.name, "dim" if is_info else "bold"),
    )
    return header.append(f" in {printable(diagnostic.symbol)}", "dim") if diagnostic.symbol else header


def _numbered(line: Line, digits: int, style: str) -> Text:
    if line.row is None:
        return Text.assemble((f"  {'':{digits}} | ", "dim"), f"  {line.text}")
    mark = ("> ", style) if line.is_flagged else "  "
    return Text.assemble((f"  {line.row:>{digits}} | ", "dim"), mark, (line.text, "" if line.is_flagged else "dim"))
