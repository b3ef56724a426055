"""What says that an inner product is meant as the cosine of two vectors."""

from __future__ import annotations

from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.values import Value
from losslint_rules.formulas.sides import names_of

_PASSED = frozenset(
    "clamp clamp_min clamp_max abs squeeze unsqueeze diagonal view reshape flatten float mean masked_fill gather getitem".split()
)
_HINGES = frozenset({"relu", "clamp", "clamp_min", "softplus", "maximum"})
_COSINE = frozenset({"cos", "cosine", "cosines"})


def meant_as_cosine(product: Value, graph: Graph) -> str:
    """What says that a product is meant as a cosine, in words; empty where nothing does."""
    if any(_COSINE & set(words(name)) for name in names_of(product, graph)):
        return "it is named as one"
    pending, seen = [product], {product.key}
    while pending and len(seen) < 30:
        current = pending.pop()
        for later in graph.uses(current):
            if later.name in ("acos", "arccos"):
                return "its arc cosine is taken"
            if later.name == "sub" and _is_complement(later.value, current, product):
                return (
                    ""
                    if any(each.name in _HINGES for each in graph.uses(later.value))
                    else "it is subtracted from its largest"
                )
            if later.name == "cat" and _has_cosine(later.value, product):
                return "it stands beside products of two unit vectors"
            if (later.name in _PASSED or _is_doubled(later.value)) and later.value.key not in seen:
                seen.add(later.value.key)
                pending.append(later.value)
    return ""


def _is_complement(difference: Value, taken: Value, product: Value) -> bool:
    """`1 - x` and `2 - 2 * x`."""
    largest, subtracted = difference.origin.operands[:2]
    if subtracted.key != taken.key or not largest.has_constant:
        return False
    doubled = any(_is_doubled(each) for each in ancestors([taken]) if each.key != product.key)
    return largest.constant == (2 if doubled else 1)


def _is_doubled(value: Value) -> bool:
    operands = value.origin.operands
    return value.origin.name == "mul" and any(each.has_constant and each.constant == 2 for each in operands)


def _has_cosine(joined: Value, product: Value) -> bool:
    """Whether a `cat` holds a product of two normalised vectors as well: its values lie in [-1, 1]."""
    first = joined.origin.operands[0] if joined.origin.operands else joined
    parts = first.elements if isinstance(first.elements, tuple) else ()
    others = [each for each in parts if all(one.key != product.key for one in ancestors([each]))]
    return any((each.interval.low, each.interval.high) == (-1.0, 1.0) for each in others)
