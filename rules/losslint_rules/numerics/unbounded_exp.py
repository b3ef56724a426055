"""exp of a log-variance that nothing bounds

A network's log-variance is any number. `exp` of it is infinite from 88.8 on in float32 and from 11.1 on in float16, one such
element makes the loss NaN, and early in training they occur. `exp(-logvar)` does the same at the other end.

Almost every VAE is written so and most train: info, and preview. Reported for inputs named as a log-variance or log-deviation
that no clamp, no bounded activation and no test limits, once an input.

## Bad

```python
def kl_loss(mu, logvar):
    return -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1).mean()
```

## Good

```python
def kl_loss(mu, logvar):
    logvar = logvar.clamp(-10, 10)
    return -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1).mean()
```

A clamp stops the gradient outside its bounds; a bounded last layer, or softplus for the variance, does not. No fix is
offered.

A run confirms it by inputs of 100.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph
from losslint.semantics.loss_names import words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Value

RULE = Rule(code="LL240", name="unbounded-exp", severity=Severity.INFO, preview=True)

_VIEWS = frozenset("view reshape flatten float to squeeze unsqueeze expand neg getitem select contiguous".split())
_JOINED = frozenset("logvar logvars logsigma logstd lnvar logsigma2 logscale logvariance".split())
_LARGEST = 80.0


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report, once an input, the exponential of a log-variance as it comes in."""
    told: set[int] = set()
    for op in graph.named("exp"):
        source = _log_variance(op.operands[0])
        if (
            source is None
            or source.key in told
            or op.value.gradient is not Gradient.CARRIES
            or not graph.matters(op.value)
        ):
            continue
        if op.is_guarded([source, op.operands[0]]):
            continue
        told.add(source.key)
        yield RULE.finding(
            op.site,
            f"nothing bounds the log-variance `{excerpt(source)}`: its exponential is infinite from 88 on (11 in half precision); "
            "clamp it",
            evidence=with_calls(op, ()),
        )


def _log_variance(exponent: Value) -> Value | None:
    """The input that an exponent is, through views, signs and fixed factors."""
    current = exponent
    for _ in range(8):
        name, operands = current.origin.name, current.origin.operands
        if current.interval.low > -_LARGEST and current.interval.high < _LARGEST:
            return None
        if name == "parameter":
            joined = "".join(words(current.origin.label))
            return current if any(joined.endswith(each) for each in _JOINED) else None
        if name in ("mul", "div") and len(operands) == 2:
            fixed = [each for each in operands if each.has_constant]
            rest = [each for each in operands if not each.has_constant]
            if len(fixed) != 1 or len(rest) != 1:
                return None
            current = rest[0]
        elif name in _VIEWS and operands:
            current = operands[0]
        else:
            return None
    return None
