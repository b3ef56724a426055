"""label smoothing that hands out more than it takes

Smoothing takes `eps` from the true class and shares it among all C classes: `eps / C` each. Where every class gets `eps`
itself, by `onehot * (1 - eps) + eps` or by the sum of all log-probabilities instead of their mean, the target sums to `1 + eps
* (C - 1)`: with 100 classes and eps = 0.1 nine tenths of the loss ask for a uniform prediction.

Reported where two parts with the weights `1 - eps` and `eps` are added, of which one is the log-probability of the label and
the other the sum over all classes, or one a one-hot target and the other `eps` alone, for a softmax. Silent is what is divided
by the number of classes anywhere, and targets of a sigmoid.

## Bad

```python
import torch.nn.functional as F

def smoothed_loss(logits, target, eps=0.1):
    log_probs = F.log_softmax(logits, dim=-1)
    nll = -log_probs.gather(1, target.unsqueeze(1)).squeeze(1)
    smooth = -log_probs.sum(dim=-1)
    return ((1 - eps) * nll + eps * smooth).mean()
```

## Good

```python
import torch.nn.functional as F

def smoothed_loss(logits, target, eps=0.1):
    log_probs = F.log_softmax(logits, dim=-1)
    nll = -log_probs.gather(1, target.unsqueeze(1)).squeeze(1)
    smooth = -log_probs.mean(dim=-1)
    return ((1 - eps) * nll + eps * smooth).mean()
```

`F.cross_entropy(logits, target, label_smoothing=eps)` does it. No fix is offered.

A run confirms it: more classes make the loss larger by far more than their logarithm.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import bare

RULE = Rule(code="LL765", name="smoothing-mass", severity=Severity.WARNING, doubted=True)

_PICKS = frozenset("gather getitem take_along_dim nll_loss cross_entropy_loss".split())


@RULE.on_op("add")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report sums with the weights 1 - eps and eps whose second part is no average over the classes."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    for kept, spread in (op.operands, op.operands[::-1]):
        split = _weighed(kept)
        if split is None:
            continue
        share, main = split
        wrong = _sum_over_classes(spread, share, main) or _bare_share(spread, share, main, graph, op)
        if wrong is None:
            continue
        site = wrong.origin.site
        yield RULE.finding(
            op.site,
            f"the target that this smoothing makes sums to 1 + (C - 1) * `{excerpt(share)}` over C classes: every class gets "
            f"`{excerpt(share)}` instead of its C-th part; take the mean over the classes, or divide by their number",
            evidence=with_calls(op, [Step(site, "what every class gets")] if site is not None else []),
        )
        return


def _weighed(value: Value) -> tuple[Value, Value] | None:
    """eps and x of `(1 - eps) * x`."""
    value = _unsigned(value)
    if value.origin.name != "mul" or len(value.origin.operands) != 2:
        return None
    for weight, other in (value.origin.operands, value.origin.operands[::-1]):
        weight = weight.origin.operands[0] if weight.origin.name == "neg" else weight
        operands = weight.origin.operands
        if (
            weight.origin.name == "sub"
            and len(operands) == 2
            and operands[0].has_constant
            and operands[0].constant == 1
        ):
            return operands[1], other
    return None


def _unsigned(value: Value) -> Value:
    value = bare(value)
    while value.origin.name in ("neg", "mean") and len(value.origin.operands) == 1:
        value = bare(value.origin.operands[0])
    return value


def _sum_over_classes(spread: Value, share: Value, main: Value) -> Value | None:
    """The sum of `eps * log_probs.sum(-1)`, beside the log-probability that a label picks of the same."""
    spread = _unsigned(spread)
    if spread.origin.name != "mul" or len(spread.origin.operands) != 2:
        return None
    for weight, total in (spread.origin.operands, spread.origin.operands[::-1]):
        found = _unsigned(total)
        if weight.key != share.key or found.origin.name != "sum" or "dim" not in found.origin.keywords:
            continue
        summed = _unsigned(found.origin.operands[0])
        picked = _unsigned(main)
        same = summed.key in {each.key for each in ancestors([picked])} or picked.origin.name == "cross_entropy_loss"
        if summed.origin.name == "log_softmax" and same and picked.origin.name in _PICKS:
            return found
    return None


def _bare_share(spread: Value, share: Value, main: Value, graph: Graph, op: Op) -> Value | None:
    """The eps of `onehot * (1 - eps) + eps`, where the result meets a log_softmax or goes into a cross entropy."""
    if spread.key != share.key or not any(each.origin.name in ("one_hot", "scatter") for each in ancestors([main])):
        return None
    pending, seen = [op.value], set[int]()
    while pending and len(seen) < 30:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        for use in graph.uses(current):
            if use.name in ("cross_entropy_loss", "kl_div"):
                return spread
            if use.name in ("mul", "sub") and any(
                _unsigned(each).origin.name == "log_softmax" for each in use.operands if each.key != current.key
            ):
                return spread
            if use.name in ("detach", "to", "float", "neg", "permute", "view"):
                pending.append(use.value)
    return None
