"""How a report looks from outside: one module a format, imported only when asked for."""

from __future__ import annotations

import importlib
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from losslint.runner import Report

_MODULES = MappingProxyType(
    {
        "full": "losslint.reporters.full",
        "concise": "losslint.reporters.concise",
        "json": "losslint.reporters.json_format",
        "github": "losslint.reporters.github",
        "sarif": "losslint.reporters.sarif",
    }
)
FORMATS = tuple(_MODULES)


def render(format: str, report: Report, color: bool = False) -> str:
    """The report in one of FORMATS, ending in a line end unless empty; only `full` makes use of colour.

    Undecodable bytes of file names are shown as escapes, so the text can be written as UTF-8.

    Raises KeyError for another format.
    """
    module = importlib.import_module(_MODULES[format])
    text: str = module.render(report, color)
    return text.encode("utf-8", "backslashreplace").decode()


def summary(report: Report) -> str:
    """What was found, what `--fix` can mend and what it mended, in one to three lines for a person."""
    lines = [_found(report)]
    if report.fixed:
        lines.insert(0, f"Fixed {_count(report.fixed, 'finding')}.")
    if report.fixable or report.fixable_unsafe:
        lines.append(_mendable(report.fixable, report.fixable_unsafe))
    return "\n".join(lines)


def _found(report: Report) -> str:
    checked = f"{_count(report.losses, 'loss', 'losses')} in {_count(report.files, 'file')} checked"
    if not report.diagnostics:
        if not report.files:
            return "No Python files found."
        return f"No findings: {checked}." if report.losses else f"No loss found in {_count(report.files, 'file')}."
    counts = Counter(diagnostic.severity.value for diagnostic in report.diagnostics)
    nouns = (("error", "errors"), ("warning", "warnings"), ("info", "infos"))
    found = [_count(counts[one], one, many) for one, many in nouns if counts[one]]
    listed = " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
    return f"Found {listed}: {checked}."


def _mendable(safe: int, unsafe: int) -> str:
    if not safe:
        return f"{unsafe} fixable with --fix --unsafe-fixes (these change values or intent)."
    more = f", {unsafe} more with --unsafe-fixes (these change values or intent)" if unsafe else ""
    return f"{safe} fixable with --fix{more}."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
