"""What flows into `.backward()`, and what a file uses as its criterion."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from losslint.semantics.loss_names import says_loss
from losslint.semantics.project import dotted_name, top_level


@dataclass(frozen=True, slots=True)
class BackwardFlow:
    """Functions that end in a backward(), with the reason; classes used as a criterion; and whether the module is one."""

    functions: Mapping[str, str] = field(default_factory=dict)
    criteria: Mapping[str, str] = field(default_factory=dict)
    at_module_level: bool = False


def backward_flow(tree: ast.Module) -> BackwardFlow:
    """Read the flow of a whole module."""
    nodes = list(ast.walk(tree))
    criteria = dict(_criteria(nodes))
    if not any(isinstance(node, ast.Attribute) and node.attr == "backward" for node in nodes):
        return BackwardFlow({}, criteria)
    functions: dict[str, str] = {}
    for name, function in _functions(tree):
        row = _backward_row(function)
        if row is not None:
            functions[name] = f"backward() is called on what it computes, at line {row}"
            for called in _called_for_backward(function):
                functions.setdefault(called, f"its result flows into backward() at line {row}")
    script = [node for node in top_level(tree.body) if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    at_module_level = any(_backward_call(node) is not None for statement in script for node in ast.walk(statement))
    return BackwardFlow(functions, criteria, at_module_level)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in top_level(tree.body):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{each.name}", each) for each in node.body if isinstance(each, ast.FunctionDef))


def _backward_call(node: ast.AST) -> ast.expr | None:
    """x for `x.backward()`."""
    match node:
        case ast.Call(func=ast.Attribute(value=receiver, attr="backward")):
            return receiver
    return None


def _backward_row(function: ast.FunctionDef) -> int | None:
    """The row of a backward() on something that the function computes itself."""
    parameters = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
    if "closure" in parameters or function.name.startswith("test_"):
        return None
    assigned = _assigned(function)
    for node in _own(function):
        receiver = _backward_call(node)
        if receiver is None:
            continue
        root = receiver
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if isinstance(root, (ast.BinOp, ast.Call)) and root is receiver and dotted_name_of_call(root) != "super":
            return getattr(node, "lineno", None)
        if isinstance(receiver, ast.Name) and receiver.id in assigned and receiver.id not in parameters:
            return getattr(node, "lineno", None)
    return None


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions defined in it: a closure is called by somebody else."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def dotted_name_of_call(node: ast.expr) -> str | None:
    """The called name of a call."""
    return dotted_name(node.func) if isinstance(node, ast.Call) else None


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name):
                        found.setdefault(each.id, []).append(node.value)
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)) and isinstance(node.target, ast.Name) and node.value:
            found.setdefault(node.target.id, []).append(node.value)
    return found


def _called_for_backward(function: ast.FunctionDef) -> Iterator[str]:
    """The functions of the module whose result is what backward() is called on."""
    assigned = _assigned(function)
    for node in ast.walk(function):
        receiver = _backward_call(node)
        if isinstance(receiver, ast.Name):
            for value in assigned.get(receiver.id, []):
                if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                    yield value.func.id


def _criteria(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Classes of which an instance is bound to, or passed as, something called a loss or criterion."""
    for node in nodes:
        pairs: list[tuple[str, ast.expr]] = []
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
                pairs.append((name, node.value))
        elif isinstance(node, ast.Call):
            pairs.extend((keyword.arg or "", keyword.value) for keyword in node.keywords)
        for name, value in pairs:
            called = dotted_name_of_call(value)
            if called is not None and called[:1].isupper() and says_loss(name):
                yield called, f"an instance of it is used as `{name}` at line {value.lineno}"
