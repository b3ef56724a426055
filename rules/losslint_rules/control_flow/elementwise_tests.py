"""Tests of tensors that provably hold one answer an element."""

from __future__ import annotations

from losslint.semantics.measures import sizes_of
from losslint.semantics.sizes import is_pack
from losslint.semantics.values import Value


def has_elements(value: Value) -> bool:
    """Whether a tensor provably has a dimension that is not known to be 1."""
    sizes = sizes_of(value) if value.is_tensor else None
    own = f"{value.key}["
    return any(size != 1 and not is_pack(size) and not str(size).startswith(own) for size in sizes or ())
