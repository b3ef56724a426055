"""The terms of a loss's final sum: how much of the value and of the gradient each of them has.

The graph is walked from the result down through what is linear in it: sums, differences, means, reshapes, constant
factors. What is met below is a term. Linear nodes are called one by one with what the total's derivative is there, so
that weights, broadcasting and means need no rules of their own: a term's value is that derivative times its tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from ..case import Case, parameters, results
from ..expressions import ARITHMETIC, PLAIN, Expression, Place, described, places_of_call
from ..graph_nodes import LINEAR, Edge, Node, children, edge_of, factor, is_arithmetic, kind_of
from ..loading import first_line

MOST_TERMS = 32
_WEIGHED_APART = 100.0
"""Halves of one thing have weights of the same order; a constant factor beyond that was put on a term of its own."""

_WRITES = frozenset(("__setitem__", "copy_"))


@dataclass(frozen=True)
class _Made:
    """A tensor of the graph as it was right after the call that made it, and where that call is."""

    value: Tensor
    tensor: Tensor
    places: tuple[Place, ...]
    function: str = ""
    operand: int | None = None


class _Recorder(TorchFunctionMode):
    """Keeps what every call of torch makes, by its place in the graph, and what calls were given from elsewhere."""

    def __init__(self, is_users: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_users = is_users
        self.made: dict[Edge, _Made] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        where: tuple[Place, ...] | None = None
        for position, given in enumerate(args):
            if isinstance(given, Tensor) and given.grad_fn is not None and edge_of(given) not in self.made:
                where = where or places_of_call(self._is_users)
                self.made[edge_of(given)] = _made(given, where, operand=position)
        result = func(*args, **kwargs)
        for leaf in (*pytree.tree_leaves(result), *args[:1]):
            if isinstance(leaf, Tensor) and leaf.grad_fn is not None and edge_of(leaf) not in self.made:
                where = where or places_of_call(self._is_users)
                self.made[edge_of(leaf)] = _made(leaf, where, getattr(func, "__name__", ""))
        return result


@dataclass
class _Summand:
    """A tensor on the way down: the total's derivative there, the constants so far, and what describes it best."""

    derivative: Tensor
    weight: float = 1.0
    expression: Expression | None = None
    place: Place | None = None
    elementwise: bool = False


@dataclass
class _Term:
    edge: Edge
    summand: _Summand
    value: float
    operator: str
    gradient_norm: float = 0.0
    leaves: frozenset[str] = field(default_factory=frozenset)


def measure(case: Case) -> dict[str, Any]:
    """`terms` are the summands that carry a gradient. `total` is the result, its mean where it is not reduced.

    `complementary` terms are formally two and in truth one: the halves of a cross entropy written by hand.
    """
    loss = case.fresh()
    values, leaves = case.inputs()
    with torch.enable_grad(), _Recorder(case.is_users) as recorder:
        output = case.call(loss, values)
    final, reason = _final(output)
    if final is None:
        return {"status": "skipped", "reason": reason, "terms": [], "total": None}
    leaves |= parameters(loss)
    total = _number(float(final.detach().double().mean()))
    try:
        terms = _Split(recorder.made, leaves).terms(final)
        reason = ""
        if len(terms) > MOST_TERMS:
            reason = f"the {MOST_TERMS} largest of {len(terms)} terms"
            terms = _largest(terms)
        for term in terms:
            _differentiate(term, recorder.made.get(term.edge), leaves)
    except RuntimeError as error:
        return {"status": "skipped", "reason": first_line(error), "terms": [], "total": total}
    status = "split" if len(terms) > 1 else "single"
    return {"status": status, "reason": reason, "terms": _as_data(terms), "total": total}


def _final(output: Any) -> tuple[Tensor | None, str]:
    """The result that is minimised: the only one, or the one that all other scalars go into."""
    found = [each for each in results(output) if each.requires_grad and each.numel()]
    if not found:
        return None, "the result carries no gradient"
    scalars = [each for each in found if each.numel() == 1]
    candidates = found if len(found) == 1 else scalars
    if len(candidates) > 1:
        candidates = [each for each in scalars if _contains(each, scalars)][:1]
    if not candidates:
        return None, "it returns several results, and none is the sum of the others"
    final = candidates[0]
    if final.grad_fn is None or final.is_complex():
        return None, "the result is complex" if final.is_complex() else "the result is a parameter or an input itself"
    return final, ""


