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

_FORGET: list[Callable[[], None]] = []


def kept_for_a_file(function: Callable[P, R]) -> Callable[P, R]:
    """Remember the results of a function of hashable arguments until `forget()`."""
    cached = lru_cache(maxsize=4096)(function)
    _FORGET.append(cached.cache_clear)
    return cast(Callable[P, R], cached)


def kept_with_unit(function: Callable[[Unit, str], R]) -> Callable[[Unit, str], R]:
    """Remember what a function says of a definition of a file, by its name, for as long as the file is kept."""

    @wraps(function)
    def looked_up(unit: Unit, name: str) -> R:
        key = (function.__qualname__, name)
        if key not in unit.facts:
            unit.facts[key] = function(unit, name)
        return cast(R, unit.facts[key])

    return looked_up


def kept_with_graph(function: Callable[Concatenate[Graph, P], R]) -> Callable[Concatenate[Graph, P], R]:
    """Remember what a function of a graph and hashable arguments says, for the rules that ask the same of one loss."""

    @wraps(function)
    def looked_up(graph: Graph, *arguments: P.args, **named: P.kwargs) -> R:
        key = (function, arguments, *named.items())
        known = graph.facts.get(key, graph)
        if known is graph:
            known = graph.facts[key] = function(graph, *arguments, **named)
        return cast(R, known)

    return cast("Callable[Concatenate[Graph, P], R]", looked_up)


def forget() -> None:
    """Let go of everything that was kept, and of the trees it refers to."""
    for each in _FORGET:
        each()
