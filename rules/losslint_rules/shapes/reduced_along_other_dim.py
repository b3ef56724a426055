"""two reductions of one formula along different dimensions

Some reductions belong together. A projection divides `(x * y).sum(dim=1)` by `(y * y).sum(dim=1)`, and a softmax that is
written out takes the maximum of each row off before it sums the exponentials of that row. Where the one goes along the
batch and the other along the features, shapes still broadcast with `keepdim=True`, and the samples of a batch are mixed.

A variance takes the square of a mean from the mean of the squares of the same elements, and a covariance the mean of each feature
from that feature.

Reported where a quotient has a sum of products above and a sum of squares of one of the factors below, along different
dimensions, where a maximum along one dimension is taken off before exponentials are summed along another, and for variances
and covariances with the mean of other elements. The maximum of the whole tensor, and dimensions that may be the same one, are
silent.

## Bad

```python
def projection_loss(estimate, reference, eps=1e-8):
    scale = (estimate * reference).sum(0, keepdim=True) / (reference.pow(2).sum(1, keepdim=True) + eps)
    return (estimate - scale * reference).pow(2).mean()
```

## Good

```python
def projection_loss(estimate, reference, eps=1e-8):
    scale = (estimate * reference).sum(1, keepdim=True) / (reference.pow(2).sum(1, keepdim=True) + eps)
    return (estimate - scale * reference).pow(2).mean()
```

No fix is offered: which of the two dimensions is wrong is for the author to say.

A run confirms it by a sample whose loss changes with the other samples of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import literal_int, literal_ints
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Role, Value
from losslint_rules.reduction.loss_operators import reduces_all
from losslint_rules.shapes.unit_lengths import differ, without_transposition

RULE = Rule(code="LL422", name="reduced-along-other-dim", severity=Severity.WARNING, doubted=True)

_GUARDS = frozenset({"clamp", "clamp_min", "sqrt", "detach", "float", "squeeze"})
_MAXIMA = frozenset({"amax", "max"})


@RULE.on_op("div")
def quotients_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report quotients of a sum of products and a sum of squares of one factor, along different dimensions."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    above, below = _sum(op.operands[0]), _sum(op.operands[1])
    if above is None or below is None:
        return
    (products, dim), (squares, other) = above, below
    factors = products.origin.operands if products.origin.name == "mul" else ()
    squared = squares.origin.operands[0] if _is_square(squares) else None
    if len(factors) != 2 or squared is None or not any(each.key == squared.key for each in factors):
        return
    if not _is_square(products) and differ(squared, dim, other):
        yield _finding(op, op.operands[0], dim, op.operands[1], other)


@RULE.on_op("sum", "logsumexp", "softmax", "log_softmax")
def shifts_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report exponentials that are summed along another dimension than that of the maximum taken off before."""
    dims = literal_ints(op.keywords.get("dim"))
    shifted = _exponent(op)
    if dims is None or len(dims) != 1 or shifted is None or not graph.matters(op.value):
        return
    maximum = _bare(shifted.origin.operands[1])
    along = literal_int(maximum.origin.keywords.get("dim"))
    is_kept = maximum.origin.keywords.get("keepdim")
    if maximum.origin.name not in _MAXIMA or along is None or is_kept is None or is_kept.constant is not True:
        return
    if maximum.origin.operands[0].key == shifted.origin.operands[0].key and differ(shifted, along, dims[0]):
        yield _finding(op, maximum, along, op.value, dims[0])


@RULE.on_op("sub")
def variances_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a variance as a difference whose two means go along different dimensions."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    squares, square = op.operands[0], _unscaled(op.operands[1])
    if squares.origin.name != "mean" or not _is_square(squares.origin.operands[0]) or not _is_square(square):
        return
    mean, elements = square.origin.operands[0], squares.origin.operands[0].origin.operands[0]
    if mean.origin.name != "mean" or mean.origin.operands[0].key != elements.key:
        return
    first, second = (literal_ints(each.origin.keywords.get("dim")) for each in (squares, mean))
    if _is_other(elements, first, second, reduces_all(squares) or reduces_all(mean)):
        yield _finding(op, squares, first, mean, second)


