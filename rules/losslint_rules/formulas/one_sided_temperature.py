"""a temperature that is multiplied, or applied to one of two distributions

A temperature divides the logits: 0.07 sharpens them fourteenfold. Multiplied, it flattens them as much, every softmax is nearly
uniform, and the loss stays at the logarithm of the number of negatives. In a distillation both sides are softened by the same
temperature; where one is left out, the student is asked to be as sharp as the teacher at another temperature.

Reported where a setting that is called temperature and has a default below 1 is a factor of the logits of a softmax or a cross
entropy, and where one side of a `kl_div` is divided by a temperature, the other is not, and the result is multiplied by its square.
Scales, inverse temperatures and temperatures that are learned are silent.

## Bad

```python
import torch
import torch.nn.functional as F

def info_nce_loss(queries, keys, temperature=0.07):
    logits = queries @ keys.t() * temperature
    return F.cross_entropy(logits, torch.arange(len(queries), device=queries.device))
```

## Good

```python
import torch
import torch.nn.functional as F

def info_nce_loss(queries, keys, temperature=0.07):
    logits = queries @ keys.t() / temperature
    return F.cross_entropy(logits, torch.arange(len(queries), device=queries.device))
```

No fix is offered: the name may be what is wrong.

A run confirms it: a smaller temperature makes the loss of a right prediction larger.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.formulas.polynomials import bare
from losslint_rules.reduction.focal_weights import product_factors

RULE = Rule(code="LL767", name="one-sided-temperature", severity=Severity.WARNING, doubted=True)

_NAMES = frozenset("temperature temp tau".split())
_KEEPS = frozenset("sub masked_fill add where index_put".split())
_DISTRIBUTIONS = ("softmax", "log_softmax")


@RULE.on_op("softmax", "log_softmax", "cross_entropy_loss", "logsumexp")
def multiplied(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report logits that are multiplied by a temperature below 1."""
    if not op.operands or not graph.matters(op.value):
        return
    value = bare(op.operands[0])
    for _ in range(6):
        if value.origin.name not in _KEEPS or not value.origin.operands:
            break
        value = bare(value.origin.operands[0])
    if value.origin.name != "mul":
        return
    temperature = next((each for each in product_factors(value) if _is_temperature(each)), None)
    if temperature is None:
        return
    site = value.origin.site
    yield RULE.finding(
        site or op.site,
        f"`{excerpt(value)}` multiplies the logits by the temperature `{excerpt(temperature)}`, which is below 1 by default and "
        "flattens them where it should sharpen: divide by it",
        evidence=with_calls(op, [Step(op.site, "these are the logits here")]),
    )


def _is_temperature(value: Value) -> bool:
    return (
        value.has_constant
        and value.is_default
        and isinstance(value.constant, float)
        and 0 < value.constant < 1
        and value.origin.label.rpartition(".")[2] != ""
        and bool(_NAMES & set(words(value.origin.label)))
        and not {"inv", "inverse"} & set(words(value.origin.label))
    )


@RULE.on_op("kl_div")
def left_out(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report divergences of which one side alone is divided by the temperature whose square scales them."""
    if len(op.operands) < 2 or not graph.matters(op.value):
        return
    sides = [bare(each) for each in op.operands[:2]]
    if any(each.origin.name not in _DISTRIBUTIONS for each in sides):
        return
    tempers = [_divisor(each.origin.operands[0]) for each in sides]
    known = [each for each in tempers if each is not None]
    if len(known) != 1 or not _is_scaled(op, graph, known[0]):
        return
    plain = sides[tempers.index(None)]
    if bare(plain.origin.operands[0]).origin.name in ("mul", "div", "unknown", "getitem"):
        return
    site = plain.origin.site
    yield RULE.finding(
        op.site,
        f"one side of this divergence is at the temperature `{excerpt(known[0])}` and `{excerpt(plain)}` is not, while its square "
        "scales the result: divide the logits of both by it",
        evidence=with_calls(op, [Step(site, "no temperature here")] if site is not None else []),
    )


def _divisor(value: Value) -> Value | None:
    value = bare(value)
    return value.origin.operands[1] if value.origin.name == "div" and len(value.origin.operands) == 2 else None


def _is_scaled(op: Op, graph: Graph, temperature: Value) -> bool:
    """Whether a product further on has the square of the temperature in it."""
    pending, seen = [op.value], set[int]()
    while pending and len(seen) < 12:
        current = pending.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        for use in graph.uses(current):
            if use.name == "mul":
                factors = list(product_factors(use.value))
                squares = [each for each in factors if each.origin.name in ("pow", "square")]
                if any(each.origin.operands[0].key == temperature.key for each in squares):
                    return True
                if sum(each.key == temperature.key for each in factors) >= 2:
                    return True
            if use.name in ("mul", "div", "sum", "mean"):
                pending.append(use.value)
    return False
