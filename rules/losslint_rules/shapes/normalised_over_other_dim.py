"""normalised along one dimension, multiplied and summed along another

A product of two vectors is a cosine where both have unit length along the dimension that is summed over. `F.normalize(x, dim=0)`
of an (N, D) tensor gives the columns of the batch unit length instead of the samples: the sums that follow are no cosines, and each
depends on all samples of the batch. So it is with distributions: the cross entropy of a sample is a sum over the dimension of the
softmax, and a softmax over the batch beside one over the classes compares two different things.

Reported where two factors were normalised along different dimensions, and where a product with log-probabilities, or of two
normalised vectors, is summed over the batch instead and then averaged. Products of two softmaxes along both dimensions of
one matrix are silent, and of scores from two branches too, as are statistics over the batch: covariances, the use of a class.

## Bad

```python
import torch.nn.functional as F

def similarity_loss(prediction, projection):
    p = F.normalize(prediction, dim=0)
    z = F.normalize(projection.detach(), dim=1)
    return 2 - 2 * (p * z).sum(dim=1).mean()
```

## Good

```python
import torch.nn.functional as F

def similarity_loss(prediction, projection):
    p = F.normalize(prediction, dim=1)
    z = F.normalize(projection.detach(), dim=1)
    return 2 - 2 * (p * z).sum(dim=1).mean()
```

No fix is offered: which of the two dimensions is wrong is for the author to say.

A run confirms it by a sample whose loss changes with the other samples of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.documented_shapes import documented_sizes
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.known_shapes import resolved
from losslint.semantics.measures import literal_int, sizes_of
from losslint.semantics.sizes import rank_of
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Value
from losslint_rules.shapes.unit_lengths import (
    Normalised,
    differ,
    is_averaged,
    normalised,
    without_transposition,
)

RULE = Rule(code="LL420", name="normalised-over-other-dim", severity=Severity.WARNING, doubted=True)

_DISTRIBUTIONS = ("softmax", "log_softmax")


@RULE.on_op("mul", "kl_div")
def factors_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report factors that were normalised along different dimensions."""
    if len(op.operands) < 2 or not graph.matters(op.value):
        return
    for names in (("normalize",), _DISTRIBUTIONS):
        first, second = (normalised(each, *names) for each in op.operands[:2])
        if first is None or second is None or not differ(op.operands[0], first.dim, second.dim):
            continue
        if "normalize" not in names and (first.name == second.name or _share_logits(first, second)):
            continue
        yield _mismatch(op, first, second)


@RULE.on_op("matmul", "mm")
def products_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report products of matrices of which one was normalised along the other dimension than the one summed over."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    sides: list[tuple[Normalised, bool]] = []
    for operand, is_left in zip(op.operands, (True, False), strict=True):
        bare, turned = without_transposition(operand)
        found = normalised(bare, "normalize")
        if found is None:
            return
        summed = -1 if is_left is not turned else -2
        sides.append((found, _lies_along(graph, found, summed)))
    (first, fits), (second, fits_too) = sides
    if not fits and not fits_too and _is_along_last(graph, first) and _is_along_last(graph, second):
        return  # a covariance of features of unit length
    if not (fits and fits_too) and _is_of_rows(op, graph):
        yield _mismatch(op, first, second)


def _is_along_last(graph: Graph, found: Normalised) -> bool:
    return _lies_along(graph, found, -1)


def _lies_along(graph: Graph, found: Normalised, summed: int) -> bool:
    """Whether a matrix was normalised along the dimension that is summed over."""
    rank = rank_of(sizes_of(found.by)) or _documented_rank(graph, found.by) or 2
    return found.dim % rank == summed % rank


def _documented_rank(graph: Graph, value: Value) -> int | None:
    known = documented_sizes(graph)
    sizes = sizes_of(value)
    return rank_of(resolved(sizes, known)) if known and sizes is not None else None


def _is_of_rows(op: Op, graph: Graph) -> bool:
    """Whether both operands have rows, and are no single vectors: they are documented so, or the product is used as a matrix."""
    ranks = [rank_of(sizes_of(each)) or _documented_rank(graph, each) for each in op.operands]
    if all(rank is not None and rank > 1 for rank in ranks):
        return True
    pending, seen = [op.value], {op.value.key}
    while pending and len(seen) < 40:
        for later in graph.uses(pending.pop()):
            if later.name == "cross_entropy_loss" or literal_int(later.keywords.get("dim")) in (1, -2):
                return True
            if later.value.rank != 0 and later.value.key not in seen:
                seen.add(later.value.key)
                pending.append(later.value)
    return False


@RULE.on_op("sum")
def sums_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report sums over the batch of what was normalised along the features."""
    product = op.operands[0]
    while product.origin.name == "neg":
        product = product.origin.operands[0]
    operands = product.origin.operands
    if literal_int(op.keywords.get("dim")) != 0 or product.origin.name != "mul" or len(operands) != 2:
        return
    found = _summed_elsewhere(operands)
    if found is None or not graph.matters(op.value) or not is_averaged(graph, op.value):
        return
    site = found.by.origin.site
    is_vector = found.name == "normalize"
    yield RULE.finding(
        op.site,
        f"`{excerpt(found.by)}` is normalised along dimension {found.dim}, and this sum goes over dimension 0: "
        + (
            "what it gives are no cosines"
            if is_vector
            else "the mean that follows divides by the classes, not by the samples"
        )
        + f"; sum over dimension {found.dim}",
        evidence=with_calls(op, [Step(site, f"normalised along dimension {found.dim}")] if site is not None else []),
    )


def _summed_elsewhere(operands: tuple[Value, ...]) -> Normalised | None:
    """The factor that was normalised along another dimension than the first."""
    first, second = (normalised(each, "normalize") for each in operands)
    if first is not None and second is not None:
        return first if differ(operands[0], first.dim, 0) and differ(operands[1], second.dim, 0) else None
    for one, other in (operands, operands[::-1]):
        logs = _bare_sign(one)
        found = normalised(one, "log_softmax")
        if found is None and logs.origin.name == "log":
            found = normalised(logs.origin.operands[0], "softmax") or normalised(other, "softmax")
        if found is not None and differ(one, found.dim, 0):
            return found
    return None


def _bare_sign(value: Value) -> Value:
    return value.origin.operands[0] if value.origin.name == "neg" else value


def _share_logits(first: Normalised, second: Normalised) -> bool:
    """Whether both are made of one matrix, whose rows and columns are normalised."""
    left = {each.key for each in ancestors([first.by.origin.operands[0]]) if each.origin.operands}
    right = {each.key for each in ancestors([second.by.origin.operands[0]]) if each.origin.operands}
    one, other = (without_transposition(each.by.origin.operands[0])[0] for each in (first, second))
    return one.key == other.key or bool(left & right)


def _mismatch(op: Op, first: Normalised, second: Normalised) -> Finding:
    steps = [
        Step(each.by.origin.site, f"normalised along dimension {each.dim}")
        for each in (first, second)
        if each.by.origin.site is not None
    ]
    what = f"`{excerpt(first.by)}` is normalised along dimension {first.dim}"
    if first.dim == second.dim:
        what += ", and this product sums over the other one"
    else:
        what += f" and `{excerpt(second.by)}` along dimension {second.dim}"
    effect = "what it gives are no cosines" if first.name == "normalize" else "two distributions over different things"
    return RULE.finding(
        op.site,
        f"{what}: {effect}; normalise along the features",
        evidence=with_calls(op, steps),
    )
