"""one term of the loss drowns the others

The final sum has several terms, and one of them has practically all of the gradient: the others are computed and train
nothing. Often a term is a sum where the others are means, or has another unit. A run splits the final sum and measures
the value and the gradient of every term.

## Bad

```python
import torch.nn.functional as F

def two_term_loss(pred, target):
    data = F.mse_loss(pred, target)
    smooth = 1e-9 * (pred[1:] - pred[:-1]).abs().mean()
    return data + smooth
```

## Good

```python
import torch.nn.functional as F

def two_term_loss(pred, target):
    data = F.mse_loss(pred, target)
    smooth = 0.1 * (pred[1:] - pred[:-1]).abs().mean()
    return data + smooth
```

Dummy inputs have a scale of their own, so this is an info: compare the terms on a batch of yours. No fix is offered.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements, Term, UserLine
from losslint.rule import Rule, RunFinding, Symptom

RULE = Rule(code="LL304", name="dominating-term", severity=Severity.INFO, confirmed_by=("terms",))
DROWNED = 1e-4


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report terms that have a gradient of their own and next to no share in the whole."""
    if m.terms is None or m.terms.status != "split" or m.input_confidence is None:
        return
    terms = [each for each in m.terms.terms if not each.complementary]
    drowned = [each for each in terms if 0 < _share(each) < DROWNED]
    if len(terms) < 2 or not drowned:
        return
    loudest = max(terms, key=_share)
    weakest = min(drowned, key=_share)
    yield RULE.run_finding(
        f"`{loudest.name}` has {_share(loudest):.2%} of the gradient, `{weakest.name}` {_share(weakest):.1e} of it",
        Symptom.TERMS,
        m.input_confidence,
        line=UserLine(weakest.filename, weakest.line) if weakest.filename else None,
        names=(weakest.name,),
    )


def _share(term: Term) -> float:
    return float(term.gradient_share) if isinstance(term.gradient_share, (int, float)) else 0.0
