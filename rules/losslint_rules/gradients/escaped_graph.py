"""a term of the loss that leaves the graph: item, numpy, data, float, math

`.item()`, `float()`, `.tolist()`, `.numpy()`, `.data`, `math.*` and `np.*` take the numbers out of autograd.
A returned term made of them changes the printed loss and nothing else. `.item()` and `.data` say nothing
about it.

A term has to be dead as a whole: counts (`mask.sum().item()`), weights that scale a carrying term, and
logging are silent. A warning is given for a term of the prediction beside others that do carry a gradient; where all that is
returned is a number, it is an info, since that is how metrics and training steps return what they log.

## Bad

```python
import math
import torch.nn.functional as F

def psnr_loss(pred, target):
    return -10 * math.log10(1 / F.mse_loss(pred, target))
```

## Good

```python
import torch
import torch.nn.functional as F

def psnr_loss(pred, target):
    return 10 * torch.log10(F.mse_loss(pred, target))
```

Use the torch function of the same name; where a constant is meant, `.detach()` says so. No fix is offered: it
would change what is trained. A run confirms it by a prediction that gets no gradient, or by the term's
gradient share being 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.spelling import excerpt
from losslint.semantics.terms import DeadTerm, comes_from_prediction, dead_terms, inputs
from losslint.semantics.values import Gradient, Kind, Value

RULE = Rule(
    code="LL104", name="escaped-graph", severity=Severity.WARNING, doubted=True, confirmed_by=("dead_gradient", "terms")
)

_ESCAPES = {
    "item": ".item()",
    "tolist": ".tolist()",
    "numpy": ".numpy()",
    "data": ".data",
    "float": "float()",
    "int": "int()",
}


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report the escape through which a whole returned term lost its gradient."""
    for dead in dead_terms(graph):
        for culprit in dead.culprits:
            if culprit.origin.site is not None and _is_escape(culprit):
                yield _finding(dead, culprit)


def _is_escape(culprit: Value) -> bool:
    """Whether numbers leave the graph here; `x.float()` under no_grad is a cast."""
    if culprit.origin.name in ("float", "int"):
        return culprit.kind is not Kind.TENSOR and any(each.is_tensor for each in culprit.origin.operands)
    return culprit.origin.name in _ESCAPES or culprit.origin.name == "escape"


def _finding(dead: DeadTerm, culprit: Value) -> Finding:
    assert culprit.origin.site is not None
    source = next((each for each in inputs(culprit) if each.gradient is Gradient.CARRIES), culprit)
    whole = dead.whole or _is_alternative(dead)
    lost = "the returned loss" if whole else f"the term `{excerpt(dead.term)}`"
    name = _ESCAPES.get(culprit.origin.name, culprit.origin.label)
    return RULE.finding(
        culprit.origin.site,
        f"{name} takes `{excerpt(source)}` out of the graph, and {lost} reaches it only so: no gradient flows",
        severity=Severity.WARNING if not whole and comes_from_prediction(culprit) else Severity.INFO,
        evidence=[
            Step(
                culprit.origin.site,
                f"`{excerpt(source)}` carries a gradient, a Python or NumPy number does not",
            ),
            Step(dead.returned.site, "returned here"),
        ],
    )


def _is_alternative(dead: DeadTerm) -> bool:
    """Whether the carrying terms are what escaped: of `x if isinstance(x, float) else x.item()` only one is returned."""
    escaped = {each.key for culprit in dead.culprits for each in inputs(culprit)}
    return all(each.key in escaped for each in dead.siblings if each.gradient is Gradient.CARRIES)
