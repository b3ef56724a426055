"""Names of one parsed file: its imports, functions, classes and constants, and how it can spell a torch name."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeGuard, TypeVar, overload

import libcst as cst

from losslint.semantics.outlined_names import outline_names
from losslint.semantics.pieces import INDENT, NEWLINE, Division, Piece
from losslint.semantics.quiet_parse import quietly_parsed
from losslint.semantics.rendering import text_of

Function = cst.FunctionDef
Node = TypeVar("Node", bound=cst.CSTNode)
T = TypeVar("T")


def dotted(node: cst.BaseExpression) -> str | None:
    """`a.b.c` for a chain of names, None for anything else."""
    attributes: list[str] = []
    while type(node) is cst.Attribute:  # isinstance is slow with libcst's classes, which are abstract ones
        attributes.append(node.attr.value)
        node = node.value
    return ".".join([node.value, *reversed(attributes)]) if type(node) is cst.Name else None


@dataclass(frozen=True, eq=False)
class Unit:
    """One parsed file, in one piece or more, and the definitions and imports at its top level.

    `facts` keeps what was worked out of it for as long as it is kept itself.
    """

    path: Path
    filename: str
    pieces: Sequence[Piece]
    text: str
    imports: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    classes: Mapping[str, cst.ClassDef] = field(default_factory=dict)
    constants: Mapping[str, cst.BaseExpression] = field(default_factory=dict)
    indent: str = INDENT
    newline: str = NEWLINE
    facts: dict[Hashable, object] = field(default_factory=dict, repr=False)
    _codes: dict[cst.CSTNode, str] = field(default_factory=dict, repr=False)

    @cached_property
    def module(self) -> cst.Module:
        """The whole tree; a file in pieces is parsed as a whole for it."""
        first, *others = (piece.module for piece in self.pieces)
        if not others:
            return first
        body = [statement for module in (first, *others) for statement in module.body]
        last = others[-1]
        return cst.Module(
            body, first.header, last.footer, first.encoding, self.indent, self.newline, last.has_trailing_newline
        )

    @property
    def parsed(self) -> Iterator[Piece]:
        """The pieces that are parsed, which hold every node that there is of this file."""
        return (piece for piece in self.pieces if piece.is_parsed)

    def parsed_functions(self) -> Iterable[tuple[str, Function]]:
        """The functions in the pieces that are parsed, by name: every one that anything has come to is among them."""
        functions = self.functions
        return functions.found_in(lambda piece: piece.is_parsed) if _is_divided(functions) else functions.items()

    def functions_that_mention(self, word: str) -> Iterable[tuple[str, Function]]:
        """The functions in the pieces in whose text a word is, by name."""
        return _where(self.functions, lambda text: word in text)

    def functions_that_return(self, name: str) -> Iterable[tuple[str, Function]]:
        """The functions in the pieces in which something of this name is returned, by itself or in a tuple."""
        return _where(self.functions, lambda text: name in text and name in _returned_names(text))

    def functions_that_call(self, name: str) -> Iterable[tuple[str, Function]]:
        """The functions in the pieces in whose text something of this name is called."""
        called = re.compile(rf"{re.escape(name)}\s*\(")
        return _where(
            self.functions,
            lambda text: any(not text.endswith("def ", 0, each.start()) for each in called.finditer(text)),
        )

    def classes_that_mention(self, words: Collection[str]) -> Iterable[tuple[str, cst.ClassDef]]:
        """The classes in the pieces in whose text one of these words is, by name."""
        return _where(self.classes, lambda text: any(word in text for word in words))

    def qualified(self, node: cst.BaseExpression) -> str | None:
        """The full name behind a chain of names, imports resolved: `F.softmax` is torch.nn.functional.softmax."""
        name = dotted(node)
        if name is None:
            return None
        head, _, rest = name.partition(".")
        known = self.imports.get(head)
        if known is None:
            return None
        return f"{known}.{rest}" if rest else known

    def spell(self, qualified: str) -> str | None:
        """How this file can write a full name with the imports it has, the shortest way; None where it cannot."""
        if qualified in self._local_by_target:
            return self._local_by_target[qualified]
        best: str | None = None
        for target, local in self._local_by_target.items():
            if qualified.startswith(target + "."):
                spelling = local + qualified[len(target) :]
                if best is None or len(spelling) < len(best):
                    best = spelling
        return best

    @cached_property
    def _local_by_target(self) -> dict[str, str]:
        return {target: local for local, target in self.imports.items()}

    def mentions(self, node: cst.CSTNode, *texts: str) -> bool:
        """Whether one of these texts is in the source of a node, which is written only where the file holds one at all."""
        present = [text for text in texts if text in self.text]
        return bool(present) and any(text in self.code(node) for text in present)

    def code(self, node: cst.CSTNode) -> str:
        """The source text of a node."""
        if isinstance(node, cst.Module):
            return self.text
        known = self._codes.get(node)
        if known is None:
            known = self._codes[node] = text_of(node, self.indent, self.newline)
        return known


def parse_unit(path: Path, filename: str, module: cst.Module, text: str | None = None) -> Unit:
    """Collect the top-level definitions of a parsed module, those under `if`, `try` and `with` included.

    `text` is what it was parsed from, so that it need not be written again.
    """
    written = module.code if text is None else text
    found = _collected(module)
    return Unit(
        path,
        filename,
        (Piece(path, written, module=module),),
        written,
        found.imports,
        found.functions,
        found.classes,
        found.constants,
        module.default_indent,
        module.default_newline,
    )


def unit_in_pieces(path: Path, filename: str, text: str, division: Division) -> Unit:
    """A file of which a definition is parsed when it is looked up."""
    names = outline_names(division.statements, division.lines)
    found = [_Later(piece) for piece in division.pieces]
    return Unit(
        path,
        filename,
        division.pieces,
        text,
        names.imports,
        _InPieces(names.functions, found, lambda collected: collected.functions),
        _InPieces(names.classes, found, lambda collected: collected.classes),
        _InPieces(names.constants, found, lambda collected: collected.constants),
        division.indent,
    )


class _Later:
    """The names of one piece."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece

    @cached_property
    def names(self) -> _Collector:
        """What is collected from the piece, which is parsed for it."""
        return _collected(self.piece.module)


