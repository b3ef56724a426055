"""argmax, rounding or a comparison on the way from the prediction to the loss

These operators return indices or are piecewise constant: their gradient is zero or they have none. A loss, or
a term of one, that depends on the prediction only through them teaches the network nothing, and nothing says
so.

The whole loss, or a whole term of the sum, has to be dead for a finding; a term that depends on an input image besides is a
warning, because nobody trains that. Choosing elements (`x[mask]`,
`gather`, hard negatives), weighting a term that carries a gradient, straight-through estimators and `argmax`
of targets are silent.

## Bad

```python
import torch

def accuracy_loss(logits, target):
    return 1 - (logits.argmax(dim=1) == target).float().mean()
```

## Good

```python
import torch.nn.functional as F

def classification_loss(logits, target):
    return F.cross_entropy(logits, target)
```

## Use instead

argmax: softmax, or a soft argmax (`(softmax(x / t) * positions).sum(-1)`). A threshold: the sigmoid itself.
round, floor, ceil: a straight-through estimator, `x + (x.round() - x).detach()`. sign: tanh. Counting errors:
cross entropy or a hinge.

An error needs a function or class that is called a loss; in a step of training or a part of a model it is an info.

No fix is offered. A run confirms it by a gradient that is zero, or missing, while a large step changes the
value.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements
from losslint.rule import Finding, Rule, RunFinding, Step, Symptom
from losslint.semantics.graph import Graph, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import (
    DeadTerm,
    becomes_number,
    carrying_sources,
    comes_from_prediction,
    culprits,
    dead_terms,
    inputs,
    nearest_culprits,
    returned_values,
    returns_gradient,
    terms,
)
from losslint.semantics.values import Gradient, Kind, Role, Value
from losslint_rules.gradients.living_siblings import gates, straight_through, wraps

RULE = Rule(
    code="LL101",
    name="nondifferentiable-op",
    severity=Severity.ERROR,
    doubted=True,
    confirmed_by=("dead_gradient",),
)

INSTEAD = {
    "argmax": "softmax is its smooth replacement",
    "argmin": "softmin is its smooth replacement",
    "argsort": "sort values, or a soft rank, carry a gradient",
    "sort": "the sorted values, or a soft rank, carry a gradient",
    "topk": "the top values carry a gradient, their indices do not",
    "max": "the maximum itself carries a gradient, its index does not",
    "min": "the minimum itself carries a gradient, its index does not",
    "round": "use a straight-through estimator, x + (x.round() - x).detach()",
    "floor": "use a straight-through estimator, x + (x.floor() - x).detach()",
    "ceil": "use a straight-through estimator, x + (x.ceil() - x).detach()",
    "trunc": "use a straight-through estimator",
    "sign": "tanh(x / t) is its smooth replacement",
    "one_hot": "softmax probabilities are its smooth replacement",
    "heaviside": "sigmoid(x / t) is its smooth replacement",
    "bincount": "sum softmax probabilities instead of counting",
    "histc": "a kernel density of the values is its smooth replacement",
}
_COMPARISON = "sigmoid((x - threshold) / t) is its smooth replacement, cross entropy or a hinge the usual loss"


def is_nondifferentiable(culprit: Value) -> bool:
    """Whether the gradient ended at an operator that has none, not at a detach or an escape."""
    return culprit.gradient is Gradient.ZERO


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the operator at which a whole term lost its gradient."""
    for dead in dead_terms(graph):
        elsewhere = any(map(returns_gradient, graph.returns))
        if becomes_number(dead.term):
            continue  # who gives arrays gets one back, and of a loss that is cut off by item() escaped-graph speaks
        for culprit in nearest_culprits(dead.term):
            if not is_nondifferentiable(culprit) or culprit.origin.site is None:
                continue  # what lies behind a detach or an item() is not why the gradient is gone
            if not _of_data(culprit):
                continue
            if not dead.whole and (
                wraps(dead, culprit)
                or not comes_from_prediction(culprit)
                or straight_through(dead, culprit)
                or gates(dead, culprit)
                or dead.term.origin.name in ("detach", "data")
            ):
                continue
            certain = graph.is_surely_a_loss and not (dead.whole and elsewhere)
            yield _finding(dead, culprit, RULE.severity if certain else Severity.INFO)


def _of_data(culprit: Value) -> bool:
    """Whether a prediction, or what is used as a tensor, lost its gradient: an `ignore_index` never had one."""
    return any(
        each.origin.name != "parameter" or each.role is Role.PREDICTION or each.kind is Kind.TENSOR
        for each in ancestors([culprit])
        if each.gradient is Gradient.CARRIES and not each.origin.operands
    )


@RULE.on_graph
def beside_an_image(graph: Graph) -> Iterator[Finding]:
    """Report a term that depends on the prediction through such an operator alone, and on an image that nobody trains."""
    if graph.calls_backward:
        return
    for op in graph.returns:
        for term in (each for value in returned_values(op) for each in terms(value)):
            sources = carrying_sources(term).values() if term.gradient is Gradient.CARRIES else ()
            if not sources or not all(_is_image(each) for each in sources):
                continue
            dead = DeadTerm(op, term, False, culprits(term), ())
            for culprit in dead.culprits:
                if is_nondifferentiable(culprit) and comes_from_prediction(culprit) and culprit.origin.site is not None:
                    yield _finding(dead, culprit, Severity.WARNING)


def _is_image(value: Value) -> bool:
    """Whether an input is an image that is looked at: `image`, `gray_image`; `fake_image` and `img1` may be made by a network."""
    return value.origin.name == "parameter" and set(words(value.origin.label)) <= _IMAGE


_IMAGE = frozenset("image images img imgs gray grey rgb original raw picture frame".split())


def _finding(dead: DeadTerm, culprit: Value, severity: Severity = RULE.severity) -> Finding:
    assert culprit.origin.site is not None
    source = next((each for each in inputs(culprit) if each.gradient is Gradient.CARRIES), culprit)
    lost = "the returned loss" if dead.whole else f"the term `{excerpt(dead.term)}`"
    steps = [Step(culprit.origin.site, f"`{excerpt(source)}` carries a gradient, `{excerpt(culprit)}` does not")]
    if dead.term.origin.site is not None and dead.term.key != culprit.key:
        steps.append(Step(dead.term.origin.site, "and nothing else of a network in this term carries one"))
    steps.append(Step(dead.returned.site, "returned here"))
    instead = INSTEAD.get(culprit.origin.name, _COMPARISON)
    return RULE.finding(
        culprit.origin.site,
        f"no gradient flows through `{_operator(culprit)}`, and {lost} depends on `{excerpt(source)}` only through it; "
        f"{instead}",
        severity=severity,
        evidence=steps,
    )


def _operator(culprit: Value) -> str:
    return culprit.origin.label if culprit.origin.name == "compared" else culprit.origin.name


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report a value that depends on its inputs while its gradient is zero at every generic point."""
    found = m.dead_gradient
    if found is None or found.alive or not found.dead or found.cut or m.construction is None:
        return
    yield RULE.run_finding(
        f"the gradient of {', '.join(found.dead)} is zero at every point tried, although the value depends on it",
        Symptom.DEAD_GRADIENT,
        m.construction.confidence,
        severity=Severity.ERROR if m.construction.confidence >= 0.75 else Severity.WARNING,
        names=found.dead,
    )
