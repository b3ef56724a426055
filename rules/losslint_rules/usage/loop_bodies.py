"""What the statements of a loop's body do with a name: add to it, bind it anew, scale it, read it."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import nodes_of, nodes_of_kind, walk
from losslint_rules.usage.definitions import functions

_ADDS = (cst.AddAssign, cst.SubtractAssign)
_SUMS = (cst.Add, cst.Subtract)


def for_loops(graph: Graph) -> Iterator[tuple[Function, cst.For]]:
    """The `for` loops of a loss and of what it calls in its file, each with the function that it stands in."""
    for _, function in functions(graph):
        for loop in nodes_of_kind(function, cst.For):
            yield function, loop


def nodes_behind(function: Function, loop: cst.For) -> Iterator[cst.CSTNode]:
    """What is written in a function behind one of its loops."""
    order = nodes_of(function)
    start = next(at for at, node in enumerate(order) if node is loop)
    below = {id(node) for node in walk(loop)}
    return (node for node in order[start:] if id(node) not in below)


def own_statements(loop: cst.For) -> Iterator[cst.BaseSmallStatement]:
    """The plain statements that every turn runs: those of the body itself, not of a branch in it."""
    for line in loop.body.body:
        if isinstance(line, cst.SimpleStatementLine):
            yield from line.body


def accumulated(statement: cst.CSTNode) -> str | None:
    """The name that a statement adds something to: `x += y`, `x = x + y`, `x.append(y)`."""
    match statement:
        case cst.AugAssign(target=cst.Name(value=name), operator=operator) if isinstance(operator, _ADDS):
            return name
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.BinaryOperation() as value):
            return name if isinstance(value.operator, _SUMS) and has_name([value.left, value.right], name) else None
        case cst.Expr(
            value=cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value="append" | "extend")))
        ):
            return name
    return None


def has_name(nodes: list[cst.BaseExpression], name: str) -> bool:
    """Whether one of these is the name itself."""
    return any(isinstance(each, cst.Name) and each.value == name for each in nodes)


def mentions(node: cst.CSTNode, name: str) -> bool:
    """Whether a name occurs somewhere below a node."""
    return any(isinstance(each, cst.Name) and each.value == name for each in walk(node))


def bound_names(loop: cst.For) -> frozenset[str]:
    """The names that the loop binds: its variables, and what its body assigns."""
    found: set[str] = set()
    for node in walk(loop):
        match node:
            case cst.AssignTarget(target=target) | cst.AugAssign(target=target) | cst.For(target=target):
                found.update(each.value for each in walk(target) if isinstance(each, cst.Name))
            case cst.NamedExpr(target=cst.Name(value=name)):
                found.add(name)
    return frozenset(found)


def statements_before(function: Function, loop: cst.For) -> list[cst.BaseSmallStatement] | None:
    """The plain statements of the block that a loop stands in, those before it; None where the block is not found."""
    for block in walk(function.body):
        if isinstance(block, cst.IndentedBlock) and any(each is loop for each in block.body):
            found: list[cst.BaseSmallStatement] = []
            for line in block.body:
                if line is loop:
                    return found
                if isinstance(line, cst.SimpleStatementLine):
                    found.extend(line.body)
    return None


def assigned(statement: cst.CSTNode) -> tuple[str, cst.BaseExpression] | None:
    """The name and the value of `name = value`."""
    match statement:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value):
            return name, value
        case cst.AnnAssign(target=cst.Name(value=name), value=cst.BaseExpression() as value):
            return name, value
    return None
