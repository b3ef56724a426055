"""Which names each statement at the top of a file binds, read from Python's own tree: what they are bound to is parsed later.

It goes by the same order as `names`, so that of two definitions with one name the same one counts.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OutlinedNames:
    """The imports of a file, and the position of the statement that defines each function, class and constant."""

    imports: dict[str, str] = field(default_factory=dict)
    functions: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)


def outline_names(statements: Iterable[tuple[int, ast.stmt]], lines: Sequence[str]) -> OutlinedNames:
    """The names that statements bind, each with the position given for its statement. `lines` are those of the file."""
    outliner = _Outliner(lines)
    for position, statement in statements:
        outliner.position = position
        outliner.statement(statement, "")
    return outliner.names


class _Outliner:
    def __init__(self, lines: Sequence[str]) -> None:
        self.names = OutlinedNames()
        self.position = 0
        self._lines = lines

    def _block(self, body: Sequence[ast.stmt], prefix: str) -> None:
        if self._is_indented(body):
            for statement in body:
                self.statement(statement, prefix)

    def statement(self, node: ast.stmt, prefix: str) -> None:
        """Take up what a statement binds, and what those in it do."""
        match node:
            case ast.FunctionDef(name=name, body=body) | ast.AsyncFunctionDef(name=name, body=body):
                self.names.functions[prefix + name] = self.position
                self._inside(body, f"{prefix}{name}.")
            case ast.ClassDef(name=name, body=body):
                self.names.classes[prefix + name] = self.position
                self._block(body, f"{prefix}{name}.")
            case ast.If(body=body, orelse=orelse) if self._is_indented(body):
                self._block(body, prefix)
                self._block(orelse, prefix)
            case ast.Try(body=body, handlers=handlers) if self._is_indented(body):
                for handler in reversed(handlers):
                    self._block(handler.body, prefix)
                self._block(body, prefix)
            case ast.With(body=body) | ast.AsyncWith(body=body):
                self._block(body, prefix)
            case ast.Import() | ast.ImportFrom():
                self.names.imports.update(_imported(node))
            case ast.Assign(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.names.constants[prefix + target.id] = self.position
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                self.names.constants[prefix + name] = self.position

    def _is_indented(self, body: Sequence[ast.stmt]) -> bool:
        """Whether a block stands below its head; what follows a colon on its line is not looked into."""
        return bool(body) and not self._lines[body[0].lineno - 1][: body[0].col_offset].strip()

    def _inside(self, body: Sequence[ast.stmt], prefix: str) -> None:
        """Imports in functions count where the module has not bound the name before; definitions in them are looked into."""
        if not self._is_indented(body):
            return
        for statement in body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for name, target in _imported(statement):
                    self.names.imports.setdefault(name, target)
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.statement(statement, prefix)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import binds, and what they stand for."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            head = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (head, head)
        elif alias.name != "*":
            origin = "." * node.level + (node.module or "")
            separator = "" if not origin or origin.endswith(".") else "."
            yield alias.asname or alias.name, f"{origin}{separator}{alias.name}"
