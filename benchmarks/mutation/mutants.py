"""What a mutator is, and the mutants it makes of a file: one hazard each, at every place that has its pattern."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst

from mutation.view import View, code

ANY = frozenset(
    {"value", "gradient", "not finite", "raises", "shape", "half", "device", "dead", "second step", "mutated"}
)
UNSAFE = frozenset({"not finite", "dead", "gradient lost", "half"})
"""What a dropped guard must show: another value alone is a matter of taste."""


@dataclass(frozen=True)
class Edit:
    """A text for a span of bytes."""

    start: int
    end: int
    text: str


Change = str | Edit
"""A text for the node that was looked at, or an edit elsewhere."""
Mutate = Callable[[Any, View], Iterator[Change]]


@dataclass(frozen=True)
class Mutator:
    """Plants one hazard. `shows` names the differences in behaviour of which one is needed to call a mutant hazardous."""

    name: str
    family: str
    node: type[cst.CSTNode]
    mutate: Mutate
    shows: frozenset[str]


@dataclass(frozen=True)
class Mutant:
    """A file with one hazard in it, planted by a mutator in `symbol` at a row of the original."""

    mutator: Mutator
    file: str
    symbol: str
    row: int
    site: str
    text: str

    @property
    def name(self) -> str:
        """Short and unique; it becomes the name of a module."""
        stem = self.file.rpartition("/")[2].removesuffix(".py")
        return f"{stem}_{self.mutator.name}_{self._digest()[:8]}"

    @property
    def is_held_out(self) -> bool:
        """Whether nobody who works on rules looks at it: a third of all, by mutator, file and site."""
        return int(self._digest(), 16) % 3 == 0

    def _digest(self) -> str:
        return hashlib.sha256(f"{self.mutator.name}\n{self.file}\n{self.site}".encode()).hexdigest()


MUTATORS: list[Mutator] = []


def mutator(node: type[cst.CSTNode], shows: frozenset[str] = ANY) -> Callable[[Mutate], Mutate]:
    """Make a function a mutator of a kind of node. It gets the node and the file, and yields changes."""

    def register(mutate: Mutate) -> Mutate:
        family = mutate.__module__.rpartition(".")[2]
        MUTATORS.append(Mutator(mutate.__name__, family, node, mutate, shows))
        return mutate

    return register


def mutants_of(text: str, file: str) -> Iterator[Mutant]:
    """All mutants of a file that parse, each text once."""
    view = View(text)
    seen = {text}
    sites: Counter[tuple[str, str]] = Counter()
    for node in view.nodes():
        if not isinstance(node, cst.FunctionDef) and view.function(node) is None:
            continue
        for each in MUTATORS:
            if isinstance(node, each.node):
                for change in each.mutate(node, view):
                    edit = _edit(change, node, view)
                    changed = (view.bytes[: edit.start] + edit.text.encode() + view.bytes[edit.end :]).decode()
                    symbol = view.symbol(node)
                    site = f"{symbol}\n{edit.text}\n{view.bytes[edit.start : edit.end].decode()}"
                    sites[each.name, site] += 1
                    if changed not in seen and _parses(changed):
                        seen.add(changed)
                        number = sites[each.name, site]
                        yield Mutant(each, file, symbol, view.row(edit.start), f"{site}\n{number}", changed)


def _edit(change: Change, node: cst.CSTNode, view: View) -> Edit:
    if isinstance(change, Edit):
        return change
    start, end = view.span(node)
    if isinstance(node, cst.BaseExpression) and view.needs_parentheses(node) and _is_loose(change):
        change = f"({change})"
    return Edit(start, end, change)


def _is_loose(text: str) -> bool:
    """Whether an expression needs parentheses among operators."""
    made = cst.parse_expression(text)
    return not made.lpar and isinstance(
        made, (cst.BinaryOperation, cst.UnaryOperation, cst.IfExp, cst.Comparison, cst.BooleanOperation, cst.Lambda)
    )


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def replaced(whole: cst.CSTNode, part: cst.CSTNode, text: str) -> str:
    """Source of a node in which a part of it is replaced by an expression."""
    changed = whole.deep_replace(part, cst.parse_expression(text))
    return code(changed)  # type: ignore[arg-type]
