"""Whether a mean over the classes too is multiplied by their number again."""

from __future__ import annotations

from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.loss_names import words
from losslint.semantics.values import Kind, Value


def is_scaled_back(graph: Graph, mean: Value) -> bool:
    """Whether the mean is multiplied by a size, or divided by one over it, before it is returned."""
    return mean.key in _multiplied_by_sizes(graph)


@kept_for_a_file
def _multiplied_by_sizes(graph: Graph) -> frozenset[int]:
    """The keys of what is multiplied by a size, and of all that this is computed from."""
    known: dict[int, bool] = {}
    scaled: list[Value] = []
    for op in graph.named("mul"):
        if len(op.operands) == 2:
            for value, factor in (op.operands, op.operands[::-1]):
                if factor.key not in known:
                    known[factor.key] = _is_size(factor)
                if known[factor.key]:
                    scaled.append(value)
    return frozenset(each.key for each in ancestors(scaled))


def _is_size(value: Value) -> bool:
    """A size of a tensor, or a setting named as a number of classes."""
    return any(
        each.origin.name in _SIZES or (each.kind is Kind.NUMBER and bool(_CLASSES & set(words(each.origin.label))))
        for each in ancestors([value])
    )


_SIZES = frozenset({"size", "shape", "numel", "len"})
_CLASSES = frozenset({"class", "classes", "vocab", "bins"})
