"""What a rule is, and what it yields.

A rule file holds one `RULE`, handlers registered on it, and its page as the module's docstring. Handlers are pure:
they look at operators of a graph and yield `Finding`s, which speak of syntax nodes; the linter resolves positions for
those alone. Or they look at the measurements of a run and yield `RunFinding`s, which speak of lines.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from losslint.diagnostic import Applicability, Severity
from losslint.measurements import Measurements, Outcome, UserLine
from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import chain
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Site, Value

OpHandler = Callable[[Op, Graph], Iterable["Finding"]]
GraphHandler = Callable[[Graph], Iterable["Finding"]]
ProbeHandler = Callable[[Measurements], Iterable["RunFinding"]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a witness path."""

    site: Site
    message: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """Put `content` in place of the source of `site`."""

    site: Site
    content: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A fix as a rule writes it: replacements of whole nodes."""

    applicability: Applicability
    message: str
    replacements: tuple[Replacement, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule yields: where, what, how bad, the witness path from source to sink, and perhaps a fix."""

    rule: Rule
    site: Site
    message: str
    severity: Severity
    evidence: tuple[Step, ...] = ()
    rewrite: Rewrite | None = None


class Symptom(enum.Enum):
    """What a reproducer has to show."""

    VALUE = "value"
    GRADIENT = "gradient"
    NO_GRADIENT = "no-gradient"
    DEAD_GRADIENT = "dead-gradient"
    WRONG_GRADIENT = "wrong-gradient"
    MUTATION = "mutation"
    SECOND_STEP = "second-step"
    DEVICE = "device"
    TERMS = "terms"
    NOT_TRACED = "not-traced"
    NOT_SCALAR = "not-scalar"


class Precondition(enum.Enum):
    """What a run must have met at a finding's line before it can be called not reproduced.

    ZERO: an operator there was given a zero. MAGNITUDE: inputs up to 1e6 were tried. GRADIENT: the gradient of the whole
    loss was measured. TRACED: torch.fx traced the loss symbolically. RESULT: the shape of what is returned is known.
    """

    ZERO = "zero"
    MAGNITUDE = "magnitude"
    GRADIENT = "gradient"
    TRACED = "traced"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class RunFinding:
    """What a rule yields of a run: the line (None: the loss as a whole), the message, and how sure the inputs are.

    `outcome` is the call that shows it (None: the inputs as found), `symptom` what is to be seen there, `names` the
    arguments concerned.
    """

    rule: Rule
    message: str
    severity: Severity
    symptom: Symptom
    confidence: float
    line: UserLine | None = None
    outcome: Outcome | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A hazard: `code` LL and three digits, `name` in kebab case, its default severity, and whether it is preview.

    `confirmed_by` names the experiments of a run that can confirm a static finding of this rule: forward, saturation,
    degenerate, half, trace, unreduced, dead_gradient, gradient_check, terms, device, mutation, second_step. Without a
    `precondition` no run says that a finding is not reproduced. What a `doubted` rule reads in source is shown as an info
    unless the settings trust it: too few of its findings on code that nobody had read were right (docs/decisions/0006).
    """

    code: str
    name: str
    severity: Severity
    preview: bool = False
    doubted: bool = False
    confirmed_by: tuple[str, ...] = ()
    precondition: Precondition | None = None
    op_handlers: dict[str, list[OpHandler]] = field(default_factory=dict, compare=False, repr=False)
    graph_handlers: list[GraphHandler] = field(default_factory=list, compare=False, repr=False)
    probe_handlers: list[ProbeHandler] = field(default_factory=list, compare=False, repr=False)

    def on_op(self, *names: str) -> Callable[[OpHandler], OpHandler]:
        """Register a handler for the operators with these ATen names (or prim::If, prim::Loop, prim::Return)."""

        def register(handler: OpHandler) -> OpHandler:
            for name in names:
                self.op_handlers.setdefault(name, []).append(handler)
            return handler

        return register

    def on_graph(self, handler: GraphHandler) -> GraphHandler:
        """Register a handler that looks at the whole graph of a loss."""
        self.graph_handlers.append(handler)
        return handler

    def on_probe(self, handler: ProbeHandler) -> ProbeHandler:
        """Register a handler that judges the measurements of a run."""
        self.probe_handlers.append(handler)
        return handler

    def run_finding(
        self,
        message: str,
        symptom: Symptom,
        confidence: float,
        *,
        severity: Severity | None = None,
        line: UserLine | None = None,
        outcome: Outcome | None = None,
        names: Iterable[str] = (),
    ) -> RunFinding:
        """A finding of this rule in a run, at its own severity or at the one given. `confidence` is in [0, 1]."""
        return RunFinding(self, message, severity or self.severity, symptom, confidence, line, outcome, tuple(names))

    def run_findings(self, measurements: Measurements) -> Iterator[RunFinding]:
        """All findings of this rule in one run."""
        for handler in self.probe_handlers:
            yield from handler(measurements)

    def finding(
        self,
        site: Site,
        message: str,
        *,
        severity: Severity | None = None,
        evidence: Iterable[Step] = (),
        rewrite: Rewrite | None = None,
    ) -> Finding:
        """A finding of this rule at its own severity, or at the one given."""
        return Finding(self, site, message, severity or self.severity, tuple(evidence), rewrite)

    def findings(self, graph: Graph) -> Iterator[Finding]:
        """All findings of this rule in one graph."""
        for handler in self.graph_handlers:
            yield from handler(graph)
        if self.op_handlers:
            for op in graph.named(*self.op_handlers):
                for op_handler in self.op_handlers[op.name]:
                    yield from op_handler(op, graph)


def zero_path(value: Value) -> tuple[Step, ...]:
    """The witness path of a value that can be 0: from where the zero comes from to the value itself."""
    if value.zero is None:
        return ()
    steps: list[Step] = []
    source = value.zero.source
    if source.origin.site is not None:
        steps.append(Step(source.origin.site, value.zero.reason))
    for each in reversed(list(chain(value))):
        site = each.origin.site
        if site is None or each.key == source.key or each.zero is None or each.zero.source.key != source.key:
            continue
        if all(step.site.node is not site.node for step in steps):
            steps.append(Step(site, f"`{excerpt(each)}` passes the zero on"))
    return tuple(steps)


def with_calls(op: Op, steps: Iterable[Step]) -> tuple[Step, ...]:
    """A witness path with the calls that led to the operator in front."""
    calls = [Step(call.site, f"calls `{call.symbol}`") for call in op.calls]
    return (*calls, *steps)
