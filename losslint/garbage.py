"""Python's searches for garbage are put off while files are checked."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 10


@contextmanager
def collection_paused() -> Iterator[None]:
    """Without searches: a file makes hundreds of thousands of nodes and values that live until it is done."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Collection:
    """Searches once in many losses: each leaves few values that hold one another, and a search goes through all that is kept."""

    def __init__(self) -> None:
        self._left = MANY

    def after(self, losses: int) -> None:
        """Search if it is time, now that a file with so many losses is done."""
        self._left -= losses
        if self._left < 0:
            self._left = MANY
            gc.collect(0)
