"""Which attributes a class changes after its constructor: what the constructor gave them is only where they start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from losslint.semantics.kept import kept_with_unit
from losslint.semantics.names import Function, Unit

_GROWS = frozenset({"append", "extend", "insert", "add", "update", "appendleft", "pop", "clear"})


@kept_with_unit
def stored_later(unit: Unit, name: str) -> frozenset[str]:
    """The attributes of `self` that methods assign, or grow in place; those that the constructor calls are part of it."""
    methods = {function.name.value: function for function in methods_of(unit, name)}
    constructor = methods.pop("__init__", None)
    for called in _called(constructor) if constructor is not None else ():
        methods.pop(called, None)
    return frozenset(stored for function in methods.values() for stored, _ in stores(function))


def methods_of(unit: Unit, name: str) -> Iterator[Function]:
    """The methods that a class defines itself."""
    for qualified in unit.functions:
        if qualified.rpartition(".")[0] == name:
            yield unit.functions[qualified]


def stores(function: Function) -> Iterator[tuple[str, cst.BaseSmallStatement]]:
    """The attributes of `self` that a function assigns, or changes in place, each with its statement."""
    for statement in _statements(function.body):
        match statement:
            case cst.Assign(targets=targets):
                for target in targets:
                    yield from ((name, statement) for name in _names(target.target))
            case cst.AugAssign(target=target) | cst.AnnAssign(target=target):
                yield from ((name, statement) for name in _names(target))
            case cst.Expr(value=cst.Call(func=cst.Attribute() as method)) if _changes(method):
                yield from ((name, statement) for name in _names(changed_by(method)))


def changed_by(method: cst.Attribute) -> cst.BaseExpression:
    """What a method in place changes: `x` in `x.append(y)`, and in `x.mul_(2).add_(1)`."""
    receiver = method.value
    while isinstance(receiver, cst.Call) and isinstance(receiver.func, cst.Attribute) and _changes(receiver.func):
        receiver = receiver.func.value
    return receiver


def _changes(method: cst.Attribute) -> bool:
    name = method.attr.value
    return name in _GROWS or (name.endswith("_") and not name.endswith("__"))


def _names(target: cst.BaseExpression) -> Iterator[str]:
    match target:
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)):
            yield name
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            for element in elements:
                yield from _names(element.value)
        case cst.Subscript(value=receiver):
            yield from _names(receiver)


def _called(function: Function) -> Iterator[str]:
    """The own methods that a function calls for their effect."""
    for statement in _statements(function.body):
        match statement:
            case cst.Expr(value=cst.Call(func=cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)))):
                yield name


def _statements(suite: cst.BaseSuite) -> Iterator[cst.BaseSmallStatement]:
    """The simple statements of a block and of the blocks in it; expressions are not walked."""
    pending: list[cst.CSTNode] = [suite]
    while pending:
        node = pending.pop()
        match node:
            case cst.IndentedBlock(body=body):
                pending.extend(body)
            case cst.SimpleStatementLine(body=body) | cst.SimpleStatementSuite(body=body):
                yield from body
            case (
                cst.If(body=body, orelse=orelse)
                | cst.For(body=body, orelse=orelse)
                | cst.While(body=body, orelse=orelse)
            ):
                pending.extend(_present(body, orelse))
            case cst.With(body=body) | cst.Else(body=body) | cst.Finally(body=body) | cst.ExceptHandler(body=body):
                pending.append(body)
            case cst.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
                pending.extend((body, *handlers, *_present(orelse, finalbody)))


def _present(*nodes: cst.CSTNode | None) -> Sequence[cst.CSTNode]:
    return [node for node in nodes if node is not None]
