"""What is worked out of one file's syntax trees is kept while that file is looked at, and then forgotten with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_FORGET: list[Callable[[], None]] = []


def kept_for_a_file(function: Callable[P, R]) -> Callable[P, R]:
    """Remember the results of a function of hashable arguments until `forget()`."""
    cached = lru_cache(maxsize=4096)(function)
    _FORGET.append(cached.cache_clear)
    return cast(Callable[P, R], cached)


def forget() -> None:
    """Let go of everything that was kept, and of the trees it refers to."""
    for each in _FORGET:
        each()
