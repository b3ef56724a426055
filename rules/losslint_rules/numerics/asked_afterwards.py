"""Results that are tested: `if torch.isnan(loss): return pred.sum() * 0` leaves a loss out where it would be NaN.

A quotient that comparisons alone read is one too: `a / b * c < d` has an answer where b is 0.
"""

from __future__ import annotations

from losslint.semantics.graph import BRANCH, Graph, Op, ancestors
from losslint.semantics.guards import COMPARISONS

_ARITHMETIC = frozenset("add sub mul neg view reshape squeeze unsqueeze expand detach to float".split())
_ASKS = frozenset({"isnan", "isfinite", "isinf"})


def is_asked_afterwards(graph: Graph, op: Op) -> bool:
    """Whether Python decides by what comes of an operator whether that is finite."""
    asked = [operand for branch in graph.named(BRANCH) for operand in branch.operands]
    tests = [each for each in ancestors(asked) if each.origin.name in _ASKS]
    return any(value.key == op.value.key for value in ancestors(tests))


def is_only_compared(graph: Graph, op: Op) -> bool:
    """Whether what an operator gives is read by comparisons alone, which have an answer for infinity."""
    pending, seen = [op.value], 0
    while pending and seen < 20:
        users = graph.uses(pending.pop())
        seen += 1
        if not users:
            return False
        for user in users:
            if user.name in _ARITHMETIC:
                pending.append(user.value)
            elif user.name not in COMPARISONS:
                return False
    return not pending
