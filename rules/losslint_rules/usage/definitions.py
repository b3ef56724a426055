"""The functions and classes behind a graph, and what their signatures say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from losslint.semantics.carriers import made_of
from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_with_graph
from losslint.semantics.names import Function, dotted
from losslint.semantics.operators import operators
from losslint.semantics.syntax_walk import nodes_of_kind
from losslint.semantics.values import Value

_HARMLESS_DECORATORS = frozenset(
    """staticmethod classmethod script script_if_tracing script_method compile no_grad inference_mode jit ignore
    custom_fwd autocast beartype jaxtyped typechecked property""".split()
)


@kept_with_graph
def functions(graph: Graph) -> Sequence[tuple[str, Function]]:
    """The loss and the functions of its file that its calls were followed into, by their qualified names."""
    return [
        (name, function)
        for name, function in graph.unit.parsed_functions()
        if function is graph.function or id(function) in graph.inlined
    ]


def constructors(graph: Graph) -> Iterator[tuple[str, Function]]:
    """The constructors that the loss's class has in this file, its own first."""
    for base in graph.lineage:
        function = graph.unit.functions.get(f"{base.name}.__init__")
        if base.unit is graph.unit and function is not None:
            yield base.name, function


def all_functions(graph: Graph) -> Iterator[tuple[str, Function]]:
    """The functions and the constructors."""
    yield from functions(graph)
    yield from ((f"{owner}.__init__", function) for owner, function in constructors(graph))


def owner_of(graph: Graph, name: str) -> str:
    """The class that a method belongs to; empty for functions."""
    owner = name.rpartition(".")[0]
    return owner if owner in graph.unit.classes else ""


def parameters(function: Function, is_method: bool) -> list[cst.Param]:
    """The named parameters of a function, without the first one of a method."""
    positional = [*function.params.posonly_params, *function.params.params]
    return [*positional[is_method and not _is_static(function) :], *function.params.kwonly_params]


def _is_static(function: Function) -> bool:
    return "staticmethod" in decorator_names(function)


def decorator_names(definition: Function | cst.ClassDef) -> list[str]:
    """The last part of each decorator's name."""
    found = []
    for each in definition.decorators:
        called = each.decorator.func if isinstance(each.decorator, cst.Call) else each.decorator
        found.append((dotted(called) or "?").rpartition(".")[2])
    return found


def is_wrapped(function: Function) -> bool:
    """Whether a decorator may give or take arguments, register the function, or say that it follows an interface."""
    return any(name not in _HARMLESS_DECORATORS for name in decorator_names(function))


def statements(function: Function) -> list[cst.CSTNode]:
    """The statements of a body, those on one line apart, without its docstring."""
    found: list[cst.CSTNode] = []
    for statement in function.body.body:
        found += statement.body if isinstance(statement, cst.SimpleStatementLine) else [statement]
    return [each for each in found if not _is_text(each)]


def _is_text(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Expr) and isinstance(
        node.value, (cst.SimpleString, cst.ConcatenatedString, cst.Ellipsis)
    )


def is_stub(function: Function) -> bool:
    """Whether a body does nothing: abstract methods and placeholders take what they do not use."""
    return all(isinstance(each, (cst.Pass, cst.Raise)) or _returns_constant(each) for each in statements(function))


@kept_with_graph
def is_placeholder(graph: Graph) -> bool:
    """Whether a loss is still to be written: nothing given to it, and nothing kept on `self`, is in what it returns."""
    function = graph.function
    if function is None:
        return False
    if is_stub(function) or reads_nothing_given(function):
        return True
    returned = [op.operands[0] for op in graph.returns]
    return bool(returned) and not graph.falling and all(map(_is_made_of_nothing, made_of(returned)))


def reads_nothing_given(function: Function) -> bool:
    """Whether a body reads none of the parameters, not even `self`."""
    given = {each.name.value for each in (*parameters(function, False), *_starred(function))} | {"super", "locals"}
    return all(each.value not in given for each in nodes_of_kind(function.body, cst.Name))


def _starred(function: Function) -> list[cst.Param]:
    stars = (function.params.star_arg, function.params.star_kwarg)
    return [each for each in stars if isinstance(each, cst.Param)]


def _is_made_of_nothing(value: Value) -> bool:
    name = value.origin.name
    return (value.has_constant and not value.is_default) or name in operators() or name in ("sequence", "phi")


def _returns_constant(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Return) and (
        node.value is None
        or isinstance(node.value, (cst.Integer, cst.Float, cst.SimpleString))
        or (isinstance(node.value, cst.Name) and node.value.value in ("None", "True", "False", "NotImplemented"))
    )


def is_abstract(graph: Graph) -> bool:
    """Whether the class leaves a method to those that descend from it, wherever they are."""
    methods = (
        each
        for base in graph.lineage[:1]
        for each in base.unit.classes[base.name].body.body
        if isinstance(each, cst.FunctionDef)
    )
    return any("abstractmethod" in decorator_names(each) or _refuses(each) for each in methods)


def _refuses(function: Function) -> bool:
    written = statements(function)
    return bool(written) and all(isinstance(each, cst.Raise) for each in written)
