"""Layers are built with whole numbers: a quotient is none, and neither is an object that gives one by its `size()`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from losslint.semantics.state import Assumption, State
from losslint.semantics.values import Kind, Value

_WIDTHS = frozenset(
    "in_features out_features in1_features in2_features num_embeddings embedding_dim in_channels out_channels".split()
)
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "floor_divide", "neg"})
_OBJECT = "object"


def use_widths(built_with: Mapping[str, Value], state: State) -> None:
    """End the path of a layer whose width raises a TypeError, and remember whose `size()` is one: no number, no tensor."""
    for name in built_with.keys() & _WIDTHS:
        width = built_with[name]
        if width.kind is Kind.SHAPE and width.origin.operands:
            state.assume([((_OBJECT, width.origin.operands[0].key), True)])
        elif any(_is_no_number(each, state.assumptions) for each in _made_of(width)):
            state.fails = True


def objects(known: Mapping[Assumption, bool]) -> Mapping[Assumption, bool]:
    """Of what a path knows, which values are objects: a constructor that is called with them knows it as well."""
    return {assumption: answer for assumption, answer in known.items() if assumption[0] == _OBJECT}


def _is_no_number(part: Value, known: Mapping[Assumption, bool]) -> bool:
    return (part.origin.name == "div" and not part.is_tensor) or known.get((_OBJECT, part.key)) is True


def _made_of(width: Value) -> Iterator[Value]:
    """A width, and what it is worked out from."""
    pending = [width]
    while pending:
        current = pending.pop()
        yield current
        if current.origin.name in _ARITHMETIC:
            pending.extend(current.origin.operands)