@RULE.on_op("matmul", "mm")
def covariances_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report products of a matrix with itself, over the samples, from which the mean of all elements was taken."""
    if len(op.operands) != 2 or not graph.matters(op.value):
        return
    (left, turned), right = without_transposition(op.operands[0]), op.operands[1]
    if not turned or left.key != right.key or left.origin.name != "sub":
        return
    features, mean = left.origin.operands[:2]
    if mean.origin.name == "mean" and mean.origin.operands[0].key == features.key and reduces_all(mean):
        site = mean.origin.site
        yield RULE.finding(
            op.site,
            f"`{excerpt(mean)}` is one number for all features, and this is their covariance only if each has its own mean taken "
            "off: take the mean over the samples, `mean(dim=0)`",
            evidence=with_calls(op, [Step(site, "the mean over all elements")] if site is not None else []),
        )


def _is_other(elements: Value, first: tuple[int, ...] | None, second: tuple[int, ...] | None, of_all: bool) -> bool:
    """Whether two means go along different dimensions, or one of them over all elements."""
    if first is None or second is None:
        return of_all and first is not second
    return len(first) == len(second) == 1 and differ(elements, first[0], second[0])


def _unscaled(value: Value) -> Value:
    """x of `0.5 * x`."""
    operands = value.origin.operands
    if value.origin.name == "mul" and len(operands) == 2 and not _is_square(value):
        for factor, other in (operands, operands[::-1]):
            if _is_number(factor):
                return other
    return value


def _sum(value: Value) -> tuple[Value, int] | None:
    """What is summed, and along which dimension: through a number that is added, and guards."""
    current = value
    for _ in range(6):
        name, operands = current.origin.name, current.origin.operands
        if name == "sum":
            dims = literal_ints(current.origin.keywords.get("dim"))
            return (operands[0], dims[0]) if dims is not None and len(dims) == 1 else None
        if name in _GUARDS and operands:
            current = operands[0]
        elif name == "add" and len(operands) == 2 and any(_is_number(each) for each in operands):
            current = operands[1] if _is_number(operands[0]) else operands[0]
        else:
            return None
    return None


def _is_square(value: Value) -> bool:
    operands = value.origin.operands
    if value.origin.name == "mul" and len(operands) == 2:
        return operands[0].key == operands[1].key
    return value.origin.name == "square" or (value.origin.name == "pow" and operands[1].constant in (2, 2.0))


def _is_number(value: Value) -> bool:
    return value.kind is Kind.NUMBER or value.role is Role.CONFIG


def _exponent(op: Op) -> Value | None:
    """`x - m` of what a softmax is taken of, or of the exponential that is summed, masked or not."""
    found = [op.operands[0]]
    if op.name == "sum":
        factors = found[0].origin.operands if found[0].origin.name == "mul" else found
        found = [each.origin.operands[0] for each in factors if each.origin.name == "exp"]
    return found[0] if len(found) == 1 and found[0].origin.name == "sub" else None


def _bare(value: Value) -> Value:
    return value.beneath(("detach", "data"))


def _finding(
    op: Op, first: Value, dim: int | tuple[int, ...] | None, second: Value, other: int | tuple[int, ...] | None
) -> Finding:
    one, two = _along(dim), _along(other)
    steps = [
        Step(each.origin.site, along) for each, along in ((first, one), (second, two)) if each.origin.site is not None
    ]
    return RULE.finding(
        op.site,
        f"`{excerpt(first)}` goes {one} and `{excerpt(second)}` {two}, though they belong "
        "together: samples are mixed; reduce both along the same dimension",
        evidence=with_calls(op, steps),
    )


def _along(dims: int | tuple[int, ...] | None) -> str:
    if dims is None:
        return "over all elements"
    return f"along dimension {dims if isinstance(dims, int) else ', '.join(map(str, dims))}"
