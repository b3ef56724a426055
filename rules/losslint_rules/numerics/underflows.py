"""Zeros of probabilities that underflow: a sigmoid is exactly 0 below a logit of about -88, where networks rarely are."""

from __future__ import annotations

from losslint.semantics.values import Value


def underflows(source: Value) -> bool:
    """Whether the source of a zero is a probability that has to underflow; `1 - p`, which rounds at 17, is another source."""
    return source.origin.name in ("softmax", "softmin", "sigmoid", "exp")
