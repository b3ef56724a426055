"""A probe run for a person at a terminal: a table of the losses, what goes wrong and why, and what could not be run."""

from __future__ import annotations

import io
import shutil
import textwrap
from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from losslint.diagnostic import Diagnostic, Severity
from losslint.files import displayed
from losslint.measurements import Measurements, Number, Term
from losslint.probe.report import Probed, ProbeReport
from losslint.reporters.excerpt import one_line, printable

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "cyan"}
_NARROW, _FALLBACK, _WIDE = 70, 100, 140
_MOST_UNTRACED = 5
_MOST_SPLIT, _MOST_TERMS = 8, 6
_STATUS = {
    "ok": "ok",
    "no-inputs": "no inputs",
    "not-constructed": "not made",
    "import-error": "no import",
    "crashed": "crashed",
    "timeout": "timeout",
}


def render(report: ProbeReport, color: bool = False) -> str:
    """The report as text; without colour it holds no escape codes."""
    columns = min(max(shutil.get_terminal_size((_FALLBACK, 24)).columns, _NARROW), _WIDE)
    lines = list(_lines(report, columns))
    if not color:
        return "".join(f"{line.plain.rstrip()}\n" for line in lines)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", highlight=False)
    with console.capture() as capture:
        for line in lines:
            console.print(line, soft_wrap=True)
    return capture.get()


def _lines(report: ProbeReport, columns: int) -> Iterator[Text]:
    yield from _table(report, columns)
    loud = [each for each in report.diagnostics if each.severity is not Severity.INFO]
    quiet = [each for each in report.diagnostics if each.severity is Severity.INFO]
    for diagnostic in sorted(loud, key=lambda each: (-each.severity.rank, each.sort_key)):
        yield from _story(diagnostic, report, columns)
    if quiet:
        yield Text()
        yield Text("Also seen (info: rests on guessed inputs or is a matter of taste, does not fail the run)", "dim")
        for diagnostic in quiet:
            row = diagnostic.place.location.row
            head = f"  {diagnostic.filename}:{row}: {diagnostic.code} "
            yield Text(head + printable(diagnostic.message), "dim")
    yield from _terms(report, columns)
    yield from _untraced(report, columns)
    yield from _not_run(report, columns)
    yield Text()
    yield from (Text(line, "bold") for line in _summary(report))


def _table(report: ProbeReport, columns: int) -> Iterator[Text]:
    """One line a loss: what came of it, in columns."""
    if not report.losses:
        return
    width = max(16, min(columns - 62, max(cell_len(each.measurements.target) for each in report.losses)))
    yield Text(
        f"{'loss':<{width}}  {'status':<9} {'value':>9} {'gradient':>8} {'check':<13} {'device':<8} findings", "bold"
    )
    for each in report.losses:
        m = each.measurements
        name = m.target if cell_len(m.target) <= width else "..." + m.target[-(width - 3) :]
        worst = max((found.severity for found in each.diagnostics), default=None)
        cells = (
            f"{set_cell_size(name, width)}  {_STATUS.get(m.status, m.status):<9} {_value(m):>9} {_gradient(m):>8} "
            f"{_check(m):<13} {_device(m):<8} {_codes(each)}"
        )
        yield Text(cells, _STYLES[worst] if worst in (Severity.ERROR, Severity.WARNING) else "")


def _value(m: Measurements) -> str:
    value = m.forward.value if m.forward is not None else None
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _gradient(m: Measurements) -> str:
    return {True: "yes", False: "none", None: "-"}[m.has_gradient]


def _check(m: Measurements) -> str:
    return m.gradient_check.status if m.gradient_check is not None else "-"


def _device(m: Measurements) -> str:
    return m.device.status if m.device is not None else "-"


def _codes(probed: Probed) -> str:
    return " ".join(sorted({each.code for each in probed.diagnostics if each.severity is not Severity.INFO})) or ""


def _story(diagnostic: Diagnostic, report: ProbeReport, columns: int) -> Iterator[Text]:
    at = diagnostic.place.location
    yield Text()
    yield Text.assemble(
        (f"{diagnostic.filename}:{at.row}", "bold"),
        "  ",
        (f"{diagnostic.severity.value} {diagnostic.code}", _STYLES[diagnostic.severity]),
        (f" {diagnostic.name}", ""),
        (f"  in {diagnostic.symbol}" if diagnostic.symbol else "", "dim"),
    )
    for line in textwrap.wrap(printable(diagnostic.message), columns - 2):
        yield Text(f"  {line}", "bold")
    source = report.sources.get(diagnostic.filename)
    if source is not None:
        yield Text(f"  {at.row} | {one_line(source, diagnostic.place, columns - 12)}")
    for step in diagnostic.evidence[-1:]:
        for line in textwrap.wrap(printable(step.message), columns - 2):
            yield Text(f"  {line}", "dim")
    if diagnostic.confidence is not None and diagnostic.confidence < 0.75:
        yield Text(
            f"  the inputs are a guess (confidence {diagnostic.confidence:.0%}): give an example to be sure", "dim"
        )


