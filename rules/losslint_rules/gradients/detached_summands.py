"""Summands of a returned loss that are detached as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.semantics.carriers import members
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Gradient, Kind, Role, Value

CUTS = frozenset({"detach", "data"})
_WHOLE = frozenset({"add", "phi", "python_sum", "comprehension", "sequence", "stack"})
_SCALED = frozenset({"mean", "sum", "squeeze", "view", "reshape", "float", "double", "to", "masked_fill"})


@dataclass(frozen=True, slots=True, eq=False)
class Summand:
    """What is added to a returned loss after it was detached."""

    returned: Op
    term: Value


def detached_summands(graph: Graph) -> Iterator[Summand]:
    """Every detached term of a sum, of a loss's own numbers, that no other term makes good for."""
    if graph.calls_backward:
        return
    for op in graph.returns:
        if not op.gradient_matters:
            continue
        for value in returned_values(op):
            added, subtracted = summands(value)
            for term in added if value.gradient is Gradient.CARRIES else ():
                others = [each for each in (*added, *subtracted) if each is not term]
                if term.origin.name in CUTS and _is_loss_like(term) and not _is_made_good(term, others):
                    yield Summand(op, term)


def summands(value: Value) -> tuple[list[Value], list[Value]]:
    """What is added up and what is subtracted, through joins, reductions and factors that are settings; no powers or hinges."""
    found: list[Value] = []
    subtracted: list[Value] = []
    seen: set[int] = set()
    pending = [(value, value)]
    while pending:
        current, whole = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        name = current.origin.name
        operands = [each for each in current.origin.operands if each.kind is not Kind.NONE]
        inner = _scaled(current)
        if name in _WHOLE and operands:
            pending.extend((each, each) for each in operands)
        elif name == "sub" and len(operands) == 2 and current.rank == 0:
            pending.append((operands[0], operands[0]))
            subtracted.append(operands[1])
        elif inner is not None:
            pending.append((inner, whole))
        else:
            found.append(current if name in CUTS else whole)
    return found, subtracted


def _scaled(value: Value) -> Value | None:
    """x of `x.mean()`, `self.weight * x` and `x / 2`."""
    name, operands = value.origin.name, value.origin.operands
    if name in _SCALED and operands:
        return operands[0]
    if name in ("mul", "div") and len(operands) == 2 and (_is_setting(operands[1]) or _is_count(value)):
        return operands[0]
    if name == "mul" and len(operands) == 2 and _is_setting(operands[0]):
        return operands[1]
    return None


def _is_count(quotient: Value) -> bool:
    """Whether a total is divided by one number that no gradient goes through: how many elements count."""
    total, number = quotient.origin.operands
    return quotient.origin.name == "div" and total.rank == number.rank == 0 and number.gradient is Gradient.NEUTRAL


def _is_setting(value: Value) -> bool:
    """A number, a member or a setting: nothing that is computed from the inputs."""
    if value.gradient is not Gradient.NEUTRAL or (value.has_constant and value.constant == 0):
        return False
    return value.kind in (Kind.NUMBER, Kind.BOOL) or value.role in (Role.CONFIG, Role.WEIGHT)


def _is_loss_like(term: Value) -> bool:
    """Whether what is detached is one number made of a prediction, or an error an element: never below 0."""
    source = term.origin.operands[0]
    if source.gradient is not Gradient.CARRIES or not is_of_a_prediction(term):
        return False
    if source.origin.name == "parameter" or not source.is_tensor:
        return False
    return source.rank == 0 or any(each.rank == 0 or each.interval.low >= 0 for each in summands(source)[0])


def is_of_a_prediction(cut: Value) -> bool:
    """Whether an input that carries a gradient, and is not named as a target or a teacher, is in what was detached."""
    return any(
        each.origin.name == "parameter" and each.gradient is Gradient.CARRIES and each.role is not Role.TARGET
        for each in ancestors([cut])
    )


def _is_made_good(term: Value, others: list[Value]) -> bool:
    """Whether another term is in what was detached, or the other way round: `x + (y - x).detach()`, `y - y.detach()`."""
    source = term.origin.operands[0]
    within = {each.key for each in ancestors([source])}
    if any(each.key in within for each in others if each.origin.operands or each.is_tensor):
        return True
    return any(each.key == source.key for each in carriers(others))


def carriers(values: list[Value]) -> Iterator[Value]:
    """The values that a gradient flows through into some others: not what they only take a dtype or a count from."""
    pending, seen = list(values), set[int]()
    while pending:
        current = pending.pop()
        if current.key not in seen and current.gradient is Gradient.CARRIES:
            seen.add(current.key)
            yield current
            pending.extend(members(current))
