"""Whether a mean over the classes too is multiplied by their number again."""

from __future__ import annotations

from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.values import Kind, Value


def is_scaled_back(graph: Graph, mean: Value) -> bool:
    """Whether the mean is multiplied by a size, or divided by one over it, before it is returned."""
    for op in graph.named("mul"):
        if len(op.operands) == 2:
            for value, factor in (op.operands, op.operands[::-1]):
                if _is_size(factor) and any(each.key == mean.key for each in ancestors([value])):
                    return True
    return False


def _is_size(value: Value) -> bool:
    """A size of a tensor, or a setting named as a number of classes."""
    return any(
        each.origin.name in _SIZES or (each.kind is Kind.NUMBER and bool(_CLASSES & set(words(each.origin.label))))
        for each in ancestors([value])
    )


_SIZES = frozenset({"size", "shape", "numel", "len"})
_CLASSES = frozenset({"class", "classes", "vocab", "bins"})