def _terms(report: ProbeReport, columns: int) -> Iterator[Text]:
    """The terms of final sums with value and share of the gradient, the most uneven sums first."""
    split = [each.measurements for each in report.losses if len(_own_terms(each.measurements)) > 1]
    if not split:
        return
    yield Text()
    yield Text(
        "Terms of the sums: value and share of the gradient (on dummy inputs; compare on a batch of yours)", "dim"
    )
    ranked = sorted(split, key=lambda m: -max(_share(term) for term in _own_terms(m)))
    for m in ranked[:_MOST_SPLIT]:
        parts = "; ".join(
            f"{each.name} = {_short(each.value)} ({_percent(each)})" for each in _own_terms(m)[:_MOST_TERMS]
        )
        left = len(_own_terms(m)) - _MOST_TERMS
        yield from _paragraph(f"{m.target}: {parts}{f'; {left} more' if left > 0 else ''}", columns, "  ", "dim")
    if len(ranked) > _MOST_SPLIT:
        yield Text(f"  and {len(ranked) - _MOST_SPLIT} more losses (--output-format json has all)", "dim")


def _own_terms(m: Measurements) -> list[Term]:
    """The summands, without those that are halves of one thing."""
    found = m.terms.terms if m.terms is not None and m.terms.status == "split" else ()
    return sorted((each for each in found if not each.complementary), key=_share, reverse=True)


def _share(term: Term) -> float:
    return float(term.gradient_share) if isinstance(term.gradient_share, (int, float)) else 0.0


def _percent(term: Term) -> str:
    share = _share(term)
    return f"{share:.0%}" if share >= 0.005 or not share else f"{share:.0e}"


def _short(value: Number) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else str(value)


def _untraced(report: ProbeReport, columns: int) -> Iterator[Text]:
    """The lines at which symbolic tracing gives up, those of most losses first; most need no attention."""
    losses: dict[tuple[str, int, str], list[str]] = {}
    for each in report.losses:
        trace = each.measurements.trace
        stopped = trace.stopped_at if trace is not None else None
        if stopped and stopped.get("filename") and stopped.get("line"):
            key = (str(stopped["filename"]), int(stopped["line"]), str(stopped.get("reason", "")))
            losses.setdefault(key, []).append(each.measurements.symbol)
    if not losses:
        return
    yield Text()
    yield Text("Where torch.fx.symbolic_trace gives up (info: the loss runs all the same)", "dim")
    ranked = sorted(losses.items(), key=lambda item: -len(item[1]))
    for (filename, line, reason), symbols in ranked[:_MOST_UNTRACED]:
        more = f" and {len(symbols) - 1} more" if len(symbols) > 1 else ""
        yield from _paragraph(f"{displayed(filename)}:{line} in {symbols[0]}{more}: {reason}", columns, "  ", "dim")
    if len(ranked) > _MOST_UNTRACED:
        yield Text(f"  and {len(ranked) - _MOST_UNTRACED} more lines (--output-format json has all)", "dim")


def _not_run(report: ProbeReport, columns: int) -> Iterator[Text]:
    """The losses that did not run, those with the same reason together, and what can be added, once a status."""
    failed = [each.measurements for each in report.losses if each.measurements.status != "ok"]
    if not failed and not report.unreadable:
        return
    yield Text()
    yield Text("Not run", "bold")
    together: dict[tuple[str, str], list[str]] = {}
    for m in failed:
        together.setdefault((m.status, m.reason), []).append(m.target)
    for (status, reason), targets in together.items():
        yield from _paragraph(f"{', '.join(targets)}: {_STATUS.get(status, status)}", columns, "  ", "")
        yield from _paragraph(reason, columns, "    ", "dim")
    for path, reason in report.unreadable:
        yield Text(f"  {path}: {reason}")
    advices = {m.status: m.advice for m in reversed(failed) if m.advice}
    if advices:
        yield Text()
    for advice in dict.fromkeys(advices.values()):
        yield from _paragraph(advice, columns, "  ", "")


def _paragraph(text: str, columns: int, indent: str, style: str) -> Iterator[Text]:
    for line in textwrap.wrap(printable(text), columns - len(indent), break_on_hyphens=False):
        yield Text(indent + line, style)


def _summary(report: ProbeReport) -> Iterator[str]:
    total = len(report.losses)
    if not total:
        yield "No losses found."
        return
    finite = sum(bool(each.measurements.finite and each.measurements.has_gradient) for each in report.losses)
    counts = {severity: sum(each.severity is severity for each in report.diagnostics) for severity in Severity}
    found = ", ".join(
        f"{count} {severity.value}{'s' * (count != 1)}" for severity, count in reversed(list(counts.items())) if count
    )
    ran = report.statuses()["ok"]
    told = found[:1].upper() + found[1:] if found else "No findings"
    yield f"{told}: {ran} of {total} losses ran, {finite} with a finite value and a gradient."
    if any(each.reproducer for each in report.diagnostics):
        yield "--reproducers DIR writes a script for each, which runs alone."
    tracers = report.tracers()
    if tracers:
        names = {"symbolic": "symbolic_trace", "make_fx": "make_fx", "dispatch": "a dispatch log"}
        shares = ", ".join(f"{names.get(name, name)} {count / ran:.0%}" for name, count in tracers.most_common())
        yield f"Traced by {shares}."
    if report.interrupted:
        yield "Interrupted: the losses after these were not run."
