"""A function laid out as a graph of events: a local name is read, a local name is bound.

Where Python hides something (a closure, `locals()`, `del`, a `finally`) the names concerned are captured: they may be
read at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import children, walk

START, END = 0, 1
_HOLDERS = frozenset({cst.Attribute, cst.Arg})
_COMPREHENSIONS = (cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp)
_SPECIAL = frozenset({cst.NamedExpr, cst.Annotation, cst.Lambda, cst.Call, *_COMPREHENSIONS})
_REFLECTIVE = frozenset({"locals", "vars", "eval", "exec", "globals"})


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One place where a local name is bound.

    `how` is "assign" (a plain `name = value`), "augment", "unpack", "loop" (the target of a `for`) or "other"; `value` what
    is assigned; `loops` the `for` and `while` statements around it, outermost first; `conditional` whether a branch, a
    loop or a `try` may skip it.
    """

    name: str
    node: cst.CSTNode
    how: str
    value: cst.BaseExpression | None = None
    loops: tuple[cst.CSTNode, ...] = ()
    conditional: bool = False


@dataclass(slots=True)
class Event:
    """A read of a name, or its binding; `following` are the events that may come next."""

    name: str
    binding: Binding | None = None
    following: list[int] = field(default_factory=list)


class Layout:
    """The events of a function's body. `captured` names may be read at any time, in an opaque body all may."""

    def __init__(self, function: Function) -> None:
        self.events = [Event(""), Event("")]
        self.captured: set[str] = set()
        self.is_opaque = False
        self._here: list[int] = [START]  # the events that the next one follows
        self._breaks: list[list[int]] = []
        self._continues: list[list[int]] = []
        self._loops: tuple[cst.CSTNode, ...] = ()
        self._conditional = False
        self._hidden: frozenset[str] = frozenset()
        self._suite(function.body)
        self._go_to(END)

    def _add(self, name: str, binding: Binding | None = None) -> int:
        position = len(self.events)
        self.events.append(Event(name, binding))
        self._go_to(position)
        self._here = [position]
        return position

    def _go_to(self, position: int) -> None:
        for each in self._here:
            self.events[each].following.append(position)

    def _bind(self, name: str, node: cst.CSTNode, how: str, value: cst.BaseExpression | None = None) -> None:
        self._add(name, Binding(name, node, how, value, self._loops, self._conditional))

    def _read(self, node: Any) -> None:
        """The names an expression reads, in about the order it does; conditional reads count as reads."""
        kind = type(node)
        if kind is cst.Name:
            if node.value not in self._hidden:
                self._add(node.value)
        elif kind in _HOLDERS:
            self._read(node.value)
        elif node is not None and (kind not in _SPECIAL or not self._read_special(node)):
            for child in children(node):
                self._read(child)

    def _read_special(self, node: cst.CSTNode) -> bool:
        """The reads of a node that are not just those of what it is made of; False where they are."""
        match node:
            case cst.NamedExpr(target=cst.Name(value=name), value=value):
                self._read(value)
                self._bind(name, node, "other", value)
            case cst.Annotation(annotation=value):
                self._read(value)
            case cst.Lambda():
                self._capture(node)
            case cst.BaseComp():
                self._comprehension(node)
            case cst.Call(func=cst.Name(value=name)) if name in _REFLECTIVE:
                self.is_opaque = True
            case _:
                return False
        return True

    def _comprehension(self, node: cst.BaseComp) -> None:
        """Its variables are its own; only what it goes over first is read outside of it."""
        self._read(node.for_in.iter)
        outer = self._hidden
        loops: cst.CompFor | None = node.for_in
        while loops is not None:
            self._hidden |= {each.value for each in walk(loops.target) if isinstance(each, cst.Name)}
            loops = loops.inner_for_in
        for child in children(node):
            self._read(child)
        self._hidden = outer

    def _capture(self, node: cst.CSTNode) -> None:
        """What a nested definition mentions may be read whenever it is called."""
        self.captured.update(each.value for each in walk(node) if isinstance(each, cst.Name))

    def _target(self, node: cst.CSTNode, how: str, value: cst.BaseExpression | None = None) -> None:
        match node:
            case cst.Name(value=name):
                self._bind(name, node, how, value)
            case cst.Tuple(elements=elements) | cst.List(elements=elements):
                for element in elements:
                    self._target(element.value, "loop" if how == "loop" else "unpack")
            case cst.StarredElement(value=inner):
                self._target(inner, how)
            case _:
                self._read(node)

    def _suite(self, suite: cst.BaseSuite) -> None:
        for statement in suite.body:
            self._statement(statement)

    def _statement(self, node: cst.CSTNode) -> None:
        match node:
            case cst.SimpleStatementLine(body=body):
                for small in body:
                    self._small(small)
            case cst.BaseSmallStatement():
                self._small(node)
            case cst.If():
                self._if(node)
            case cst.For() | cst.While():
                self._loop(node)
            case cst.Try() | cst.TryStar():
                self._try(node)
            case cst.With(items=items, body=body):
                self._with(items, body)
            case cst.Match(subject=subject, cases=cases):
                self._match(subject, cases)
            case cst.FunctionDef(name=name) | cst.ClassDef(name=name):
                self._capture(node)
                self.captured.add(name.value)

    def _small(self, node: cst.CSTNode) -> None:
        match node:
            case cst.Assign(targets=targets, value=value):
                self._read(value)
                single = len(targets) == 1
                for target in targets:
                    self._target(target.target, "assign" if single else "other", value)
            case cst.AnnAssign(target=target, value=value):
                if value is not None:
                    self._read(value)
                    self._target(target, "assign", value)
            case cst.AugAssign(target=target, value=value):
                self._read(value)
                self._read(target)
                self._target(target, "augment", value)
            case cst.Return(value=value):
                self._read(value)
                self._go_to(END)
                self._here = []
            case cst.Raise():
                for child in children(node):
                    self._read(child)
                self._here = []
            case cst.Break() | cst.Continue():
                waiting = self._breaks if isinstance(node, cst.Break) else self._continues
                if waiting:
                    waiting[-1].extend(self._here)
                self._here = []
            case cst.Global(names=names) | cst.Nonlocal(names=names):
                self.captured.update(item.name.value for item in names)
            case cst.Import(names=names) | cst.ImportFrom(names=names):
                self._import(node, names)
            case _:  # an expression, assert, del
                for child in children(node):
                    self._read(child)

    def _import(self, node: cst.CSTNode, names: Sequence[cst.ImportAlias] | cst.ImportStar) -> None:
        for alias in names if not isinstance(names, cst.ImportStar) else ():
            local: cst.BaseExpression = alias.asname.name if alias.asname is not None else alias.name
            while isinstance(local, cst.Attribute):
                local = local.value
            if isinstance(local, cst.Name):
                self._bind(local.value, node, "other")

    def _if(self, node: cst.If) -> None:
        self._read(node.test)
        before = self._here
        with _Conditional(self):
            self._suite(node.body)
            after = self._here
            self._here = list(before)
            match node.orelse:
                case cst.If():
                    self._if(node.orelse)
                case cst.Else(body=body):
                    self._suite(body)
        self._here = [*after, *self._here]

    def _loop(self, node: cst.For | cst.While) -> None:
        if isinstance(node, cst.For):
            self._read(node.iter)
        turn = self._add("")
        if isinstance(node, cst.While):
            self._read(node.test)
        exits = list(self._here)
        self._breaks.append([])
        self._continues.append([])
        outer, self._loops = self._loops, (*self._loops, node)
        with _Conditional(self):
            if isinstance(node, cst.For):
                self._target(node.target, "loop")
            self._suite(node.body)
        self._loops = outer
        self._here += self._continues.pop()
        self._go_to(turn)
        self._here = exits if not _is_endless(node) else []
        broken = self._breaks.pop()
        if node.orelse is not None:
            self._suite(node.orelse.body)
        self._here = [*self._here, *broken]

    def _try(self, node: cst.Try | cst.TryStar) -> None:
        """Any event of the body may be the last one before a handler; what a `finally` reads is read."""
        before = list(self._here)
        first = len(self.events)
        if node.finalbody is not None:
            self._capture(node.finalbody)
        with _Conditional(self):
            self._suite(node.body)
            raising = [*before, *range(first, len(self.events))]
            if node.orelse is not None:
                self._suite(node.orelse.body)
            ends = list(self._here)
            for handler in node.handlers:
                self._here = list(raising)
                self._read(handler.type)
                if handler.name is not None and isinstance(handler.name.name, cst.Name):
                    self._bind(handler.name.name.value, handler, "other")
                self._suite(handler.body)
                ends += self._here
        self._here = ends
        if node.finalbody is not None:
            self._suite(node.finalbody.body)

    def _with(self, items: Iterable[cst.WithItem], body: cst.BaseSuite) -> None:
        before: list[int] = []
        for item in items:
            self._read(item.item)
            if _may_suppress(item.item):
                before = list(self._here)
            if item.asname is not None:
                self._target(item.asname.name, "other")
        first = len(self.events)
        self._suite(body)
        if before:
            self._here = [*self._here, *before, *range(first, len(self.events))]

    def _match(self, subject: cst.BaseExpression, cases: Iterable[cst.MatchCase]) -> None:
        self._read(subject)
        before = list(self._here)
        ends: list[int] = []
        with _Conditional(self):
            for case in cases:
                self._here = list(before)
                for name in _captures(case.pattern):
                    self._bind(name.value, name, "other")
                self._read(case.guard)
                self._suite(case.body)
                ends += self._here
        self._here = [*ends, *before]


class _Conditional:
    """While it is open, bindings are conditional."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._outer = layout._conditional

    def __enter__(self) -> None:
        self._layout._conditional = True

    def __exit__(self, *error: object) -> None:
        self._layout._conditional = self._outer


def _is_endless(node: cst.For | cst.While) -> bool:
    return isinstance(node, cst.While) and isinstance(node.test, cst.Name) and node.test.value == "True"


def _may_suppress(node: cst.BaseExpression) -> bool:
    """`contextlib.suppress(...)`, `pytest.raises(...)`: what is inside may end early."""
    called = node.func if isinstance(node, cst.Call) else node
    last = called.attr if isinstance(called, cst.Attribute) else called
    return isinstance(last, cst.Name) and last.value in ("suppress", "raises")


def _captures(pattern: cst.CSTNode) -> Iterator[cst.Name]:
    for node in walk(pattern):
        if isinstance(node, (cst.MatchAs, cst.MatchStar)) and isinstance(node.name, cst.Name):
            yield node.name