def _contains(result: Tensor, others: list[Tensor]) -> bool:
    wanted = {each.grad_fn for each in others} - {None}
    met: set[Node] = set()
    waiting: list[Node] = [result.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in met:
            met.add(node)
            waiting += [child for child, _ in node.next_functions]
    return wanted <= met


class _Split:
    """The walk from the result to its terms."""

    def __init__(self, made: dict[Edge, _Made], leaves: dict[str, Tensor]) -> None:
        self._made = made
        self._names = {id(leaf): name for name, leaf in leaves.items()}

    def terms(self, final: Tensor) -> list[_Term]:
        root = edge_of(final)
        self._made.setdefault(root, _made(final, ()))
        below = self._opened(root)
        start = torch.full_like(final.detach(), 1.0 / final.numel())
        summands: dict[Edge, _Summand] = {root: _Summand(start)}
        found = []
        for edge in _topological(root, below):
            summand = summands.get(edge)
            if summand is None:
                continue
            self._describe(edge, summand)
            if below[edge]:
                self._descend(edge, summand, summands)
            else:
                found.append(_Term(edge, summand, self._value(edge, summand), edge[0].name()))
        return found

    def _opened(self, root: Edge) -> dict[Edge, list[Edge]]:
        """What every node on the way is split into, nothing where it is a term.

        Nodes that no call of the user's made are inside of one of torch's functions: there may be no term among them.
        """
        below: dict[Edge, list[Edge]] = {}
        waiting = [(root, False)]
        while waiting:
            edge, is_known = waiting.pop()
            parts = list(dict.fromkeys(children(edge[0]))) if self._is_linear(edge) else []
            if is_known:
                below[edge] = parts if all(self._is_place_to_end(part, below) for part in parts) else []
            elif edge not in below:
                below[edge] = []
                waiting.append((edge, True))
                waiting += [(part, False) for part in parts if part not in below]
        return below

    def _is_place_to_end(self, edge: Edge, below: dict[Edge, list[Edge]]) -> bool:
        return edge in self._made or hasattr(edge[0], "variable") or len(below[edge]) == 1

    def _is_linear(self, edge: Edge) -> bool:
        node = edge[0]
        kind = kind_of(node)
        if kind == "CopySlices":
            return edge in self._made and self._made[edge].function in _WRITES
        if kind in ("Mul", "Where"):
            return len(children(node)) == 1
        return kind in LINEAR or (kind == "Div" and node.next_functions[1][0] is None)

    def _describe(self, edge: Edge, summand: _Summand) -> None:
        if summand.derivative.numel() == 1:
            summand.weight = float(summand.derivative)
        made = self._made.get(edge)
        if made is None or not made.places:
            return
        summand.place = made.places[0]
        found = described(made.places, made.operand)
        if found is not None and found.rank == PLAIN and is_arithmetic(edge[0]):
            found = replace(found, rank=ARITHMETIC)
        if found is not None and (summand.expression is None or found.rank > summand.expression.rank):
            summand.expression = found

    def _descend(self, edge: Edge, summand: _Summand, summands: dict[Edge, _Summand]) -> None:
        node = edge[0]
        derivatives = node(summand.derivative)
        derivatives = derivatives if isinstance(derivatives, tuple) else (derivatives,)
        is_sum = len(set(children(node))) > 1
        for index, (child, derivative) in enumerate(zip(node.next_functions, derivatives, strict=False)):
            if child[0] is None or derivative is None:
                continue
            fitted = self._fitted(derivative, child)
            known = summands.get(child)
            if known is not None:
                known.derivative = known.derivative + fitted
                continue
            weight = summand.weight * factor(node, index)
            if is_sum:
                elementwise = summand.derivative.numel() > 1
                summands[child] = _Summand(fitted, weight, None, summand.place, elementwise)
            else:
                summands[child] = replace(summand, derivative=fitted, weight=weight)

    def _fitted(self, derivative: Tensor, edge: Edge) -> Tensor:
        """Sum over what was broadcast and cast, as autograd does between two nodes."""
        like = self._tensor(edge)
        if like is None:
            metadata = edge[0]._input_metadata[edge[1]]
            return derivative.sum_to_size(tuple(metadata.shape)).to(metadata.dtype)
        return derivative.sum_to_size(like.shape).to(like.dtype)

    def _tensor(self, edge: Edge) -> Tensor | None:
        if edge in self._made:
            return self._made[edge].value
        variable: Tensor | None = getattr(edge[0], "variable", None)
        return variable

    def _value(self, edge: Edge, summand: _Summand) -> float:
        tensor = self._tensor(edge)
        assert tensor is not None
        if edge not in self._made and summand.expression is None:
            summand.expression = Expression(self._names.get(id(tensor), "parameter"), summand.place)
        return _product(summand.derivative, tensor)


def _topological(root: Edge, below: dict[Edge, list[Edge]]) -> list[Edge]:
    """Every node before what it is split into."""
    finished: dict[Edge, None] = {}
    waiting = [(root, False)]
    while waiting:
        edge, is_left = waiting.pop()
        if is_left:
            finished.setdefault(edge)
        elif edge not in finished:
            waiting.append((edge, True))
            waiting += [(child, False) for child in below[edge]]
    return list(reversed(finished))


def _product(derivative: Tensor, tensor: Tensor) -> float:
    """What a derivative of 0 selects away may be infinite."""
    product = derivative.double() * tensor.detach().double()
    return float(torch.where(derivative == 0, torch.zeros_like(product), product).sum())


def _differentiate(term: _Term, made: _Made | None, leaves: dict[str, Tensor]) -> None:
    node, number = term.edge
    derivative = term.summand.derivative
    if made is None:
        term.leaves = frozenset(name for name, leaf in leaves.items() if leaf is node.variable)
        term.gradient_norm = float(derivative.double().norm()) if term.leaves else 0.0
        return
    if not leaves:
        return
    if made.tensor.grad_fn is node:
        # A scalar: where it is given derivatives, torch.autograd.grad imports sympy.
        gradients = torch.autograd.grad(
            (made.tensor * derivative).sum(), list(leaves.values()), retain_graph=True, allow_unused=True
        )
    else:
        # The tensor was changed in place and stands for a later node.
        gradients = torch.autograd.grad(
            (torch.autograd.graph.GradientEdge(node, number),),
            list(leaves.values()),
            grad_outputs=(derivative,),
            retain_graph=True,
            allow_unused=True,
        )
    by_leaf = {name: each for name, each in zip(leaves, gradients, strict=True) if each is not None}
    term.leaves = frozenset(by_leaf)
    term.gradient_norm = math.sqrt(sum(float(each.abs().double().square().sum()) for each in by_leaf.values()))


def _largest(terms: list[_Term]) -> list[_Term]:
    by_value = sorted(terms, key=lambda term: math.inf if math.isnan(term.value) else abs(term.value), reverse=True)
    kept = {id(term) for term in by_value[:MOST_TERMS]}
    return [term for term in terms if id(term) in kept]


def _as_data(terms: list[_Term]) -> list[dict[str, Any]]:
    values = sum(abs(term.value) for term in terms)
    norms = sum(term.gradient_norm for term in terms)
    data = []
    for term, name in zip(terms, _names(terms), strict=True):
        expression = term.summand.expression
        place = (expression.place if expression is not None else None) or term.summand.place
        data.append(
            {
                "name": name,
                "value": _number(term.value),
                "value_share": _number(abs(term.value) / values if values else 0.0),
                "gradient_norm": _number(term.gradient_norm),
                "gradient_share": _number(term.gradient_norm / norms if norms else 0.0),
                "weight": _number(term.summand.weight),
                "filename": place.code.co_filename if place is not None else None,
                "line": place.line if place is not None else None,
                "complementary": any(_are_complementary(term, other) for other in terms if other is not term),
            }
        )
    return data


def _names(terms: list[_Term]) -> Iterator[str]:
    """One for each; what a loop made is numbered."""
    met: dict[str, int] = {}
    for term in terms:
        name = term.summand.expression.text if term.summand.expression is not None else kind_of(term.edge[0])
        met[name] = met.get(name, 0) + 1
        yield name if met[name] == 1 else f"{name} ({met[name]})"


def _are_complementary(term: _Term, other: _Term) -> bool:
    if not term.leaves or term.leaves != other.leaves or _are_weighed_apart(term, other):
        return False
    if term.value * other.value < 0 or term.summand.weight * other.summand.weight < 0:
        return True
    alike = term.operator == other.operator or (term.summand.elementwise and other.summand.elementwise)
    return alike and len(term.leaves) == 1 and _line(term) == _line(other)


def _line(term: _Term) -> tuple[str, int] | None:
    place = term.summand.place
    return (place.code.co_filename, place.line) if place is not None else None


def _are_weighed_apart(term: _Term, other: _Term) -> bool:
    low, high = sorted((abs(term.summand.weight), abs(other.summand.weight)))
    return high >= _WEIGHED_APART * low


def _made(tensor: Tensor, where: tuple[Place, ...], function: str = "", operand: int | None = None) -> _Made:
    return _Made(tensor.detach().clone(), tensor, where, function, operand)


def _number(value: float) -> float | str:
    """JSON has no names for what is not finite."""
    return value if math.isfinite(value) else str(value)
