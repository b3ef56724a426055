"""a norm over the samples that were averaged, held against a threshold

`(x - x.mean(dim=0)).norm(dim=0)` goes over the samples, one number a feature: it is the standard deviation times the square
root of how many samples there are. A hinge `relu(norm - delta)` then pulls the harder the more samples there are, and is out
of reach for small groups. The distance of each sample to the centre, a norm over the features, was meant, or a `std`.

Reported where the norm and the mean go over the same dimension of the same tensor, and a fixed number is taken from the norm
before a ReLU or a clamp at 0. Norms that divide, as in a correlation, and plain sums of squares are silent.

## Bad

```python
import torch
import torch.nn.functional as F

def pull_loss(embeddings, delta=0.5):
    centre = embeddings.mean(dim=0)
    return F.relu(torch.norm(embeddings - centre, dim=0) - delta).pow(2).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def pull_loss(embeddings, delta=0.5):
    centre = embeddings.mean(dim=0)
    return F.relu(torch.norm(embeddings - centre, dim=1) - delta).pow(2).mean()
```

No fix is offered: the norm over the features and the standard deviation are both wanted at times.

A run confirms it by a batch repeated twice, for which the loss is another one.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import literal_int, literal_ints
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Role, Value

RULE = Rule(code="LL326", name="norm-over-samples", severity=Severity.WARNING, doubted=True)

_NORMS = ("norm", "linalg_vector_norm", "linalg_norm")
_VIEWS = frozenset("unsqueeze view reshape expand expand_as squeeze".split())
_HINGES = frozenset({"relu", "clamp", "clamp_min", "softplus"})


@RULE.on_op(*_NORMS, "sqrt")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report norms of deviations over the dimension of their mean that end in a hinge."""
    found = _normed(op)
    if found is None or not graph.matters(op.value):
        return
    deviation, dim = found
    if dim == 0 and deviation.origin.name == "flatten" and _meets_threshold(graph, op.value, ("pow", "square", "abs")):
        flat = deviation.origin.site
        if literal_int(deviation.origin.keywords.get("start_dim")) == 1:
            yield RULE.finding(
                op.site,
                f"`{excerpt(deviation)}` has a row a sample, and this norm goes over the samples: it grows with the batch, and is "
                "compared with a fixed number; take the norm over dimension 1",
                evidence=with_calls(op, [Step(flat, "one row a sample")] if flat is not None else []),
            )
        return
    centre = _centre(deviation, dim)
    if centre is None or not _meets_threshold(graph, op.value):
        return
    site = centre.origin.site
    yield RULE.finding(
        op.site,
        f"the norm of `{excerpt(deviation)}` goes over the elements that `{excerpt(centre)}` averages, and grows with the root "
        "of their number, while the threshold is fixed: take the norm over the features",
        evidence=with_calls(op, [Step(site, f"the mean over dimension {dim}")] if site is not None else []),
    )


def _normed(op: Op) -> tuple[Value, int] | None:
    """What a norm is taken of, and over which dimension, in one call or as the root of a sum of squares."""
    if op.name in _NORMS:
        dims = literal_ints(op.keywords.get("dim"))
        return (op.operands[0], dims[0]) if dims is not None and len(dims) == 1 else None
    total = op.operands[0] if op.operands else None
    while total is not None and total.origin.name in ("add", "clamp", "clamp_min") and total.origin.operands:
        total = total.origin.operands[0]
    if total is None or total.origin.name != "sum" or not total.origin.operands:
        return None
    dims = literal_ints(total.origin.keywords.get("dim"))
    square = total.origin.operands[0]
    is_square = square.origin.name == "square" or (
        square.origin.name == "pow" and square.origin.operands[1].constant in (2, 2.0)
    )
    return (square.origin.operands[0], dims[0]) if is_square and dims is not None and len(dims) == 1 else None


def _centre(deviation: Value, dim: int) -> Value | None:
    """The mean over this dimension that was taken from what it averages."""
    if deviation.origin.name != "sub" or len(deviation.origin.operands) != 2:
        return None
    for whole, mean in (deviation.origin.operands, deviation.origin.operands[::-1]):
        current = mean.beneath(_VIEWS)
        if current.origin.name == "mean" and current.origin.operands[0].key == whole.key:
            dims = literal_ints(current.origin.keywords.get("dim"))
            return current if dims == (dim,) else None
    return None


def _meets_threshold(graph: Graph, norm: Value, then: tuple[str, ...] = ()) -> bool:
    """Whether a fixed number is taken from a norm, and a hinge follows, or one of some operators."""
    for op in graph.uses(norm):
        others = [each for each in op.operands if each.key != norm.key]
        if op.name in ("sub", "rsub", "add") and len(others) == 1 and _is_fixed(others[0]):
            for after in graph.uses(op.value):
                low = after.keywords.get("min")
                if after.name in then:
                    return True
                if after.name in _HINGES and (after.name != "clamp" or (low is not None and literal_int(low) == 0)):
                    return True
    return False


def _is_fixed(value: Value) -> bool:
    return value.kind is Kind.NUMBER or value.role is Role.CONFIG
