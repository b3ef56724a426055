"""What the callers of a private helper make of a finding in it: a guard of theirs, or a branch that none of them takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from losslint.diagnostic import Severity
from losslint.rule import Finding
from losslint.semantics.callers import callers, is_private
from losslint.semantics.graph import Graph, Op

Analyse = Callable[[str], Graph | None]


class JudgedByCallers:
    """The graphs of the functions that call the function of `graph`, made when they are asked for."""

    def __init__(self, graph: Graph, analyse: Analyse) -> None:
        self._graph = graph
        self._analyse = analyse

    def stands(self, finding: Finding) -> bool:
        """Whether a finding of a rule that looks at single operators is right for one of the callers, or they are not known."""
        if finding.severity is Severity.INFO or finding.rule.graph_handlers or not self._through:
            return True
        reached = [op for graph in self._through for op in _at(graph, finding)]
        if not reached:
            return False  # no caller takes this branch
        if not any(graph.matters(op.value) for graph in self._through for op in _at(graph, finding)):
            return True  # what comes of it is stored, where the graph does not see it
        return any(
            other.site.node is finding.site.node for graph in self._through for other in finding.rule.findings(graph)
        )

    @cached_property
    def _through(self) -> tuple[Graph, ...]:
        function = self._graph.function
        if function is None or not is_private(function):
            return ()
        names = callers(self._graph.unit, function)
        graphs = [self._analyse(name) for name in names or ()]
        known = tuple(each for each in graphs if each is not None and id(function) in each.inlined)
        return known if len(known) == len(graphs) else ()


def _at(graph: Graph, finding: Finding) -> list[Op]:
    return [op for op in graph.ops if op.origin.site is not None and op.origin.site.node is finding.site.node]
