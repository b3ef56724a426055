"""One report a cause: what lies in a helper is told there, or by the first of its callers in other files."""

from __future__ import annotations

from collections.abc import Iterable

from losslint.diagnostic import Diagnostic, Place, Severity

Cause = tuple[str, Place]


def cause(diagnostic: Diagnostic) -> Cause:
    """The rule and the place where the fault lies: its own, or the one in another file that a call leads to."""
    return diagnostic.code, diagnostic.cause or diagnostic.place


def once_told(diagnostics: Iterable[Diagnostic], silenced: Iterable[Cause] = ()) -> tuple[Diagnostic, ...]:
    """The diagnostics without those of callers that repeat what is told where it lies, or by a caller before.

    A caller that knows more than the helper, and makes an info a warning, is kept. `silenced` holds causes that a comment
    silences where they lie.
    """
    every = tuple(diagnostics)
    told: dict[Cause, int] = {}
    for each in every:
        if each.cause is None:
            told[cause(each)] = max(each.severity.rank, told.get(cause(each), 0))
    told |= dict.fromkeys(silenced, Severity.ERROR.rank)
    kept = []
    for each in every:
        if each.cause is not None:
            if told.get(cause(each), -1) >= each.severity.rank:
                continue
            told[cause(each)] = each.severity.rank
        kept.append(each)
    return tuple(kept)
