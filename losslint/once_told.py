"""One report a cause: what lies in a helper is told there, or by the first of its callers in other files."""

from __future__ import annotations

from collections.abc import Iterable

from losslint.diagnostic import IN_CALLEE, Diagnostic, Place, Severity

Cause = tuple[str, Place]


def cause(diagnostic: Diagnostic) -> Cause:
    """The rule and the place where the fault lies: its own, or the one in another file that a call leads to."""
    leads_away = diagnostic.message.startswith(IN_CALLEE) and bool(diagnostic.evidence)
    return diagnostic.code, diagnostic.evidence[-1].place if leads_away else diagnostic.place


def once_told(diagnostics: Iterable[Diagnostic], silenced: Iterable[Cause] = ()) -> tuple[Diagnostic, ...]:
    """The diagnostics without those of callers that repeat what is told where it lies, or by a caller before.

    A caller that knows more than the helper, and makes an info a warning, is kept. `silenced` holds causes that a comment
    silences where they lie.
    """
    every = tuple(diagnostics)
    told: dict[Cause, Severity] = {}
    for each in every:
        if not each.message.startswith(IN_CALLEE):
            told[cause(each)] = max(each.severity, told.get(cause(each), each.severity), key=lambda one: one.rank)
    told |= dict.fromkeys(silenced, Severity.ERROR)
    kept = []
    for each in every:
        if each.message.startswith(IN_CALLEE):
            known = told.get(cause(each))
            if known is not None and known.rank >= each.severity.rank:
                continue
            told[cause(each)] = each.severity
        kept.append(each)
    return tuple(kept)
