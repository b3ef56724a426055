"""What is worked out of one file's syntax trees is kept while that file is looked at, and then forgotten with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from losslint.semantics.graph import Graph
    from losslint.semantics.names import Unit

P = ParamSpec("P")
R = TypeVar("R")
H = TypeVar("H", "Unit", "Graph")
_UNKNOWN = object()

_FORGET: list[Callable[[], None]] = []


def kept_for_a_file(function: Callable[P, R]) -> Callable[P, R]:
    """Remember the results of a function of hashable arguments until `forget()`."""
    cached = lru_cache(maxsize=4096)(function)
    _FORGET.append(cached.cache_clear)
    return cast(Callable[P, R], cached)


def kept_with_unit(function: Callable[Concatenate[Unit, P], R]) -> Callable[Concatenate[Unit, P], R]:
    """Remember what a function says of a file, or of something in it, for as long as the file is kept."""
    return _kept_in_facts(function)


def kept_with_graph(function: Callable[Concatenate[Graph, P], R]) -> Callable[Concatenate[Graph, P], R]:
    """Remember what a function of a graph and hashable arguments says, for the rules that ask the same of one loss."""
    return _kept_in_facts(function)


def _kept_in_facts(function: Callable[Concatenate[H, P], R]) -> Callable[Concatenate[H, P], R]:
    @wraps(function)
    def looked_up(holder: H, *arguments: P.args, **named: P.kwargs) -> R:
        key = (function, arguments, *named.items())
        known = holder.facts.get(key, _UNKNOWN)
        if known is _UNKNOWN:
            known = holder.facts[key] = function(holder, *arguments, **named)
        return cast(R, known)

    return cast("Callable[Concatenate[H, P], R]", looked_up)


def forget() -> None:
    """Let go of everything that was kept, and of the trees it refers to."""
    for each in _FORGET:
        each()
