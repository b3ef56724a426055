"""From measurements to diagnostics: rules say what is wrong, this says where, with a script that shows it."""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from losslint.diagnostic import Diagnostic, Evidence, Origin, Place, Span, fingerprint
from losslint.files import displayed
from losslint.measurements import Measurements
from losslint.probe.reproducers import reproducer
from losslint.rule import Rule, RunFinding
from losslint.semantics.outline import outline
from losslint.source import Source, parse_ast, read_source


class Judge:
    """Asks rules about runs. `names` says how a file (its real path) is called in reports; others are called relative to the
    working directory. `sources` holds the files that diagnostics are in, by that name."""

    def __init__(self, rules: Sequence[Rule], names: Mapping[str, str] | None = None) -> None:
        self._rules = [rule for rule in rules if rule.probe_handlers]
        self._names = names or {}
        self._symbols: dict[str, list[tuple[int, int, str]]] = {}
        self._seen: Counter[tuple[str, ...]] = Counter()
        self.sources: dict[str, Source] = {}

    def judge(self, m: Measurements) -> tuple[tuple[RunFinding, Diagnostic], ...]:
        """The findings in one run, each with its diagnostic, one a rule and line."""
        best: dict[tuple[str, str | None, int | None], RunFinding] = {}
        for finding in self._findings(m):
            where = finding.line
            key = (finding.rule.code, where.filename if where else None, where.line if where else None)
            if key not in best or best[key].severity < finding.severity:
                best[key] = finding
        found = ((each, self._diagnostic(each, m)) for each in best.values())
        return tuple(pair for pair in found if pair[1] is not None)  # type: ignore[misc]

    def _findings(self, m: Measurements) -> Iterator[RunFinding]:
        for rule in self._rules:
            yield from rule.run_findings(m)

    def name_of(self, filename: str) -> str:
        """How a file is called in reports."""
        return self._names.get(os.path.realpath(filename)) or displayed(filename)

    def _diagnostic(self, finding: RunFinding, m: Measurements) -> Diagnostic | None:
        at_home = self._place(m.filename, m.line)
        place = at_home
        if finding.line is not None and finding.line.filename and finding.line.line:
            place = self._place(finding.line.filename, finding.line.line) or at_home
        if place is None:
            return None
        source = self.sources[place.filename]
        symbol = self._symbol(source, place.location.row) or m.symbol
        excerpt = source.excerpt(place.span)
        same = (finding.rule.code, place.filename, symbol, excerpt)
        occurrence = self._seen[same]
        self._seen[same] += 1
        evidence = [] if place is at_home or at_home is None else [Evidence(f"`{m.symbol}` was run", at_home)]
        evidence.append(Evidence(inputs_in_words(m), place))
        script = reproducer(finding, m)
        return Diagnostic(
            code=finding.rule.code,
            name=finding.rule.name,
            message=finding.message,
            severity=finding.severity,
            place=place,
            symbol=symbol,
            evidence=tuple(evidence),
            origin=Origin.PROBE,
            confidence=round(finding.confidence, 3),
            reproducer=script,
            url=f"docs/rules/{finding.rule.name}.md",
            fingerprint=fingerprint(finding.rule.code, Path(place.filename).as_posix(), symbol, excerpt, occurrence),
        )

    def _place(self, filename: str, row: int) -> Place | None:
        """The text of a line, without its indentation."""
        name = self.name_of(filename)
        source = self.sources.get(name)
        if source is None:
            read = read_source(Path(filename), name)
            if not isinstance(read, Source):
                return None
            source = self.sources[name] = read
        text = source.line(row)
        start = len("".join(source.text.splitlines(keepends=True)[: row - 1]).encode("utf-8", "surrogatepass"))
        indent = len(text) - len(text.lstrip())
        end = start + len(text.rstrip().encode("utf-8", "surrogatepass"))
        return source.place(Span(start + indent, max(end, start + indent)))

    def _symbol(self, source: Source, row: int) -> str:
        """The innermost function or class around a row."""
        if source.filename not in self._symbols:
            tree = parse_ast(source)
            every = outline(tree).sites if isinstance(tree, ast.Module) else ()
            spans = [(each.node.lineno, each.node.end_lineno or each.node.lineno, each.qualname) for each in every]
            self._symbols[source.filename] = sorted(spans, key=lambda each: each[1] - each[0])
        return next((name for first, last, name in self._symbols[source.filename] if first <= row <= last), "")


def inputs_in_words(m: Measurements) -> str:
    """What the loss was given, for people."""
    shown = [f"{each.name} {_shape(each.shape)} {each.kind}" for each in m.inputs if each.shape is not None]
    source = {"family": "guessed after their names", "guess": "guessed", "docstring": "from the docstring"}
    told = source.get(m.input_source or "", f"from the {m.input_source}")
    return f"ran {m.symbol} with {', '.join(shown) or 'no tensors'} ({told})"


def _shape(shape: tuple[int, ...] | None) -> str:
    return "(" + ", ".join(map(str, shape or ())) + ("," if shape and len(shape) == 1 else "") + ")"
