"""What is returned, and whether the author left the reduction to the caller."""

from __future__ import annotations

import re

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_for_a_file, kept_with_graph
from losslint.semantics.names import Function, Unit
from losslint.semantics.syntax_walk import nodes_of_kind
from losslint.semantics.terms import returned_values
from losslint.semantics.values import Kind, Reduced, Value

_OPTION = re.compile(
    r"reduc|average|aggregat|per_sample|batch_mean|size_avg|mean_|_mean|keep_batch|keepdim|agg_", re.IGNORECASE
)
_FLAG = re.compile(r"(?:^|_)(?:mean|sum|scalar)(?:$|_)", re.IGNORECASE)
_PER_ELEMENT = re.compile(
    r"none|(?<![a-z])(per|an?|each|every).?(sample|element|pixel|example|instance|item)|element.?wise|pixel.?wise"
    r"|unreduced|_map|matrix|\(N,?\)",
    re.IGNORECASE,
)
_SELF_OPTION = re.compile(r"self\.\w*(reduc|average|aggregat)", re.IGNORECASE)
_HARMLESS_DECORATORS = (
    "staticmethod",
    "classmethod",
    "script",
    "compile",
    "property",
    "override",
    "no_grad",
    "beartype",
    "jaxtyped",
)


def is_scalar(value: Value) -> bool:
    """Whether a returned value is proven to be one number."""
    return value.is_tensor and value.rank == 0


def has_elements(value: Value) -> bool:
    """Whether a returned value is proven to hold one number an element of an input, or a sample."""
    if value.kind not in (Kind.TENSOR, Kind.UNKNOWN) or value.rank == 0 or _only_statistics(value):
        return False
    return value.reduction.kind in (Reduced.NONE, Reduced.PARTIAL)


def _only_statistics(value: Value) -> bool:
    """Whether all that is elementwise in a value is a mean or a variance, which may be one number for the whole batch."""
    names: set[str] = set()
    pending, seen = [value], 0
    while pending and seen < 200:
        current = pending.pop()
        seen += 1
        if current.reduction.kind not in (Reduced.NONE, Reduced.PARTIAL):
            continue
        if current.origin.name == "parameter":
            names.add(current.origin.label.replace("_", ""))
        pending.extend(current.origin.operands)
    return bool(names) and names <= {"mu", "logvar", "var", "sigma"}


def alternatives(graph: Graph) -> list[tuple[Value, bool]]:
    """Every returned value, and whether a configuration test decides that it is returned."""
    found: list[tuple[Value, bool]] = []
    for op in graph.returns:
        configured = any(condition.is_configuration for condition in op.conditions)
        for value in returned_values(op):
            parts = value.alternatives
            found.extend((part, configured or len(parts) > 1) for part in parts if part.kind is not Kind.NONE)
    return found


@kept_with_graph
def leaves_reduction_open(graph: Graph) -> bool:
    """Whether an option, a decorator or the documentation says that the caller reduces."""
    function = graph.function
    if function is None:
        return True
    names = _parameter_names(function)
    constructor = graph.unit.functions.get(f"{graph.owner}.__init__")
    if constructor is not None:
        names += _parameter_names(constructor)
    if function.params.star_kwarg is not None or any(_OPTION.search(name) for name in names):
        return True
    if any(_FLAG.search(name) for each in (function, constructor) if each is not None for name in _flags(each)):
        return True
    if _has_own_option(graph.unit) and _SELF_OPTION.search(graph.unit.code(function)):
        return True
    if any(not _is_harmless(decorator) for decorator in function.decorators):
        return True
    return bool(_PER_ELEMENT.search(function.name.value) or _PER_ELEMENT.search(_documentation(graph, function)))


@kept_for_a_file
def _has_own_option(unit: Unit) -> bool:
    return _SELF_OPTION.search(unit.text) is not None


def _parameters(function: Function) -> list[cst.Param]:
    return [*function.params.posonly_params, *function.params.params, *function.params.kwonly_params]


def _parameter_names(function: Function) -> list[str]:
    return [parameter.name.value for parameter in _parameters(function)]


def _flags(function: Function) -> list[str]:
    """The parameters that are True or False by default, or by their annotation: `mean=True` is no mean."""
    return [each.name.value for each in _parameters(function) if _is_flag(each)]


def _is_flag(parameter: cst.Param) -> bool:
    match parameter:
        case cst.Param(default=cst.Name(value="True" | "False")):
            return True
        case cst.Param(annotation=cst.Annotation(annotation=cst.Name(value="bool"))):
            return True
    return False


def _is_harmless(decorator: cst.Decorator) -> bool:
    node = decorator.decorator
    name = node.func if isinstance(node, cst.Call) else node
    last = name.attr.value if isinstance(name, cst.Attribute) else name.value if isinstance(name, cst.Name) else ""
    return last in _HARMLESS_DECORATORS


def _documentation(graph: Graph, function: Function) -> str:
    text = function.get_docstring() or ""
    owner = graph.unit.classes.get(graph.owner)
    if owner is not None:
        text += f" {owner.name.value} {owner.get_docstring() or ''}"
    return text


@kept_with_graph
def is_called_in_file(graph: Graph) -> bool:
    """Whether another function of the file calls this one, and may reduce what it gets."""
    if graph.function is None:
        return False
    name = graph.function.name.value
    others = (node for _, node in graph.unit.functions_that_call(name) if node is not graph.function)
    return any(name in _called(node) for node in others)


@kept_for_a_file
def _called(function: Function) -> frozenset[str]:
    """The last names of what a function calls."""
    called = [node.func for node in nodes_of_kind(function, cst.Call)]
    last = [each.attr if isinstance(each, cst.Attribute) else each for each in called]
    return frozenset(each.value for each in last if isinstance(each, cst.Name))