class _InPieces(Mapping[str, Node]):
    """Definitions by name, each in the piece with the number given."""

    def __init__(
        self, numbers: Mapping[str, int], found: Sequence[_Later], of: Callable[[_Collector], Mapping[str, Node]]
    ) -> None:
        self._numbers = numbers
        self._found = found
        self._of = of
        self._known: dict[str, Node] = {}

    def __getitem__(self, name: str) -> Node:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._of(self._found[self._numbers[name]].names)[name]
        return known

    @overload
    def get(self, name: str) -> Node | None: ...

    @overload
    def get(self, name: str, default: T) -> Node | T: ...

    def get(self, name: str, default: object = None) -> object:
        """What a name is bound to; without the errors that a mapping makes of the names it has not, which are most."""
        if name not in self._numbers:
            return default
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def found_in(self, is_wanted: Callable[[Piece], bool]) -> Iterator[tuple[str, Node]]:
        """Those in some of the pieces."""
        return ((name, self[name]) for name, number in self._numbers.items() if is_wanted(self._found[number].piece))

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def _where(definitions: Mapping[str, Node], is_wanted: Callable[[str], bool]) -> Iterable[tuple[str, Node]]:
    """The definitions in the pieces with a text that is wanted; all of a file that is one piece."""
    return (
        definitions.found_in(lambda piece: is_wanted(piece.text)) if _is_divided(definitions) else definitions.items()
    )


