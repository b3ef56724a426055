"""false positives that are counted as false negatives

False positives are what is predicted and not there, `pred * (1 - target)`; false negatives what is there and not predicted,
`target * (1 - pred)`. With the names the other way round, or with prediction and target the other way round at the call, the two
prices of a Tversky loss change places: the setting that was to favour recall favours precision. With equal prices nobody
notices.

Reported are sums of such a product that are bound to a name which says the opposite, where one side is computed from a
parameter that is a prediction and the other from one that is a target.

## Bad

```python
import torch

def tversky_loss(y_pred, y_true, alpha=0.3, beta=0.7):
    tp = (y_pred * y_true).sum()
    fp = ((1 - y_pred) * y_true).sum()
    fn = (y_pred * (1 - y_true)).sum()
    return 1 - tp / (tp + alpha * fp + beta * fn + 1e-6)
```

## Good

```python
import torch

def tversky_loss(y_pred, y_true, alpha=0.3, beta=0.7):
    tp = (y_pred * y_true).sum()
    fp = (y_pred * (1 - y_true)).sum()
    fn = ((1 - y_pred) * y_true).sum()
    return 1 - tp / (tp + alpha * fp + beta * fn + 1e-6)
```

No fix is offered: the names, the formula or the call is wrong.

A run confirms it by a prediction of ones alone: there are no false negatives in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Role, Value
from losslint_rules.formulas.polynomials import bare
from losslint_rules.formulas.sides import names_of, side_of

RULE = Rule(code="LL734", name="swapped-counts", severity=Severity.WARNING, doubted=True)

_FALSE_POSITIVES = ({"fp"}, {"fps"}, {"false", "pos"}, {"false", "positive"}, {"false", "positives"})
_FALSE_NEGATIVES = ({"fn"}, {"fns"}, {"false", "neg"}, {"false", "negative"}, {"false", "negatives"})


@RULE.on_op("sum", "mean", "mul")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report counts under the name of the opposite count."""
    sides = _there_and_missing(op.value)
    if sides is None or not graph.matters(op.value):
        return
    there, missing = sides
    roles = (side_of(there), side_of(missing))
    if set(roles) != {Role.PREDICTION, Role.TARGET}:
        return
    names = names_of(op.value, graph)
    is_false_positive = roles[0] is Role.PREDICTION
    opposite = [name for name in names if _says(name, _FALSE_NEGATIVES if is_false_positive else _FALSE_POSITIVES)]
    if not opposite or any(_says(name, _FALSE_POSITIVES if is_false_positive else _FALSE_NEGATIVES) for name in names):
        return
    what = (
        "predicted and not there: false positives" if is_false_positive else "there and not predicted: false negatives"
    )
    site = there.origin.site
    yield RULE.finding(
        op.site,
        f"`{opposite[0]}` counts what is {what}, because `{excerpt(there)}` is the "
        f"{'prediction' if is_false_positive else 'target'}: its price is paid for the opposite error",
        evidence=with_calls(op, [Step(site, f"`{excerpt(there)}` comes from here")] if site is not None else []),
    )


def _there_and_missing(value: Value) -> tuple[Value, Value] | None:
    """a and b of a sum of `a * (1 - b)`."""
    product = value
    while product.origin.name in ("sum", "mean") and product.origin.operands:
        product = bare(product.origin.operands[0])
    operands = product.origin.operands
    if product.origin.name != "mul" or len(operands) != 2:
        return None
    found = [(there, _complement(other)) for there, other in (operands, operands[::-1])]
    matched = [(there, missing) for there, missing in found if missing is not None]
    return (bare(matched[0][0]), bare(matched[0][1])) if len(matched) == 1 else None


def _complement(value: Value) -> Value | None:
    """x of `1 - x`, and of `~x`."""
    inner = bare(value)
    name, operands = inner.origin.name, inner.origin.operands
    if name in ("bitwise_not", "logical_not"):
        return operands[0]
    if name not in ("sub", "rsub") or len(operands) != 2:
        return None
    one, other = operands if name == "sub" else operands[::-1]
    return other if one.has_constant and one.constant == 1 else None


def _says(name: str, phrases: tuple[set[str], ...]) -> bool:
    said = set(words(name))
    return any(phrase <= said for phrase in phrases)
