"""One file with losses in, its diagnostics out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from losslint.diagnostic import Diagnostic, Edit, Evidence, Fix, Place, fingerprint
from losslint.fixes import demote_commented
from losslint.positions import Positions
from losslint.rule import Finding, Rule
from losslint.semantics.interpreter import analyse
from losslint.semantics.losses import Loss
from losslint.semantics.names import Unit, parse_unit
from losslint.semantics.project import Project
from losslint.semantics.values import Site
from losslint.source import Source, parse_cst


def lint_source(
    source: Source, losses: Sequence[Loss], rules: Sequence[Rule], project: Project
) -> tuple[Diagnostic, ...]:
    """Every finding of the rules in the losses of one file, in source order, each place once a rule.

    A file libcst cannot read gives one LL9 diagnostic instead.
    """
    module = parse_cst(source)
    if isinstance(module, Diagnostic):
        return (module,)
    unit = parse_unit(Path(source.filename), source.filename, module)
    findings = list(_findings(unit, losses, rules))
    if not findings:
        return ()
    report = _Report(source, unit)
    diagnostics = [report.diagnostic(finding) for finding in _strongest_each(findings)]
    return tuple(sorted(diagnostics, key=lambda diagnostic: diagnostic.sort_key))


def _findings(unit: Unit, losses: Sequence[Loss], rules: Sequence[Rule]) -> Iterable[Finding]:
    for loss in losses:
        for entry in loss.entries:
            graph = analyse(unit, entry)
            if graph is not None:
                for rule in rules:
                    yield from rule.findings(graph)


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
    """Turns findings, which speak of nodes, into diagnostics, which speak of places."""

    def __init__(self, source: Source, unit: Unit) -> None:
        self._source = source
        self._positions = Positions(unit)
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def _place(self, site: Site) -> Place:
        return self._source.place(self._positions.span(site.node))

    def diagnostic(self, finding: Finding) -> Diagnostic:
        place = self._place(finding.site)
        symbol = self._positions.symbol(finding.site.node)
        excerpt = self._source.excerpt(place.span)
        same = (finding.rule.code, symbol, excerpt)
        occurrence = self._seen[same]
        self._seen[same] += 1
        diagnostic = Diagnostic(
            code=finding.rule.code,
            name=finding.rule.name,
            message=finding.message,
            severity=finding.severity,
            place=place,
            symbol=symbol,
            evidence=tuple(Evidence(step.message, self._place(step.site)) for step in finding.evidence),
            fix=self._fix(finding),
            url=f"docs/rules/{finding.rule.name}.md",
            fingerprint=fingerprint(
                finding.rule.code, Path(self._source.filename).as_posix(), symbol, excerpt, occurrence
            ),
        )
        return demote_commented(self._source, diagnostic)

    def _fix(self, finding: Finding) -> Fix | None:
        rewrite = finding.rewrite
        if rewrite is None:
            return None
        edits = tuple(Edit(self._place(replacement.site), replacement.content) for replacement in rewrite.replacements)
        return Fix(rewrite.applicability, rewrite.message, edits)