def _returned_names(text: str) -> frozenset[str]:
    """What a piece returns; Python's own parser reads it in a tenth of the time of libcst."""
    returned = [node.value for node in ast.walk(quietly_parsed(text)) if isinstance(node, ast.Return)]
    parts = [part for each in returned for part in (each.elts if isinstance(each, ast.Tuple) else [each])]
    bare = [part.value if isinstance(part, ast.Starred) else part for part in parts]
    return frozenset(part.id for part in bare if isinstance(part, ast.Name))


def _is_divided(functions: Mapping[str, Node]) -> TypeGuard[_InPieces[Node]]:
    return isinstance(functions, _InPieces)


def _collected(module: cst.Module) -> _Collector:
    collector = _Collector()
    collector.block(module.body, "")
    return collector


class _Collector:
    def __init__(self) -> None:
        self.imports: dict[str, str] = {}
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, cst.ClassDef] = {}
        self.constants: dict[str, cst.BaseExpression] = {}

    def block(self, body: object, prefix: str) -> None:
        for statement in body if isinstance(body, (list, tuple)) else ():
            self.statement(statement, prefix)

    def statement(self, node: cst.CSTNode, prefix: str) -> None:
        match node:
            case cst.FunctionDef(name=cst.Name(value=name)):
                self.functions[prefix + name] = node
                self.nested_imports(node)
                self.nested_functions(node, f"{prefix}{name}.")
            case cst.ClassDef(name=cst.Name(value=name)):
                self.classes[prefix + name] = node
                self.block(node.body.body, f"{prefix}{name}.")
            case cst.SimpleStatementLine(body=body):
                for small in body:
                    self.small_statement(small, prefix)
            case cst.If(body=cst.IndentedBlock(body=body), orelse=orelse):
                self.block(body, prefix)
                if isinstance(orelse, cst.If):
                    self.statement(orelse, prefix)
                elif orelse is not None and isinstance(orelse.body, cst.IndentedBlock):
                    self.block(orelse.body.body, prefix)
            case cst.Try(body=cst.IndentedBlock(body=body), handlers=handlers):
                for handler in reversed(handlers):
                    self.block(handler.body.body, prefix)
                self.block(body, prefix)
            case cst.With(body=cst.IndentedBlock(body=body)):
                self.block(body, prefix)

    def nested_functions(self, function: Function, prefix: str) -> None:
        for statement in function.body.body:
            if isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
                self.statement(statement, prefix)

    def nested_imports(self, function: Function) -> None:
        """Imports inside functions count too, unless the module binds the name itself."""
        for statement in function.body.body:
            if isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    if isinstance(small, (cst.Import, cst.ImportFrom)):
                        outer = dict(self.imports)
                        self.small_statement(small, "")
                        self.imports.update(outer)

    def small_statement(self, node: cst.CSTNode, prefix: str) -> None:
        match node:
            case cst.Import(names=names):
                for alias in names:
                    target = dotted(alias.name)
                    if target is None:
                        continue
                    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                        self.imports[alias.asname.name.value] = target
                    else:
                        head = target.partition(".")[0]
                        self.imports[head] = head
            case cst.ImportFrom(names=names) if not isinstance(names, cst.ImportStar):
                origin = "." * len(node.relative) + ((dotted(node.module) or "") if node.module is not None else "")
                for alias in names:
                    name = dotted(alias.name)
                    local = (
                        alias.asname.name.value
                        if alias.asname is not None and isinstance(alias.asname.name, cst.Name)
                        else name
                    )
                    if name and local:
                        separator = "" if not origin or origin.endswith(".") else "."
                        self.imports[local] = f"{origin}{separator}{name}"
            case cst.Assign(targets=targets, value=value):
                for assigned in targets:
                    if isinstance(assigned.target, cst.Name):
                        self.constants[prefix + assigned.target.value] = value
            case cst.AnnAssign(target=cst.Name(value=name), value=value) if value is not None:
                self.constants[prefix + name] = value
