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
        start = self._start if self._start_node is None else found[self._start_node][0]
        end = len(self._state.tokens) if self._end_node is None else found[self._end_node][1]
        found[self._node] = (start, end)


class _Recording(_Rendering):
    def __init__(self, module: cst.Module) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.found: dict[cst.CSTNode, tuple[int, int]] = {}
        self._starts: list[int] = []

    def before_codegen(self, node: cst.CSTNode) -> None:
        self._starts.append(len(self.tokens))

    def after_codegen(self, node: cst.CSTNode) -> None:
        start = self._starts.pop()
        if node not in self.found:
            self.found[node] = (start, len(self.tokens))

    def record_syntactic_position(  # type: ignore[override]
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> _Recorded:
        return _Recorded(self, node, start_node, end_node)


def text_of(node: cst.CSTNode, indent: str, newline: str) -> str:
    """The text of a node, the white space and comments it owns included, given what its module is indented by."""
    state = _Rendering(default_indent=indent, default_newline=newline)
    node._codegen(state)
    return "".join(state.tokens)


def byte_spans(module: cst.Module, before: int = 0) -> dict[cst.CSTNode, tuple[int, int]]:
    """Where each node of a module starts and ends, in bytes, without the white space and comments around it.

    `before` is how many bytes of the file come before the module.
    """
    state = _Recording(module)
    module._codegen(state)
    offsets = list(accumulate(map(_byte_length, state.tokens), initial=before))
    last = len(offsets) - 1
    return {node: (offsets[min(start, last)], offsets[min(end, last)]) for node, (start, end) in state.found.items()}


def _byte_length(token: str) -> int:
    return len(token) if token.isascii() else len(token.encode())
