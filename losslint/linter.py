"""One file with losses in, its diagnostics out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path

from losslint.diagnostic import Diagnostic, Edit, Evidence, Fix, Place, fingerprint
from losslint.fixes import demote_commented
from losslint.garbage import collection_paused
from losslint.judged_by_callers import JudgedByCallers
from losslint.library import Library
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.interpreter import analyse
from losslint.semantics.kept import forget
from losslint.semantics.losses import Loss
from losslint.semantics.names import Unit
from losslint.semantics.pieces import Unparsable
from losslint.semantics.values import Site
from losslint.source import Source


@dataclass(frozen=True, slots=True)
class Linted:
    """The diagnostics of one file, and the sources that they and their evidence are in, by file name."""

    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)


def lint_source(source: Source, losses: Sequence[Loss], rules: Sequence[Rule], library: Library) -> Linted:
    """Every finding of the rules in the losses of one file, in source order, each place once a rule.

    A file libcst cannot read gives one LL9 diagnostic instead. `library` keeps parsed files between calls.
    """
    with collection_paused():
        linted = _lint_in_pieces(source, losses, rules, library)
        library.trim()
        forget()
        return linted


def _lint_in_pieces(source: Source, losses: Sequence[Loss], rules: Sequence[Rule], library: Library) -> Linted:
    """The lint of a file; once more without the files that turn out to be none that libcst can parse."""
    try:
        return _lint(source, losses, rules, library)
    except Unparsable as error:
        library.leave_out(error.path)
        forget()
        return _lint_in_pieces(source, losses, rules, library)


def _lint(source: Source, losses: Sequence[Loss], rules: Sequence[Rule], library: Library) -> Linted:
    unit = library.open(source)
    if isinstance(unit, Diagnostic):
        return Linted((unit,), {source.filename: source})
    findings = list(_findings(unit, losses, rules, library))
    if not findings:
        return Linted()
    report = _Report(unit, library)
    reported = (report.diagnostic(finding) for finding in _strongest_each(findings))
    diagnostics = [diagnostic for diagnostic in reported if diagnostic is not None]
    ordered = tuple(sorted(diagnostics, key=lambda diagnostic: diagnostic.sort_key))
    return Linted(ordered, report.sources)


def _findings(unit: Unit, losses: Sequence[Loss], rules: Sequence[Rule], library: Library) -> Iterable[Finding]:
    """The findings in each loss, in order; a graph goes when its findings are known, for all together may be large."""
    found: list[list[Finding]] = []
    followed: Counter[int] = Counter()
    helpers: list[tuple[int, int, bool]] = []
    for loss in losses:
        for entry in loss.entries:
            graph = analyse(unit, entry, library.resolve, library.texts_beside)
            if graph is None:
                continue
            followed.update(graph.inlined)
            if _may_be_seen_from_callers(graph):
                function = id(graph.function)
                helpers.append((len(found), function, function in graph.inlined))
            judged = JudgedByCallers(graph, lambda entry: analyse(unit, entry, library.resolve, library.texts_beside))
            found.append([finding for rule in rules for finding in filter(judged.stands, rule.findings(graph))])
    # A helper that was followed from another loss: its callers know better what it is given, and what they guard.
    for position, function, follows_itself in helpers:
        if followed[function] > follows_itself:
            found[position] = []
    return chain.from_iterable(found)


def _may_be_seen_from_callers(graph: Graph) -> bool:
    if graph.function is None:
        return False
    name = graph.function.name.value
    return name.startswith("_") or (bool(graph.owner) and name not in ("forward", "__call__"))


def _strongest_each(findings: Iterable[Finding]) -> Iterable[Finding]:
    """One finding a rule and node: paths and callers see the same line, the worst of what they see counts."""
    best: dict[tuple[str, int], Finding] = {}
    for finding in findings:
        key = (finding.rule.code, id(finding.site.node))
        known = best.get(key)
        if known is None or known.severity < finding.severity:
            best[key] = finding
    return best.values()


class _Report:
    """Turns findings, which speak of nodes, into diagnostics, which speak of places in the linted file."""

    def __init__(self, unit: Unit, library: Library) -> None:
        self._unit = unit
        self._library = library
        self._source = library.source(unit)
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self.sources: dict[str, Source] = {}

    def _place(self, site: Site) -> Place:
        source = self._library.source(site.unit)
        self.sources[source.filename] = source
        return source.place(self._library.positions(site.unit).span(site.node))

    def diagnostic(self, finding: Finding) -> Diagnostic | None:
        """The diagnostic of a finding; what happens in another file is reported where this one calls it."""
        site, evidence, message = self._at_home(finding)
        if site is None:
            return None
        place = self._place(site)
        symbol = self._library.positions(self._unit).symbol(site.node)
        excerpt = self._source.excerpt(place.span)
        same = (finding.rule.code, symbol, excerpt)
        occurrence = self._seen[same]
        self._seen[same] += 1
        diagnostic = Diagnostic(
            code=finding.rule.code,
            name=finding.rule.name,
            message=message,
            severity=finding.severity,
            place=place,
            symbol=symbol,
            evidence=tuple(Evidence(step.message, self._place(step.site)) for step in evidence),
            fix=self._fix(finding),
            url=f"docs/rules/{finding.rule.name}.md",
            fingerprint=fingerprint(
                finding.rule.code, Path(self._source.filename).as_posix(), symbol, excerpt, occurrence
            ),
            cause=None if finding.site.unit is self._unit else self._place(finding.site),
        )
        return demote_commented(self._source, diagnostic)

    def _at_home(self, finding: Finding) -> tuple[Site | None, tuple[Step, ...], str]:
        if finding.site.unit is self._unit:
            return finding.site, finding.evidence, finding.message
        leading = list(takewhile(lambda step: step.site.unit is self._unit, finding.evidence))
        local = leading or [step for step in finding.evidence if step.site.unit is self._unit]
        if not local:
            return None, (), ""
        there = Step(finding.site, finding.message)
        return local[-1].site, (*finding.evidence, there), f"in what is called here: {finding.message}"

    def _fix(self, finding: Finding) -> Fix | None:
        rewrite = finding.rewrite
        if rewrite is None or any(each.site.unit is not self._unit for each in rewrite.replacements):
            return None
        edits = tuple(Edit(self._place(replacement.site), replacement.content) for replacement in rewrite.replacements)
        return Fix(rewrite.applicability, rewrite.message, edits)
