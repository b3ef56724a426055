"""inverse, determinant or eigenvectors of a covariance that may be singular

`x.t() @ x` of a batch has at most as many non-zero eigenvalues as the batch has rows. With fewer samples than
features, with two equal columns, or once features collapse, it is singular: `inverse` and `cholesky` raise or give 1e9,
`logdet` is -inf with a NaN gradient, and the gradients of eigenvectors and singular vectors, which hold
1 / (difference of two eigenvalues), are NaN.

Determinants, eigenvalues and singular values by themselves have finite gradients and are silent, and so is a matrix that
something was added to.

## Bad

```python
import torch

def whitening_loss(features):
    centred = features - features.mean(dim=0)
    covariance = centred.t() @ centred / (features.size(0) - 1)
    return -torch.logdet(covariance)
```

## Good

```python
import torch

def whitening_loss(features):
    centred = features - features.mean(dim=0)
    covariance = centred.t() @ centred / (features.size(0) - 1)
    identity = torch.eye(features.size(1), dtype=features.dtype, device=features.device)
    return -torch.logdet(covariance + 1e-4 * identity)
```

## Use instead

Add a multiple of the identity that is small against the variances you expect, or shrink towards it. No fix is offered: how
much, only you know.

A run confirms it with collapsed features or a small batch.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Value

RULE = Rule(
    code="LL228",
    name="singular-gram-matrix",
    severity=Severity.WARNING,
    preview=True,
    confirmed_by=("degenerate",),
)

_CONSEQUENCE = {
    "inverse": "its inverse is huge or an error",
    "cholesky": "cholesky raises",
    "logdet": "its logdet is -inf with a NaN gradient",
    "slogdet": "its logdet is -inf with a NaN gradient",
}
_VECTORS = frozenset({"eigenvectors", "U", "V", "Vh"})
_TURNED = frozenset({"t", "transpose", "permute", "float", "double", "contiguous", "view", "reshape"})


@RULE.on_op(*_CONSEQUENCE)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report inverse, cholesky and logdet of a product of a matrix with itself."""
    yield from _findings(op, graph, _CONSEQUENCE[op.name])


@RULE.on_op("linalg_eigh", "linalg_svd", "svd")
def vectors_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report eigenvectors and singular vectors that a gradient flows through."""
    if op.origin.label in _VECTORS:
        yield from _findings(op, graph, "the gradient of its eigenvectors is NaN")


def _findings(op: Op, graph: Graph, consequence: str) -> Iterator[Finding]:
    matrix = op.operands[0]
    if matrix.gradient is not Gradient.CARRIES or not op.gradient_matters or not graph.differentiates(op.value):
        return
    product = gram_product(matrix)
    if product is None or op.is_guarded([matrix, product]):
        return
    site = product.origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(matrix)}` is singular once its rows depend on one another (few samples, equal or collapsed features): "
        f"{consequence}; add a small multiple of the identity",
        evidence=with_calls(op, [Step(site, "nothing is added to this product")] if site is not None else []),
    )


def gram_product(matrix: Value) -> Value | None:
    """The product of a matrix with itself, or the covariance, that a value is a multiple of."""
    while matrix.origin.operands:
        name, operands = matrix.origin.name, matrix.origin.operands
        if name == "cov":
            return matrix
        if name in ("matmul", "mm", "bmm", "einsum"):
            factors = [_unturned(each) for each in operands if each.kind is not Kind.STR]
            return matrix if len(factors) == 2 and factors[0].key == factors[1].key else None
        if name in _TURNED or (name in ("div", "mul") and any(_is_number(each) for each in operands[1:])):
            matrix = operands[0]
        elif name == "mul" and _is_number(operands[0]):
            matrix = operands[1]
        else:
            return None
    return None


def _unturned(value: Value) -> Value:
    return value.beneath(_TURNED)


def _is_number(value: Value) -> bool:
    return value.has_constant or value.kind is Kind.NUMBER
