"""A file to plant hazards in: its nodes, where they are, and what is around them."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper, ParentNodeProvider

_ATOMS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.BaseNumber, cst.BaseString, cst.List, cst.Dict)
_OPEN = (cst.Arg, cst.Assign, cst.AugAssign, cst.Return, cst.Expr, cst.Index)
"""What holds an expression that needs no parentheses there."""


def code(node: cst.CSTNode) -> str:
    """Source of a node, its parentheses included."""
    return cst.Module([]).code_for_node(node)


def atom(node: cst.BaseExpression) -> str:
    """Source of an expression that `.mean()` can be written after."""
    return code(node) if isinstance(node, _ATOMS) or node.lpar else f"({code(node)})"


class View:
    """A parsed file. Offsets are of its UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        wrapper = MetadataWrapper(cst.parse_module(text))
        self.bytes = text.encode()
        self.module = wrapper.module
        self._parents = wrapper.resolve(ParentNodeProvider)
        self._spans = wrapper.resolve(ByteSpanPositionProvider)

    def nodes(self) -> Iterator[cst.CSTNode]:
        """All nodes, in the order of the text."""
        stack: list[cst.CSTNode] = [self.module]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Where a node starts and ends, without its own parentheses."""
        found = self._spans[node]
        return found.start, found.start + found.length

    def text(self, node: cst.CSTNode) -> str:
        """What stands at a node's span."""
        start, end = self.span(node)
        return self.bytes[start:end].decode()

    def row(self, offset: int) -> int:
        """The line, from 1, of an offset."""
        return self.bytes.count(b"\n", 0, offset) + 1

    def parents(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """What encloses a node, from within."""
        while node is not self.module:
            node = self._parents[node]
            yield node

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        """What directly encloses a node."""
        return self._parents[node]

    def function(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """The function that a node is in."""
        return next((each for each in self.parents(node) if isinstance(each, cst.FunctionDef)), None)

    def symbol(self, node: cst.CSTNode) -> str:
        """`Class.method` around a node."""
        around = [node, *self.parents(node)]
        names = [each.name.value for each in around if isinstance(each, (cst.FunctionDef, cst.ClassDef))]
        return ".".join(reversed(names))

    def needs_parentheses(self, node: cst.BaseExpression) -> bool:
        """Whether an operator in this place would bind otherwise without parentheses."""
        return not node.lpar and not isinstance(self.parent(node), _OPEN)

    def body(self, function: cst.FunctionDef) -> list[cst.BaseStatement]:
        """The statements of a function after its docstring."""
        statements = [each for each in function.body.body if isinstance(each, cst.BaseStatement)]
        return statements[1:] if statements and function.get_docstring() is not None else statements

    def indent(self, node: cst.CSTNode) -> str:
        """The blanks before a node on its line."""
        start = self.span(node)[0]
        line = self.bytes[self.bytes.rfind(b"\n", 0, start) + 1 : start].decode()
        return line[: len(line) - len(line.lstrip())]


def parameters(function: cst.FunctionDef) -> list[str]:
    """The names of a function's parameters, without self."""
    return [each.name.value for each in function.params.params if each.name.value != "self"]


def is_loss(function: cst.FunctionDef) -> bool:
    """Whether a function is what one calls to get a loss."""
    return function.name.value == "forward" or "loss" in function.name.value
