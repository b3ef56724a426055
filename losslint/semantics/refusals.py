"""What a constructor refuses: `if mode == "clip" and level == "seq": raise`, so that no call meets the two together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics.names import Function
from losslint.semantics.state import State
from losslint.semantics.truth import Atom, read_test

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

Conjunction = tuple[Atom, ...]
_MOST = 12


def refused(frame: Frame, constructor: Function, state: State) -> Iterator[Conjunction]:
    """The answers to tests of settings that together make a constructor raise, each of them enough for it."""
    from losslint.semantics.statements import only_raises

    for statement in constructor.body.body:
        if isinstance(statement, cst.If) and only_raises(statement.body):
            yield from _ways(frame, statement.test, state)[:_MOST]


def _ways(frame: Frame, node: cst.BaseExpression, state: State) -> list[Conjunction]:
    """The ways in which a test is true, as far as they are known: `a and (b or c)` is `a and b`, or `a and c`."""
    if isinstance(node, cst.BooleanOperation):
        left, right = _ways(frame, node.left, state), _ways(frame, node.right, state)
        if isinstance(node.operator, cst.Or):
            return left + right
        return [first + second for first in left for second in right]
    test = read_test(frame, node, state.fork())
    return [] if test.tensors or test.known is not None or not test.if_true else [test.if_true]
