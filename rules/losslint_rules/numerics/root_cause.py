"""One report for one root cause: whether another rule of the family reports an operator already."""

from __future__ import annotations

from losslint.diagnostic import Severity
from losslint.rule import Rule
from losslint.semantics.graph import Graph, Op


def is_reported(op: Op, graph: Graph, *rules: Rule) -> bool:
    """Whether one of these rules reports the operator as more than an info."""
    return any(
        finding.severity is not Severity.INFO
        for rule in rules
        for handler in rule.op_handlers.get(op.name, ())
        for finding in handler(op, graph)
    )
