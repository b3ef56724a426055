"""a gradient in the loss that was taken without create_graph

`torch.autograd.grad(...)` gives plain numbers unless `create_graph=True` is said. A penalty on them (WGAN-GP, R1, the
residual of a physics-informed network) changes the printed loss and trains nothing. `retain_graph=True` keeps the
graph of the first pass; it makes none for the second.

A gradient that only weights another term is not reported, nor one that is detached.

## Bad

```python
import torch

def gradient_penalty_loss(scores, images):
    grads = torch.autograd.grad(scores.sum(), images, retain_graph=True)[0]
    return ((grads.flatten(1).norm(dim=1) - 1) ** 2).mean()
```

## Good

```python
import torch

def gradient_penalty_loss(scores, images):
    grads = torch.autograd.grad(scores.sum(), images, create_graph=True)[0]
    return ((grads.flatten(1).norm(dim=1) - 1) ** 2).mean()
```

The fix says `create_graph=True`. It is unsafe: it changes what is trained, and needs more memory.

A run confirms it by a term without a gradient.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import BACKWARD, Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import nearest_culprits, returned_values, terms
from losslint.semantics.values import Gradient, Reduced, Site, Value
from losslint_rules.usage.arguments import unsafe, with_argument

RULE = Rule(code="LL717", name="gradient-penalty-without-graph", severity=Severity.ERROR, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report a term of the loss that depends on the network through such a gradient alone."""
    results = graph.named(BACKWARD) if graph.calls_backward or not graph.returns else graph.returns
    for result in results:
        if not result.gradient_matters:
            continue
        for value in (result.operands[0],) if result.name == BACKWARD else _losses(result):
            found_terms = list(terms(value))
            alone = all(term.gradient is not Gradient.CARRIES for term in found_terms)
            for term in found_terms:
                if term.gradient is not Gradient.CUT or (alone and not _is_reduced(value)):
                    continue
                found = nearest_culprits(term)
                if found and all(each.origin.name == "autograd_grad" for each in found):
                    yield from _finding(graph, term, found[0])


def _losses(result: Op) -> tuple[Value, ...]:
    """Of several values that are returned those with a gradient: what is returned beside them is no loss."""
    every = returned_values(result)
    return tuple(each for each in every if each.gradient is Gradient.CARRIES) or every


def _is_reduced(value: Value) -> bool:
    """Whether a result is brought together: a function that returns the gradients themselves is no penalty."""
    return value.rank == 0 or value.reduction.kind in (Reduced.MEAN, Reduced.SUM, Reduced.PARTIAL)


def _finding(graph: Graph, term: Value, gradients: Value) -> Iterator[Finding]:
    op = next((each for each in graph.named("autograd_grad") if each.site.node is _node(gradients)), None)
    if op is None or not op.gradient_matters:
        return
    steps = [Step(op.site, "these gradients have no graph")]
    if term.origin.site is not None:
        steps.append(Step(term.origin.site, f"the term `{excerpt(term)}` is made of nothing else"))
    yield RULE.finding(
        op.site,
        "torch.autograd.grad without create_graph=True gives numbers without a graph, and a term of the loss is made of "
        "them: it trains nothing",
        evidence=with_calls(op, steps),
        rewrite=_rewrite(op),
    )


def _node(value: Value) -> cst.CSTNode | None:
    return value.origin.site.node if value.origin.site is not None else None


def _rewrite(op: Op) -> Rewrite | None:
    call = op.site.node
    if not isinstance(call, cst.Call):
        return None
    for argument in call.args:
        if argument.keyword is not None and argument.keyword.value == "create_graph":
            return unsafe("say create_graph=True", Replacement(Site(op.site.unit, argument.value), "True"))
    given = [argument for argument in call.args if argument.keyword is None]
    return unsafe("say create_graph=True", with_argument(op, "create_graph=True")) if len(given) < 5 else None
