"""a log where the plain quantity is taken, or the plain quantity where its log is

`F.gaussian_nll_loss` takes the variance: not its log, which is negative below 1 and raises, and not the standard
deviation, with which the fit comes out with the wrong spread and no error. `F.poisson_nll_loss` takes the *log* of
the rate by default: given a rate that an exp, softplus or ReLU made positive it takes the exp of it once more.

## Bad

```python
import torch.nn.functional as F

def uncertainty_loss(mean, log_var, target):
    return F.gaussian_nll_loss(mean, target, log_var)
```

## Good

```python
import torch.nn.functional as F

def uncertainty_loss(mean, log_var, target):
    return F.gaussian_nll_loss(mean, target, log_var.exp())
```

The fix writes `.exp()` behind a log-variance, or says `log_input=False`. It is unsafe: the loss becomes the one that
was meant.

A run confirms it by an error, or by a loss that grows as the prediction gets better.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import parenthesised
from losslint.semantics.values import Site, Value
from losslint_rules.usage.arguments import (
    argument,
    argument_node,
    flag,
    is_complete,
    made_here,
    unsafe,
    with_argument,
    written,
)
from losslint_rules.usage.meanings import Meaning, meaning_of, through_views

RULE = Rule(code="LL711", name="nll-parameterisation", severity=Severity.WARNING, doubted=True)

_POSITIVE = frozenset({"exp", "softplus", "relu"})
_SPREADS = frozenset({"var", "variance", "variances", "sigma", "std", "scale"})


@RULE.on_op("gaussian_nll_loss")
def of_variance(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a log-variance or a standard deviation where the variance is taken."""
    variance = argument(op, "var")
    if variance is None or not graph.matters(op.value):
        return
    base, shown = through_views(variance), written(op, "var", 2)
    if base.origin.name == "log" or says_log_variance(base):
        node = argument_node(op, "var", 2)
        text = f"{parenthesised(op.site.unit.code(node))}.exp()" if node is not None else ""
        fix = Replacement(Site(op.site.unit, node), text) if node is not None and base.origin.name != "log" else None
        yield RULE.finding(
            op.site,
            f"gaussian_nll_loss takes the variance and raises where it is negative, and `{shown}` is a log; use its exp",
            evidence=with_calls(op, made_here(base, "is a log")),
            rewrite=unsafe(f"use `{text}`", fix),
        )
    elif _is_deviation(base):
        yield RULE.finding(
            op.site,
            f"gaussian_nll_loss takes the variance, and `{shown}` is a standard deviation: the spread comes out wrong; "
            "square it",
            evidence=with_calls(op, made_here(base, "is a standard deviation")),
        )


@RULE.on_op("poisson_nll_loss")
def of_rate(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a rate where its log is taken, and a log where the rate is."""
    given, in_logs = argument(op, "input"), _takes_logs(op)
    if given is None or in_logs is None or not graph.matters(op.value):
        return
    base, shown = through_views(given), written(op, "input", 0)
    if in_logs and base.origin.name in _POSITIVE:
        can_fix = op.origin.module is None and "log_input" not in op.keywords
        yield RULE.finding(
            op.site,
            f"poisson_nll_loss takes the log of the rate unless log_input=False is given, and `{shown}` is the rate "
            f"itself, the output of {base.origin.name}: its exp is taken once more",
            evidence=with_calls(op, made_here(base, "is positive: a rate, not its log")),
            rewrite=unsafe("say log_input=False", with_argument(op, "log_input=False") if can_fix else None),
        )
    meant = meaning_of(base)
    is_raw = meant is not None and meant.meaning is Meaning.RAW
    if not in_logs and (base.origin.name == "log" or is_raw):
        yield RULE.finding(
            op.site,
            f"log_input=False says that poisson_nll_loss is given the rate, and `{shown}` can be negative: the loss is "
            "NaN there",
            evidence=with_calls(op, made_here(base, "can be negative")),
        )


def _takes_logs(op: Op) -> bool | None:
    return is_complete(op) or None if "log_input" not in op.keywords else flag(op, "log_input")


def says_log_variance(value: Value) -> bool:
    """Whether a name says that it is the log of a variance: a parameter or an attribute, taken as it is."""
    if value.origin.name not in ("parameter", "attribute"):
        return False
    parts = words(value.origin.label)
    return "logvar" in parts or ("log" in parts and bool(_SPREADS & set(parts)))


def _is_deviation(value: Value) -> bool:
    """`x.std()`, the root of a variance, and `exp(0.5 * log_var)`."""
    name, operands = value.origin.name, value.origin.operands
    if name == "std":
        return True
    if not operands:
        return False
    if name == "sqrt":
        inner = operands[0]
        named = inner.origin.name in ("parameter", "attribute") and bool(
            {"var", "variance"} & set(words(inner.origin.label))
        )
        return inner.origin.name == "var" or named
    if name == "exp" and operands[0].origin.name in ("mul", "div"):
        halves = [each for each in operands[0].origin.operands if each.has_constant]
        others = [each for each in operands[0].origin.operands if not each.has_constant]
        wanted = 0.5 if operands[0].origin.name == "mul" else 2
        return bool(halves and others) and halves[0].constant == wanted and says_log_variance(others[0])
    return False
