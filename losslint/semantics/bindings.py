"""What the names of one file are bound to, as written: definitions, imports and aliases. Reads stdlib ast only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Defined = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name: `from <dots><module> import <name>`, or `import <module>` where `name` is empty."""

    module: str
    level: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Bindings:
    """The names of a file. `nested` holds definitions inside functions, for names that nothing else binds."""

    definitions: dict[str, Defined] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    stars: list[Import] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    nested: dict[str, tuple[Defined, str]] = field(default_factory=dict)

    def member(self, name: str) -> tuple[Defined, str] | None:
        """The definition behind `Outer.Inner.method` with its qualified name, where this file defines `Outer`."""
        head, _, rest = name.partition(".")
        found: Defined | None = self.definitions.get(head)
        if found is None:
            return self.nested.get(name)
        for part in rest.split(".") if rest else ():
            found = next((node for node in defined_in(found.body) if node.name == part), None)
            if found is None:
                return None
        return found, name


def dotted_name(node: ast.AST) -> str | None:
    """`a.b.c` for a chain of names, None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(node.id)
    return ".".join(reversed(parts))


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The statement lists directly inside a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def defined_in(body: Iterable[ast.stmt]) -> Iterator[Defined]:
    """The functions and classes of a block, those under `if`, `try`, `with` and loops included."""
    for statement in body:
        if isinstance(statement, Defined):
            yield statement
        elif not isinstance(statement, ast.expr | ast.Expr | ast.Assign):
            for block in blocks(statement):
                yield from defined_in(block)


def read_bindings(tree: ast.Module) -> Bindings:
    """Collect the bindings of a file; where two branches define a name, the first one wins."""
    bindings = Bindings()
    _read_block(tree.body, bindings)
    for name, definition in list(bindings.definitions.items()):
        _read_inside(definition, name, bindings)
    return bindings


def _read_block(body: Iterable[ast.stmt], bindings: Bindings) -> None:
    for statement in body:
        if isinstance(statement, Defined):
            bindings.definitions.setdefault(statement.name, statement)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            _read_import(statement, bindings)
        elif isinstance(statement, ast.Assign):
            _read_alias(statement, bindings)
        else:
            for block in blocks(statement):
                _read_block(block, bindings)


def _read_import(statement: ast.Import | ast.ImportFrom, bindings: Bindings) -> None:
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            # `import a.b` binds `a`; `import a.b as c` binds `c` to a.b itself.
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            bindings.imports.setdefault(alias.asname or module, Import(module))
        elif alias.name == "*":
            bindings.stars.append(Import(statement.module or "", statement.level))
        else:
            origin = Import(statement.module or "", statement.level, alias.name)
            bindings.imports.setdefault(alias.asname or alias.name, origin)


def _read_alias(statement: ast.Assign, bindings: Bindings) -> None:
    target = dotted_name(statement.value)
    if target is None:
        return
    for name in statement.targets:
        if isinstance(name, ast.Name) and name.id != target:
            bindings.aliases.setdefault(name.id, target)


def _read_inside(outer: Defined, qualname: str, bindings: Bindings) -> None:
    """Imports in function bodies count where the file binds the name nowhere else; so do nested definitions."""
    for statement in _statements(outer.body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            _read_import(statement, bindings)
        elif isinstance(statement, Defined):
            inner = f"{qualname}.{statement.name}"
            bindings.nested.setdefault(statement.name, (statement, inner))
            _read_inside(statement, inner, bindings)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and of the blocks in it, without entering definitions."""
    for statement in body:
        yield statement
        if not isinstance(statement, Defined):
            for block in blocks(statement):
                yield from _statements(block)
