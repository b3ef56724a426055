"""Results that are tested: `if torch.isnan(loss): return pred.sum() * 0` leaves a loss out where it would be NaN."""

from __future__ import annotations

from losslint.semantics.graph import BRANCH, Graph, Op, ancestors

_ASKS = frozenset({"isnan", "isfinite", "isinf"})


def is_asked_afterwards(graph: Graph, op: Op) -> bool:
    """Whether Python decides by what comes of an operator whether that is finite."""
    asked = [operand for branch in graph.named(BRANCH) for operand in branch.operands]
    tests = [each for each in ancestors(asked) if each.origin.name in _ASKS]
    return any(value.key == op.value.key for value in ancestors(tests))
