"""Arguments that hold zeros and ones as they are used: what counts them divides by nothing where there are no ones."""

from __future__ import annotations

from collections.abc import Iterator

from losslint.semantics.graph import Graph
from losslint.semantics.loss_names import words
from losslint.semantics.values import DType, Role, Value

_FLOAT_CASTS = frozenset({"to", "float", "double", "half", "type", "type_as"})
_VIEWS = frozenset(
    "view reshape flatten squeeze unsqueeze contiguous expand expand_as getitem index_select transpose permute detach".split()
)
_PRODUCTS = frozenset({"mul", "neg", "div"})
_COUNTS = frozenset({"sum", "nansum"})
_INDICATES = frozenset("event events censored uncensored observed indicator indicators".split())


def counted_indicator(graph: Graph, dividend: Value, divisor: Value) -> Value | None:
    """The argument whose sum divides a sum of what it multiplies, where its use says that it holds zeros and ones."""
    if divisor.origin.name not in _COUNTS or not divisor.origin.operands:
        return None
    factor = divisor.origin.operands[0]
    argument, is_cast = _argument(factor)
    if argument is None or argument.role in (Role.WEIGHT, Role.CONFIG) or argument.dtype is DType.FLOAT:
        return None
    names_it = bool(_INDICATES & set(words(argument.origin.label)))
    if not names_it and not (is_cast and _is_complemented(graph, factor, argument)):
        return None
    inside = next((each for each in _sums(dividend)), None)
    if inside is None or all(each.key != factor.key for each in _factors(inside)):
        return None
    return argument


def _argument(value: Value) -> tuple[Value | None, bool]:
    """The argument of the loss that a value is a view of, and whether a cast to floats lies in between."""
    current, is_cast = value, False
    while current.origin.operands and current.origin.name in _FLOAT_CASTS | _VIEWS:
        is_cast = is_cast or current.origin.name in _FLOAT_CASTS
        current = current.origin.operands[0]
    return (current if current.origin.name == "parameter" else None), is_cast


def _is_complemented(graph: Graph, factor: Value, argument: Value) -> bool:
    """Whether `1 - x` is taken of it somewhere: of zeros and ones that is the other half."""
    return any(
        len(op.operands) == 2
        and op.operands[0].constant in (1, 1.0)
        and (op.operands[1].key == factor.key or _argument(op.operands[1])[0] is argument)
        for op in graph.named("sub", "rsub")
    )


def _sums(value: Value) -> Iterator[Value]:
    """What is summed in a value, through signs and factors."""
    pending, seen = [value], 0
    while pending and seen < 20:
        current = pending.pop()
        seen += 1
        if current.origin.name in _COUNTS and current.origin.operands:
            yield current.origin.operands[0]
        elif current.origin.name in _PRODUCTS:
            pending.extend(current.origin.operands)


def _factors(value: Value) -> Iterator[Value]:
    """The factors of a product, through signs and views."""
    pending, seen = [value], 0
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        yield current
        if current.origin.name in _PRODUCTS | _VIEWS:
            pending.extend(current.origin.operands)
