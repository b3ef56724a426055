"""The project a file belongs to: which file an import means, and where a name is defined."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_HOPS = 8
MAX_ANCESTORS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A class or function of the project: its file, its node, its name there."""

    path: Path
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    qualname: str


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """What the top level of a module binds: definitions, imported names with their origin, and star imports."""

    definitions: Mapping[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = field(default_factory=dict)
    imports: Mapping[str, tuple[str, str, int]] = field(default_factory=dict)
    stars: tuple[tuple[str, int], ...] = ()


class Project:
    """Reads modules when a name leads to them, each once. Nothing is imported."""

    def __init__(self, roots: tuple[Path, ...] = ()) -> None:
        self._roots = roots
        self._trees: dict[Path, ast.Module | None] = {}
        self._names: dict[Path, Names] = {}
        self._files: dict[Path, Path | None] = {}

    def remember(self, path: Path, tree: ast.Module) -> None:
        """Use a tree that was parsed already."""
        self._trees.setdefault(path, tree)

    def tree(self, path: Path) -> ast.Module | None:
        """The syntax tree of a file, None where it cannot be read or parsed."""
        if path not in self._trees:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self._trees[path] = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
                self._trees[path] = None
        return self._trees[path]

    def module_file(self, dotted: str, importer: Path, level: int = 0) -> Path | None:
        """The file of an imported module inside the project: relative to its package, beside the importer, or below a
        root or its `src`."""
        parts = [part for part in dotted.split(".") if part]
        if level:
            folder = importer.parent
            for _ in range(level - 1):
                folder = folder.parent
            return self._below(folder, parts)
        for base in self._bases(importer):
            found = self._below(base, parts)
            if found is not None:
                return found
        return None

    def _bases(self, importer: Path) -> Iterator[Path]:
        package = importer.parent
        while self._exists(package / "__init__.py"):
            package = package.parent
            if package == package.parent:
                break
        yield package
        yield importer.parent
        for root in self._roots:
            yield root
            yield root / "src"

    def _below(self, base: Path, parts: list[str]) -> Path | None:
        target = base.joinpath(*parts)
        if target not in self._files:
            candidates = ([target.with_name(target.name + ".py")] if parts else []) + [target / "__init__.py"]
            self._files[target] = next((path for path in candidates if path.is_file()), None)
        return self._files[target]

    def _exists(self, path: Path) -> bool:
        if path not in self._files:
            self._files[path] = path if path.is_file() else None
        return self._files[path] is not None

    def names(self, path: Path) -> Names:
        """What the top level of a file binds."""
        if path not in self._names:
            tree = self.tree(path)
            self._names[path] = _names(tree) if tree is not None else Names()
        return self._names[path]

    def resolve(self, path: Path, name: str) -> Definition | None:
        """Where a name used in `path`, dotted or not, is defined in the project; re-exports and stars are followed."""
        return self._resolve(path, name, MAX_HOPS)

    def _resolve(self, path: Path, name: str, hops: int) -> Definition | None:
        if hops == 0:
            return None
        head, _, rest = name.partition(".")
        names = self.names(path)
        node = names.definitions.get(head)
        if node is not None:
            return Definition(path, node, head) if not rest else None
        if head in names.imports:
            return self._imported(path, names.imports[head], rest, hops)
        for module, level in names.stars:
            file = self.module_file(module, path, level)
            found = self._resolve(file, name, hops - 1) if file is not None and file != path else None
            if found is not None:
                return found
        return None

    def _imported(self, path: Path, origin: tuple[str, str, int], rest: str, hops: int) -> Definition | None:
        module, attribute, level = origin
        file = self.module_file(module, path, level)
        if attribute:
            inner = self.module_file(f"{module}.{attribute}" if module else attribute, path, level)
            wanted = f"{attribute}.{rest}" if rest else attribute
            found = self._resolve(file, wanted, hops - 1) if file is not None and file != path else None
            if found is None and inner is not None and rest:
                return self._resolve(inner, rest, hops - 1)
            return found
        while rest:
            head, _, tail = rest.partition(".")
            deeper = self.module_file(f"{module}.{head}", path, level)
            if deeper is None or not tail:
                break
            module, rest, file = f"{module}.{head}", tail, deeper
        return self._resolve(file, rest, hops - 1) if file is not None and rest else None

    def qualified(self, path: Path, name: str) -> str:
        """A name as its imports spell it: `nn.Module` is torch.nn.Module."""
        head, _, rest = name.partition(".")
        origin = self.names(path).imports.get(head)
        if origin is None:
            return name
        module, attribute, level = origin
        return ".".join(part for part in ("." * level + module, attribute, rest) if part)

    def ancestry(self, path: Path, node: ast.ClassDef) -> tuple[str, ...]:
        """The full names of all bases, those of the project replaced by theirs too; nearest first."""
        return tuple(name for name, _ in self.ancestors(path, node))

    def ancestors(self, path: Path, node: ast.ClassDef) -> tuple[tuple[str, Definition | None], ...]:
        """The bases as full names, each with its definition where the project has it."""
        found: list[tuple[str, Definition | None]] = []
        pending: list[tuple[Path, ast.ClassDef]] = [(path, node)]
        seen: set[ast.ClassDef] = {node}
        while pending and len(found) < MAX_ANCESTORS:
            where, current = pending.pop(0)
            for base in current.bases:
                name = dotted_name(base.value if isinstance(base, ast.Subscript) else base)
                if name is None:
                    continue
                definition = self.resolve(where, name)
                found.append((self.qualified(where, name), definition))
                if definition is not None and isinstance(definition.node, ast.ClassDef) and definition.node not in seen:
                    seen.add(definition.node)
                    pending.append((definition.path, definition.node))
        return tuple(found)


def dotted_name(node: ast.expr) -> str | None:
    """`a.b.c` for a chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted_name(node.value)
        return f"{head}.{node.attr}" if head else None
    return None


def _names(tree: ast.Module) -> Names:
    definitions: dict[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = {}
    imports: dict[str, tuple[str, str, int]] = {}
    stars: list[tuple[str, int]] = []
    for node in top_level(tree.body):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                definitions[name] = node
            case ast.Import(names=aliases):
                for alias in aliases:
                    head = alias.name.partition(".")[0]
                    imports[alias.asname or head] = (alias.name if alias.asname else head, "", 0)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                for alias in aliases:
                    if alias.name == "*":
                        stars.append((module or "", level))
                    else:
                        imports[alias.asname or alias.name] = (module or "", alias.name, level)
    return Names(definitions, imports, tuple(stars))


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those inside if, try and with included."""
    for node in body:
        yield node
        match node:
            case ast.If(body=inner, orelse=other):
                yield from top_level([*other, *inner])
            case ast.Try(body=inner, handlers=handlers, orelse=other):
                yield from top_level([*(each for handler in handlers for each in handler.body), *other, *inner])
            case ast.With(body=inner):
                yield from top_level(inner)
