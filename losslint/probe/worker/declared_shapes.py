"""What a docstring or annotation says of tensor arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Declared:
    """Shapes, dtype and kind that are documented for a parameter."""

    name: str
    shapes: tuple[tuple[str, ...], ...]
    dtype: str | None
    kind: str | None


def declared(
    parameters: Sequence[str], docstrings: Sequence[str], annotations: Mapping[str, str]
) -> tuple[Declared, ...]:
    """Nothing yet."""
    return ()
