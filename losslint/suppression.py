"""Findings silenced by comments, and the comments that silence nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from losslint.comments import Comment, comments
from losslint.diagnostic import Applicability, Diagnostic, Edit, Fix, Span, fingerprint
from losslint.directives import Directive, Entry, Kind, Stretch, directives, without
from losslint.packs import RuleInfo
from losslint.registry import nearest
from losslint.source import Source

UNUSED = "LL901"
_MENTIONED = re.compile(r"losslint\s*:|noqa", re.IGNORECASE)
_OWN = re.compile(r"losslint\s*:|noqa\s*:[^\n]*\bLL[0-9]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What is wrong with a suppression, and the entries that can go."""

    directive: Directive
    message: str
    useless: frozenset[Entry] = frozenset()


def suppress(
    source: Source,
    diagnostics: Sequence[Diagnostic],
    selected: Collection[str],
    known: Mapping[str, RuleInfo],
) -> tuple[Diagnostic, ...]:
    """The diagnostics of one file that no comment silences, and an LL901 for every comment that is of no use.

    `selected` holds the codes this run looked for in this file: only those can be found unused. `known` is the
    registry's index. LL901 is given only if selected itself.
    """
    if not _is_worth_reading(source.text, diagnostics, known):
        return tuple(diagnostics)
    found = [directive for comment in comments(source) for directive in directives(comment)]
    board = _Board(found, known)
    kept = board.kept(diagnostics)
    if UNUSED in selected:
        seen: Counter[str] = Counter()
        own = [_diagnostic(source, each, known[UNUSED], seen) for each in board.complaints(selected, diagnostics)]
        kept += board.kept(own)
        kept += (_diagnostic(source, each, known[UNUSED], seen) for each in board.unused({UNUSED}))
    return tuple(sorted(kept, key=lambda diagnostic: diagnostic.sort_key))


def _is_worth_reading(text: str, diagnostics: Sequence[Diagnostic], known: Iterable[str]) -> bool:
    if diagnostics:
        return _MENTIONED.search(text) is not None
    return _OWN.search(text) is not None or ("noqa" in text and any(code in text for code in known))


