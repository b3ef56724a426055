"""Calls of torch as operations on a tensor, whichever way they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import libcst as cst

from mutation.view import atom, code

MODULES = ("torch", "F", "nn")
_SMALL = re.compile(r"(^|\.|_)(eps|epsilon|smooth|tiny)$")


@dataclass(frozen=True)
class Operation:
    """`x.clamp(min=0)` and `torch.clamp(x, min=0)`: the name, the tensor, and the other arguments. `owner` is the module
    that a function is taken from, "" for a method."""

    name: str
    subject: cst.BaseExpression
    rest: tuple[cst.Arg, ...]
    owner: str
    call: cst.Call

    def argument(self, keyword: str, position: int | None = None) -> cst.Arg | None:
        """An argument after the tensor, by its name or its position."""
        positional = [each for each in self.rest if each.keyword is None and not each.star]
        for each in self.rest:
            if each.keyword is not None and each.keyword.value == keyword:
                return each
        return positional[position] if position is not None and position < len(positional) else None

    def without(self, *dropped: cst.Arg | None) -> tuple[cst.Arg, ...]:
        """The other arguments but some."""
        return tuple(each for each in self.rest if each not in dropped)

    def again(self, subject: str | None = None, rest: Iterable[cst.Arg] | None = None, name: str = "") -> str:
        """The call once more, with another tensor, other arguments or another name."""
        rest = self.rest if rest is None else rest
        name = name or self.name
        if not self.owner:
            return f"{subject or atom(self.subject)}.{name}({arguments(rest)})"
        return f"{self.owner}.{name}({join(subject or code(self.subject), rest)})"


def operation(call: cst.CSTNode, *names: str) -> Operation | None:
    """A call of torch by one of some names (any without names), None for other nodes."""
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    name = call.func.attr.value
    if names and name not in names:
        return None
    owner = code(call.func.value)
    if owner.partition(".")[0] not in MODULES or re.fullmatch(r"[\w.]+", owner) is None:
        if owner in ("math", "np", "self") or owner.startswith("super("):
            return None
        return Operation(name, call.func.value, tuple(call.args), "", call)
    if not call.args or call.args[0].keyword is not None or call.args[0].star:
        return None
    return Operation(name, call.args[0].value, tuple(call.args[1:]), owner, call)


def arguments(args: Iterable[cst.Arg]) -> str:
    """Source of arguments, without the brackets."""
    return ", ".join(code(each.with_changes(comma=cst.MaybeSentinel.DEFAULT)) for each in args)


def join(first: str, args: Iterable[cst.Arg]) -> str:
    """Source of an argument and others."""
    return ", ".join(filter(None, (first, arguments(args))))


def called(call: cst.Call, args: Iterable[cst.Arg]) -> str:
    """Source of a call with other arguments."""
    return f"{code(call.func)}({arguments(args)})"


def keyword(call: cst.Call, name: str) -> cst.Arg | None:
    """An argument of a call by its name."""
    return next((each for each in call.args if each.keyword is not None and each.keyword.value == name), None)


def is_small(node: cst.CSTNode) -> bool:
    """Whether this is an eps or a smoothing constant: a number of at most 0.01, or a name that says so."""
    if isinstance(node, cst.Float):
        return float(node.value) <= 1e-2
    if isinstance(node, (cst.Name, cst.Attribute)):
        return _SMALL.search(code(node)) is not None
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Power, cst.Multiply)):
        return is_small(node.left)
    return False


def is_constant(node: cst.CSTNode) -> bool:
    """Whether this is a number, or small."""
    return isinstance(node, cst.BaseNumber) or is_small(node)


def is_named(node: cst.CSTNode, pattern: str) -> bool:
    """Whether this is a name, or an attribute of self, in which a pattern is found."""
    return isinstance(node, (cst.Name, cst.Attribute)) and re.search(pattern, code(node)) is not None
