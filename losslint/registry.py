"""Which rules there are, which of them a run selects, and the selected ones loaded.

The index is read from the rule files' text: no rule module is imported before `load`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from losslint.own_diagnostics import OWN_DIAGNOSTICS
from losslint.packs import BrokenPack, RuleInfo, read_pack

if TYPE_CHECKING:
    from losslint.rule import Rule

__all__ = ["BrokenPack", "RuleInfo", "UnknownRule", "find", "index", "load", "matching", "nearest", "select"]

GROUP = "losslint.rules"
EVERYTHING = "ALL"
_EXACT = 1000


class UnknownRule(Exception):
    """A selector that names no rule; `nearest` is the closest code or name, or None."""

    def __init__(self, selector: str, nearest: str | None) -> None:
        super().__init__(selector, nearest)
        self.selector, self.nearest = selector, nearest

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"no rule is called {self.selector!r}{hint}"


@functools.cache
def index() -> Mapping[str, RuleInfo]:
    """Every rule of every installed pack, and losslint's own diagnostics, by code in order.

    Packs come from the entry point group `losslint.rules`, whose values name packages. Raises BrokenPack for a pack
    that cannot be read, or that uses a code or name that another rule has.
    """
    found: dict[str, RuleInfo] = {}
    names: dict[str, RuleInfo] = {}
    for info in (*_own(), *_installed()):
        other = found.get(info.code) or names.get(info.name)
        if other is not None:
            shared = info.code if info.code == other.code else info.name
            reason = f"{shared} is already taken by {other.module or 'losslint itself'} of pack {other.pack!r}"
            raise BrokenPack(info.pack, info.module, reason)
        found[info.code] = names[info.name] = info
    return MappingProxyType(dict(sorted(found.items())))


def _own() -> Iterator[RuleInfo]:
    for own in OWN_DIAGNOSTICS:
        fixable = own.name == "unused-suppression"
        yield RuleInfo(own.code, own.name, own.severity, False, fixable, own.title, own.page, "", "losslint")


def _installed() -> Iterator[RuleInfo]:
    packages = {entry.value for entry in importlib.metadata.entry_points(group=GROUP)}
    for package in sorted(packages):
        yield from read_pack(package)


def find(selector: str) -> RuleInfo:
    """The rule with this code or name. Raises UnknownRule."""
    for info in index().values():
        if selector in (info.code, info.name):
            return info
    raise UnknownRule(selector, nearest(selector))


def nearest(selector: str) -> str | None:
    """The known code or name most like a mistyped one."""
    import difflib  # only mistakes pay for it

    infos = index().values()
    known = [info.code for info in infos] + [info.name for info in infos]
    wanted = selector.upper() if selector[:2].upper() == "LL" else selector.lower().replace("_", "-")
    read = wanted[:2] + wanted[2:].translate(_MISREAD)
    return read if read in known else next(iter(difflib.get_close_matches(wanted, known, n=1)), None)


_MISREAD = str.maketrans("OIL", "011")


def matching(selector: str) -> frozenset[str]:
    """The codes that a selector covers: a code, a name, a prefix of codes such as LL2, or ALL.

    Raises UnknownRule where it covers nothing.
    """
    covered = frozenset(code for code, info in index().items() if _specificity(selector, info) is not None)
    if not covered:
        raise UnknownRule(selector, nearest(selector))
    return covered


def select(
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
    extend_select: Iterable[str] = (),
    preview: bool = False,
) -> tuple[str, ...]:
    """The codes a run looks for, sorted.

    `select` is ALL by default. Where selectors disagree the most specific one wins, and `ignore` wins a tie. A
    preview rule needs `preview`, or to be selected by its own code or name. Raises UnknownRule.
    """
    wanted = [*((EVERYTHING,) if select is None else select), *extend_select]
    unwanted = list(ignore)
    for selector in (*wanted, *unwanted):
        matching(selector)
    return tuple(code for code, info in index().items() if _is_selected(info, wanted, unwanted, preview))


def _is_selected(info: RuleInfo, wanted: list[str], unwanted: list[str], preview: bool) -> bool:
    on = _strongest(wanted, info)
    if on <= _strongest(unwanted, info):
        return False
    return preview or not info.preview or on == _EXACT


def _strongest(selectors: list[str], info: RuleInfo) -> int:
    return max((found for each in selectors if (found := _specificity(each, info)) is not None), default=-1)


def _specificity(selector: str, info: RuleInfo) -> int | None:
    """How narrowly a selector covers a rule; None where it does not."""
    if selector in (info.code, info.name):
        return _EXACT
    if selector == EVERYTHING:
        return 0
    return len(selector) if selector and info.code.startswith(selector) else None


def load(codes: Iterable[str]) -> tuple[Rule, ...]:
    """Import the modules of these rules and no others; losslint's own diagnostics need no loading and are left out.

    Raises BrokenPack where a module cannot be imported or holds another rule than its text says, and UnknownRule.
    """
    return tuple(_load(info) for info in map(find, codes) if info.module)


def _load(info: RuleInfo) -> Rule:
    from losslint.rule import Rule

    try:
        rule = getattr(importlib.import_module(info.module), "RULE", None)
    except Exception as error:
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        raise BrokenPack(info.pack, info.module, reason) from error
    if not isinstance(rule, Rule) or rule.code != info.code:
        raise BrokenPack(info.pack, info.module, f"its RULE is {rule!r}, not the rule {info.code}")
    return rule