class _Board:
    """The suppressions of one file, and which of their entries were of use."""

    def __init__(self, found: Sequence[Directive], known: Mapping[str, RuleInfo]) -> None:
        self._directives = found
        self._known = known
        self._by_name = {info.name: code for code, info in known.items()}
        self._used: set[tuple[Directive, Entry]] = set()

    def _code(self, directive: Directive, entry: Entry) -> str | None:
        """The code an entry means; None where it is no rule of losslint."""
        text = entry.text.upper() if directive.kind is Kind.NOQA else entry.text
        return text if text in self._known else self._by_name.get(text)

    def kept(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Those that nothing silences; the entries that silence others count as used from here on."""
        return [diagnostic for diagnostic in diagnostics if not self._silence(diagnostic)]

    def _silence(self, diagnostic: Diagnostic) -> bool:
        silenced = False
        for directive in self._directives:
            if not _reaches(directive, diagnostic):
                continue
            silenced = silenced or directive.silences_all
            for entry in directive.entries or ():
                if self._code(directive, entry) == diagnostic.code:
                    self._used.add((directive, entry))
                    silenced = True
                    break
        return silenced

    def complaints(self, selected: Collection[str], diagnostics: Sequence[Diagnostic]) -> Iterator[_Complaint]:
        """Everything wrong with the suppressions, but for unused entries that silence LL901 itself."""
        for directive in self._directives:
            yield from self._misspelt(directive, diagnostics)
        yield from self.unused(set(selected) - {UNUSED})

    def _misspelt(self, directive: Directive, diagnostics: Sequence[Diagnostic]) -> Iterator[_Complaint]:
        if directive.kind is None:
            yield _Complaint(directive, f"`{directive.verb}` is unknown here: write `ignore` or `file-ignore`")
        elif not directive.entries and not directive.silences_all:
            yield _Complaint(directive, _wants_codes(directive, diagnostics))
        for entry in directive.entries or ():
            is_ours = directive.kind is not Kind.NOQA or re.fullmatch(r"LL[0-9]{3}", entry.text.upper())
            if is_ours and self._code(directive, entry) is None:
                close = nearest(entry.text)
                hint = f"; did you mean {close}?" if close else ""
                yield _Complaint(directive, f"`{entry.text}` is no rule, so it silences nothing{hint}")

    def unused(self, selected: Collection[str]) -> Iterator[_Complaint]:
        """The suppressions with entries that were looked for and silenced nothing."""
        for directive in self._directives:
            if directive.kind is None:
                continue
            useless = [
                entry
                for entry in directive.entries or ()
                if self._code(directive, entry) in selected and (directive, entry) not in self._used
            ]
            if useless:
                names = ", ".join(entry.text for entry in useless)
                where = "in this file" if directive.kind is Kind.FILE_IGNORE else "here"
                message = f"unused suppression: nothing {where} is found by {names}"
                yield _Complaint(directive, message, frozenset(useless))


def _wants_codes(directive: Directive, diagnostics: Sequence[Diagnostic]) -> str:
    codes = sorted({each.code for each in diagnostics if _reaches(directive, each)})
    example = ", ".join(codes) or "LL201"
    return f"`{directive.verb}` silences nothing without codes: write `{directive.verb}[{example}]`"


def _reaches(directive: Directive, diagnostic: Diagnostic) -> bool:
    """Whether a suppression stands where it can silence a finding, whatever its codes."""
    if directive.kind is None or directive.kind is Kind.FILE_IGNORE:
        return directive.kind is Kind.FILE_IGNORE
    comment = directive.comment
    if comment.statement is None or not _contains(comment.statement, diagnostic.place.span.start):
        return False
    if directive.kind is Kind.IGNORE:
        return True
    return not comment.is_above and (not directive.silences_all or _shares_line(comment, diagnostic))


def _contains(span: Span, offset: int) -> bool:
    return span.start <= offset <= span.end


def _shares_line(comment: Comment, diagnostic: Diagnostic) -> bool:
    """Whether the finding has text in the comment's line: as in ruff, a bare `noqa` is for its line alone."""
    span = diagnostic.place.span
    return span.start < comment.line.end and comment.line.start <= max(span.start, span.end - 1)


def _diagnostic(source: Source, complaint: _Complaint, info: RuleInfo, seen: Counter[str]) -> Diagnostic:
    directive = complaint.directive
    place = source.place(_span(directive.comment, directive.stretch.start, directive.stretch.end))
    excerpt = source.excerpt(place.span)
    filename = Path(source.filename).as_posix()
    print_ = fingerprint(info.code, filename, "", excerpt, seen[excerpt])
    seen[excerpt] += 1
    fix = _removal(source, complaint) if complaint.useless else None
    return Diagnostic(
        info.code,
        info.name,
        complaint.message,
        info.severity,
        place,
        fix=fix,
        url=info.url,
        fingerprint=print_,
    )


def _removal(source: Source, complaint: _Complaint) -> Fix:
    comment = complaint.directive.comment
    stretch, content = without(complaint.directive, complaint.useless)
    span = _span(comment, stretch.start, stretch.end) if content else _emptied(source, comment, stretch)
    codes = ", ".join(sorted(entry.text for entry in complaint.useless))
    return Fix(Applicability.SAFE, f"remove {codes} from the suppression", (Edit(source.place(span), content),))


def _emptied(source: Source, comment: Comment, stretch: Stretch) -> Span:
    """What goes with a stretch of a comment that is removed: white space, and a line that held nothing else."""
    behind = comment.text[stretch.end :]
    if behind.strip():
        return _span(comment, stretch.start, len(comment.text) - len(behind.lstrip()))
    if stretch.start == 0 and comment.is_alone:
        return comment.line
    before = source.utf8[comment.line.start : _span(comment, stretch.start, stretch.start).start]
    return Span(comment.line.start + len(before.rstrip(b" \t\f")), comment.span.end)


def _span(comment: Comment, start: int, end: int) -> Span:
    """Characters [start, end) of a comment as bytes of the source."""
    first = comment.span.start + len(comment.text[:start].encode())
    return Span(first, first + len(comment.text[start:end].encode()))
