"""Applying fixes to files: check, mend, check again, until nothing more can be mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from losslint.diagnostic import Diagnostic
from losslint.fixes import NotWritten, apply_fixes, unified_diff, write_fixed
from losslint.runner import Checked, Report, Request, Workspace, check_bytes, check_each, report
from losslint.source import Source, source_from_bytes

MAX_PASSES = 10


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did: the report on what remains, the diff, how much was fixed, and what could not be written.

    `text` is the mended text of a file that came from standard input.
    """

    report: Report
    diff: str
    fixed: int
    complaints: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Mended:
    outcome: Checked
    source: Source
    text: str
    fixed: int


def repair(request: Request, unsafe: bool, write: bool) -> Repair:
    """Mend every file of a request; with `write` the files are changed, otherwise only the diff is made."""
    outcomes: list[Checked] = []
    diffs: list[str] = []
    complaints: list[str] = []
    fixed = 0
    text = ""
    for outcome, filename, data in _checked_files(request):
        mended = _mend(outcome, filename, data, request, unsafe)
        if mended is None:
            outcomes.append(outcome)
            text = data.decode("utf-8", "replace")
            continue
        diffs.append(unified_diff(mended.source, mended.text))
        text = mended.text
        if write and request.stdin is None:
            try:
                write_fixed(Path(filename), mended.source, mended.text)
            except NotWritten as error:
                complaints.append(str(error))
                outcomes.append(outcome)
                continue
        outcomes.append(mended.outcome)
        fixed += mended.fixed
    return Repair(report(outcomes, fixed), "".join(diffs), fixed, tuple(complaints), text)


def _checked_files(request: Request) -> Iterator[tuple[Checked, str, bytes]]:
    if request.stdin is not None:
        (outcome,) = check_each(request)
        yield outcome, *request.stdin
        return
    for path in request.files:
        (outcome,) = check_each(replace(request, files=(path,)))
        data = path.read_bytes() if any(each.fix is not None for each in outcome.diagnostics) else b""
        yield outcome, str(path), data


def _mend(outcome: Checked, filename: str, data: bytes, request: Request, unsafe: bool) -> _Mended | None:
    """Fixes applied again and again, since one may make room for another; None where there is nothing to mend."""
    original = source_from_bytes(data, filename)
    if isinstance(original, Diagnostic):
        return None
    source, total = original, 0
    for _ in range(MAX_PASSES):
        applied = apply_fixes(source, outcome.diagnostics, unsafe)
        if not applied.applied:
            break
        total += len(applied.applied)
        source = Source(filename, applied.text, original.encoding, original.bom)
        outcome = check_bytes(source.data, filename, request, Workspace(request.root))
    return _Mended(outcome, original, source.text, total) if total else None
