"""Syntax trees back to text, faster than libcst writes them, and where in the text each node stands.

libcst enters a generator for every node to record a position, even where nobody asks for one. Here a state hands out one
object that does nothing, or one that notes tokens by their number; bytes are counted once, at the end.
"""

from __future__ import annotations

from itertools import accumulate
from types import TracebackType

import libcst as cst
from libcst._nodes.internal import CodegenState


class _Unrecorded:
    """A context manager that does nothing."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


_UNRECORDED = _Unrecorded()


class _Rendering(CodegenState):
    def record_syntactic_position(  # type: ignore[override]
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> _Unrecorded | _Recorded:
        return _UNRECORDED


class _Recorded:
    """Notes between which tokens a node stands, from its first own one to its last."""

    __slots__ = ("_end_node", "_node", "_start", "_start_node", "_state")

    def __init__(
        self, state: _Recording, node: cst.CSTNode, start_node: cst.CSTNode | None, end_node: cst.CSTNode | None
    ) -> None:
        self._state = state
        self._node = node
        self._start_node = start_node
        self._end_node = end_node
        self._start = 0

    def __enter__(self) -> None:
        self._start = len(self._state.tokens)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        found = self._state.found
        start = self._start if self._start_node is None else found[id(self._start_node)][0]
        end = len(self._state.tokens) if self._end_node is None else found[id(self._end_node)][1]
        found[id(self._node)] = (start, end)


class _Recording(_Rendering):
    def __init__(self, module: cst.Module) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.found: dict[int, tuple[int, int]] = {}  # by identity: a node's own hash is slow
        self._starts: list[int] = []

    def before_codegen(self, node: cst.CSTNode) -> None:
        self._starts.append(len(self.tokens))

    def after_codegen(self, node: cst.CSTNode) -> None:
        start = self._starts.pop()
        if id(node) not in self.found:
            self.found[id(node)] = (start, len(self.tokens))

    def record_syntactic_position(  # type: ignore[override]
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> _Recorded:
        return _Recorded(self, node, start_node, end_node)


def text_of(node: cst.CSTNode, indent: str, newline: str) -> str:
    """The text of a node, the white space and comments it owns included, given what its module is indented by."""
    state = _Rendering(default_indent=indent, default_newline=newline)
    node._codegen(state)
    return "".join(state.tokens)


class Spans:
    """Where in a file each node of a part of it stands, in bytes, without the white space and comments around it."""

    def __init__(self, state: _Recording, before: int = 0) -> None:
        self._found = state.found
        self._offsets = list(accumulate(map(_byte_length, state.tokens), initial=before))

    def __contains__(self, node: cst.CSTNode) -> bool:
        return id(node) in self._found

    def __getitem__(self, node: cst.CSTNode) -> tuple[int, int]:
        start, end = self._found[id(node)]
        last = len(self._offsets) - 1
        return self._offsets[min(start, last)], self._offsets[min(end, last)]


def spans_in_module(module: cst.Module, before: int = 0) -> Spans:
    """Where the nodes of a module are; `before` is how many bytes of the file come before it."""
    state = _Recording(module)
    module._codegen(state)
    return Spans(state, before)


def spans_in_statement(module: cst.Module, statement: cst.BaseStatement, indent: str, start: int) -> Spans:
    """Where the nodes of one statement of a module are, which starts at a byte of the file, decorators before it left out."""
    state = _Recording(module)
    if indent:
        state.increase_indent(indent)
    statement._codegen(state)
    ahead = sum(map(_byte_length, state.tokens[: state.found[id(statement)][0]]))
    return Spans(state, start - ahead)


def _byte_length(token: str) -> int:
    return len(token) if token.isascii() else len(token.encode())
