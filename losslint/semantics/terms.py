"""The terms of a returned loss, and which of them no gradient reaches, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from losslint.semantics.carriers import carriers, made_of, members
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.kept import kept_with_graph
from losslint.semantics.values import Gradient, Kind, Role, Value

DEAD = (Gradient.ZERO, Gradient.CUT)
_SUMS = frozenset({"add", "sub", "neg", "phi", "python_sum", "comprehension", "sequence", "stack"})
_SCALINGS = frozenset({"mul", "div", "mean", "sum", "pow", "relu", "clamp", "clamp_min", "squeeze", "view", "reshape"})


@dataclass(frozen=True, slots=True, eq=False)
class DeadTerm:
    """A term of a return whose gradient is gone: `whole` if nothing else is returned; `culprits` took it."""

    returned: Op
    term: Value
    whole: bool
    culprits: tuple[Value, ...]
    siblings: tuple[Value, ...]


def returned_values(op: Op) -> tuple[Value, ...]:
    """The loss among what a RETURN gives: of a mapping the entries named loss, of a tuple its first element."""
    value = op.operands[0]
    if isinstance(value.elements, dict):
        return tuple(each for name, each in value.elements.items() if "loss" in name.lower())
    if isinstance(value.elements, tuple) and value.elements:
        alive = tuple(each for each in value.elements if each.gradient is Gradient.CARRIES)
        return alive or value.elements[:1]
    return (value,)


def returns_gradient(op: Op) -> bool:
    """Whether a loss among what a RETURN gives carries a gradient."""
    return any(each.gradient is Gradient.CARRIES for each in returned_values(op))


_TAKES_OUT = frozenset({"item", "tolist", "numpy", "escape"})


def becomes_number(term: Value) -> bool:
    """Whether a term is taken out for who asks what it is worth, or for NumPy: `loss.item()`, `loss.cpu().numpy()`.

    `reference.new_tensor(loss.item())` packs the number again.
    """
    name, operands = term.origin.name, term.origin.operands
    return name in _TAKES_OUT or (
        name == "new_tensor" and any(each.origin.name in _TAKES_OUT for each in made_of(operands[1:]))
    )


def terms(value: Value) -> Iterator[Value]:
    """The summands of a value, through additions, joins and scaling by what carries no gradient."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        operands = [each for each in current.origin.operands if each.kind is not Kind.NONE]
        name = current.origin.name
        if current.gradient in DEAD and any(each.gradient is Gradient.CARRIES for each in operands):
            yield current  # under no_grad a sum is where the gradient of its operands ends
        elif name in _SUMS and operands:
            pending.extend(operands)
        elif name in _SCALINGS and operands and all(_is_factor(each) for each in operands[1:]):
            pending.append(operands[0])
        elif name == "mul" and len(operands) == 2 and _is_factor(operands[0]):
            pending.append(operands[1])
        else:
            yield current


def _is_factor(value: Value) -> bool:
    if value.gradient is not Gradient.NEUTRAL:
        return False
    return value.kind in (Kind.NUMBER, Kind.BOOL, Kind.SEQUENCE) or value.role is Role.CONFIG


@kept_with_graph
def dead_terms(graph: Graph) -> Sequence[DeadTerm]:
    """Every term of a returned loss that carried a gradient once and does not any more."""
    if graph.calls_backward:
        return ()
    dead: list[DeadTerm] = []
    for op in graph.returns:
        if not op.gradient_matters and op.operands[0].gradient is not Gradient.CUT:
            continue
        for value in returned_values(op):
            found = list(terms(value))
            alive = [term for term in found if term.gradient is Gradient.CARRIES]
            for term in found:
                if term.gradient in DEAD:
                    others = tuple(other for other in found if other is not term)
                    dead.append(DeadTerm(op, term, not alive, culprits(term), others))
    return dead


def culprits(term: Value) -> tuple[Value, ...]:
    """The values at which the gradient ended: they carry none, but something they are made of does."""
    return tuple(
        value
        for value in ancestors([term])
        if value.gradient in DEAD and any(operand.gradient is Gradient.CARRIES for operand in inputs(value))
    )


def nearest_culprits(term: Value) -> tuple[Value, ...]:
    """The culprits that a term is made of without another one between: what was detached before the gradient of a penalty
    is taken did not end the gradient of the penalty."""
    found: list[Value] = []
    seen: set[int] = set()
    pending = [term]
    while pending:
        value = pending.pop()
        if value.key in seen:
            continue
        seen.add(value.key)
        if value.gradient in DEAD and any(operand.gradient is Gradient.CARRIES for operand in inputs(value)):
            found.append(value)
        else:
            pending.extend(members(value))
    return tuple(found)


def inputs(value: Value) -> tuple[Value, ...]:
    """What a value is made of, the members of literal sequences included."""
    found: list[Value] = []
    for operand in value.origin.operands:
        found.append(operand)
        if isinstance(operand.elements, tuple):
            found.extend(operand.elements)
    return tuple(found)


def carries_from_input(value: Value) -> bool:
    """Whether a gradient provably flows from an input of the loss to a value, through known operators alone."""
    seen: set[int] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        name = current.origin.name
        if name == "parameter":
            if current.gradient is Gradient.CARRIES and (
                current.kind is Kind.TENSOR or current.role is Role.PREDICTION
            ):
                return True
        elif name not in ("unknown", "attribute", "method"):
            pending.extend(each for each in carriers(current) if each.gradient is not Gradient.NEUTRAL)
    return False


def comes_from_prediction(value: Value) -> bool:
    """Whether a parameter with the role of a prediction is among what a value is computed from."""
    return any(each.origin.name == "parameter" and each.role is Role.PREDICTION for each in ancestors([value]))


def carrying_sources(value: Value) -> dict[int, Value]:
    """The parameters and results of unknown calls from which a gradient flows into a value, by their keys."""
    found: dict[int, Value] = {}
    seen: set[int] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current.key in seen or current.gradient is not Gradient.CARRIES:
            continue
        seen.add(current.key)
        if current.origin.name in ("parameter", "unknown", "attribute", "parameter_tensor"):
            found[current.key] = current
        else:
            pending.extend(
                (*current.origin.operands, *(current.elements if isinstance(current.elements, tuple) else ()))
            )
    return found
