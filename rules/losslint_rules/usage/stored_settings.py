"""What a constructor does with an argument: stores it, checks it, or uses it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import libcst as cst

from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import children, nodes_of_kind, walk

_KEEPS = frozenset("float int bool str list tuple abs tensor as_tensor FloatTensor Tensor Parameter".split())


@dataclass(frozen=True, slots=True)
class Stored:
    """The attributes an argument is stored as and the statements that do it; `only` where nothing else is done with it."""

    attributes: tuple[str, ...]
    statements: tuple[cst.CSTNode, ...]
    only: bool


_STATEMENTS: tuple[type[cst.CSTNode], ...] = (cst.Assign, cst.AnnAssign, cst.Expr, cst.Assert, cst.If)


@kept_for_a_file
def stored(constructor: Function, name: str) -> Stored:
    """What becomes of a parameter of a constructor."""
    this = constructor.params.params[0].name.value if constructor.params.params else "self"
    attributes: list[str] = []
    places: list[cst.CSTNode] = []
    seen = 0
    for node in nodes_of_kind(constructor, *_STATEMENTS):
        match node:
            case cst.Assign(targets=[cst.AssignTarget(target=target)], value=value):
                attribute = _own(target, this)
                if attribute and _keeps(value, name):
                    attributes.append(attribute)
                    places.append(node)
                    seen += _count(value, name)
                elif isinstance(target, cst.Name) and target.value == name and _keeps(value, name):
                    seen += _count(value, name)
            case cst.AnnAssign(target=target, value=cst.BaseExpression() as value):
                attribute = _own(target, this)
                if attribute and _keeps(value, name):
                    attributes.append(attribute)
                    places.append(node)
                    seen += _count(value, name)
            case cst.Expr(value=cst.Call() as call):
                attribute, kept = _registered(call, this)
                if attribute and kept is not None and _keeps(kept, name):
                    attributes.append(attribute)
                    places.append(node)
                    seen += _count(kept, name)
            case cst.Assert():
                seen += _count(node, name)
            case cst.If(test=test, body=body) if _only_checks(body, name):
                seen += _count(test, name) + sum(
                    _count(each, name) for each in walk(body) if isinstance(each, cst.Raise)
                )
    return Stored(tuple(dict.fromkeys(attributes)), tuple(places), seen == _count(constructor.body, name))


def _registered(call: cst.Call, this: str) -> tuple[str, cst.BaseExpression | None]:
    """`self.register_buffer("weight", torch.tensor(weight))`: the name and the value of a buffer."""
    match call:
        case cst.Call(
            func=cst.Attribute(value=cst.Name(value=head), attr=cst.Name(value="register_buffer")),
            args=[cst.Arg(value=cst.SimpleString() as written), cst.Arg(value=kept), *_],
        ) if head == this:
            return str(written.evaluated_value), kept
    return "", None


def _own(target: cst.BaseExpression, this: str) -> str:
    match target:
        case cst.Attribute(value=cst.Name(value=head), attr=cst.Name(value=name)) if head == this:
            return name
    return ""


def _keeps(node: cst.BaseExpression, name: str) -> bool:
    """`p`, `float(p)`, `p or 1.0`, `1.0 if p is None else p`, `torch.tensor(p)`: the argument, a little tidied up."""
    match node:
        case cst.Name(value=written):
            return written == name
        case cst.Call(func=func, args=[first, *_]):
            last = (
                func.attr.value if isinstance(func, cst.Attribute) else func.value if isinstance(func, cst.Name) else ""
            )
            return last in _KEEPS and _keeps(first.value, name)
        case cst.BooleanOperation(left=left):
            return _keeps(left, name)
        case cst.IfExp(body=body, orelse=orelse):
            return _keeps(body, name) or _keeps(orelse, name)
        case cst.UnaryOperation(expression=inner):
            return _keeps(inner, name)
    return False


def _only_checks(body: cst.BaseSuite, name: str) -> bool:
    """Whether a branch does nothing but raise, warn, or give the argument another value."""
    for line in body.body:
        for small in line.body if isinstance(line, cst.SimpleStatementLine) else [line]:
            match small:
                case cst.Raise() | cst.Pass():
                    continue
                case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=target))]) if target == name:
                    continue
                case cst.Expr(value=cst.Call(func=cst.Attribute(attr=cst.Name(value="warn" | "warning")))):
                    continue
            return False
    return True


def _count(node: cst.CSTNode, name: str) -> int:
    """How often a name is mentioned as a value: no attributes, no keywords, no targets of assignments."""
    return _mentions(node)[name]


@kept_for_a_file
def _mentions(node: cst.CSTNode) -> Counter[str]:
    found: Counter[str] = Counter()
    pending = [node]
    while pending:
        current = pending.pop()
        match current if type(current) in _PARTLY_READ else None:
            case cst.Name(value=written):
                found[written] += 1
            case cst.Attribute(value=value) | cst.Arg(value=value):
                pending.append(value)
            case cst.AssignTarget(target=cst.Name()):
                continue
            case _:
                pending += children(current)
    return found


_PARTLY_READ = frozenset({cst.Name, cst.Attribute, cst.Arg, cst.AssignTarget})
