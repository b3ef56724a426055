"""The calls a loss makes, with the signatures they meet: of torch's losses, of functions and classes of the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_for_a_file, kept_with_graph
from losslint.semantics.names import Function, Unit
from losslint.semantics.operators import REQUIRED, Parameter, lookup_function, lookup_module
from losslint.semantics.syntax_walk import nodes_of_kind
from losslint.semantics.values import Site
from losslint_rules.usage.definitions import all_functions, is_wrapped, owner_of, parameters

_TORCH_LOSSES = ("torch.nn.functional.", "torch.nn.")
_NORMS = frozenset({"torch.norm"})


@dataclass(frozen=True, slots=True)
class Slot:
    """A positional parameter: its name, and whether it can be left out."""

    name: str
    is_optional: bool


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """What a call meets: the name of what is called, its positional parameters, and whether it makes an object."""

    called: str
    slots: tuple[Slot, ...]
    makes: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MadeCall:
    """A call, the function it is written in, and the signature it meets."""

    site: Site
    within: Function
    node: cst.Call
    signature: Signature


@kept_with_graph
def made_calls(graph: Graph) -> Sequence[MadeCall]:
    """The calls in the loss, in its constructors and in what it calls in its file, as far as their signatures are known."""
    found: list[MadeCall] = []
    elsewhere = _followed(graph)
    for name, function in all_functions(graph):
        for node, known in _known_calls(graph.unit, owner_of(graph, name), function):
            signature = elsewhere.get(id(node)) or known
            if signature is not None:
                found.append(MadeCall(Site(graph.unit, node), function, node, signature))
    return found


@kept_for_a_file
def _known_calls(unit: Unit, owner: str, function: Function) -> tuple[tuple[cst.Call, Signature | None], ...]:
    """The calls in a function, with the signatures that the file itself and torch say of them."""
    calls = nodes_of_kind(function, cst.Call)
    return tuple((node, _here(unit, owner, node) or _of_torch(unit, node)) for node in calls)


def _followed(graph: Graph) -> dict[int, Signature]:
    """The signatures of the functions that calls were followed into, in whatever file they are."""
    found: dict[int, Signature] = {}
    ways = dict.fromkeys((op.calls, op.site.unit) for op in graph.ops if op.calls)
    for calls, last in ways:
        for position, call in enumerate(calls):
            unit = calls[position + 1].site.unit if position + 1 < len(calls) else last
            function = unit.functions.get(call.symbol)
            if function is not None and id(call.site.node) not in found:
                found[id(call.site.node)] = _of_function(unit, call.symbol, function)
    return found


def _here(unit: Unit, owner: str, node: cst.Call) -> Signature | None:
    """The signature of a function, a class or an own method of this file."""
    match node.func:
        case cst.Name(value=name) if name in unit.classes:
            constructor = unit.functions.get(f"{name}.__init__")
            if constructor is not None:
                return _of_function(unit, f"{name}.__init__", constructor)
        case cst.Name(value=name) if name in unit.functions:
            return _of_function(unit, name, unit.functions[name])
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)) if owner:
            function = unit.functions.get(f"{owner}.{name}")
            if function is not None:
                return _of_function(unit, f"{owner}.{name}", function)
    return None


@kept_for_a_file
def _of_function(unit: Unit, symbol: str, function: Function) -> Signature:
    owner, _, last = symbol.rpartition(".")
    is_method = owner in unit.classes
    keywords = {id(each) for each in function.params.kwonly_params}
    slots = tuple(
        Slot(each.name.value, each.default is not None)
        for each in parameters(function, is_method)
        if id(each) not in keywords
    )
    if is_wrapped(function):
        slots = ()
    return Signature(owner if last == "__init__" else last, slots, last == "__init__")


def _of_torch(unit: Unit, node: cst.Call) -> Signature | None:
    """The signature of a function or module of torch.nn, where positions have one meaning."""
    qualified = unit.qualified(node.func) or ""
    if not qualified.startswith(_TORCH_LOSSES) and qualified not in _NORMS:
        return None
    module = lookup_module(qualified)
    if module is not None:
        return Signature(qualified.rpartition(".")[2], _slots(module.constructor), True)
    operator = lookup_function(qualified)
    return None if operator is None else Signature(qualified.rpartition(".")[2], _slots(operator.parameters))


def _slots(declared: tuple[Parameter, ...]) -> tuple[Slot, ...]:
    return tuple(Slot(each.name, each.default is not REQUIRED) for each in declared)
