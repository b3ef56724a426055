"""(N, 1) meets (N,): the result is an N by N matrix

Broadcasting lines up the last dimensions. A column of N values, as `nn.Linear(..., 1)`, `keepdim=True` or `gather` give it,
against a vector of N values gives every combination of the two, and the mean of that is a number like any other: the loss
falls, and the network learns to predict the mean. mse_loss and its kin warn at run time, arithmetic, kl_div,
gaussian_nll_loss and poisson_nll_loss do not.

An error where both operands provably have the same N. A warning where a loss is given a column and a vector and nothing says
that their lengths are the same, and where it is the docstring that gives an input its shape. Pairwise matrices that are meant
are silent: `x[:, None] - x[None, :]`, `unsqueeze` in the expression itself, squared norms that are added to a matrix of
products, results that are used as a matrix afterwards.

## Bad

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, gamma=2.0):
    ce = F.cross_entropy(logits, target, reduction="none")
    pt = F.softmax(logits, dim=1).gather(1, target.unsqueeze(1))
    return ((1 - pt) ** gamma * ce).mean()
```

## Good

```python
import torch
import torch.nn.functional as F

def focal_loss(logits, target, gamma=2.0):
    ce = F.cross_entropy(logits, target, reduction="none")
    pt = F.softmax(logits, dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
    return ((1 - pt) ** gamma * ce).mean()
```

The fix squeezes the column where it is used, and is unsafe: the value changes, to what was meant.

A run confirms it by a loss of two halves of a batch that is not the mean of their losses.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.known_shapes import resolved
from losslint.semantics.measures import sizes_of
from losslint.semantics.sizes import Sizes, rank_of
from losslint.semantics.spelling import excerpt, parenthesised
from losslint.semantics.values import Kind, Site, Value
from losslint_rules.shapes.documented import asks_for_shapes, has_rows, is_squeezed, shapes_by_docstring
from losslint_rules.shapes.matrix_use import ARITHMETIC, REDUCTIONS, is_used_as_matrix, is_written_out
from losslint_rules.shapes.misalignment import Extra, extra_dimension, introducer
from losslint_rules.shapes.shape_words import ShapeWriter

RULE = Rule(code="LL401", name="silent-broadcast", severity=Severity.ERROR)

_LOSSES = (
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "kl_div",
    "poisson_nll_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
)


@RULE.on_op(*ARITHMETIC, *_LOSSES)
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report two operands of which one has a dimension of size 1 that the other lacks."""
    pair = [value for value in op.operands if value.kind in (Kind.TENSOR, Kind.UNKNOWN)][:2]
    if len(pair) < 2 or not graph.matters(op.value):
        return
    shapes = sizes_of(pair[0]), sizes_of(pair[1])
    if shapes[0] is None or shapes[1] is None or shapes[0] == shapes[1]:
        return
    for (column, vector), (long, short) in ((pair, shapes), (pair[::-1], shapes[::-1])):
        if long is None or not short:
            continue
        extra = extra_dimension(long, short)
        if extra is not None and extra.size == 1 and _has_several(short):
            if not _is_meant(op, graph, column, vector):
                yield _finding(op, column, vector, extra)
        elif op.name in _LOSSES and _is_suspect(long, short, column):
            yield _finding(op, column, vector, None)


@RULE.on_graph
def as_documented(graph: Graph) -> Iterator[Finding]:
    """Report what does not line up if the inputs have the shapes that the docstring gives them."""
    known = shapes_by_docstring(graph)
    for op in graph.named(*ARITHMETIC, *_LOSSES) if known else ():
        pair = [value for value in op.operands if value.kind in (Kind.TENSOR, Kind.UNKNOWN)][:2]
        if len(pair) < 2 or not graph.matters(op.value) or asks_for_shapes(op, known):
            continue
        for column, vector in (pair, pair[::-1]):
            sizes = sizes_of(column), sizes_of(vector)
            if sizes[0] is None or sizes[1] is None:
                continue
            long, short = resolved(sizes[0], known), resolved(sizes[1], known)
            if (long, short) == sizes or is_written_out(column, vector, op.name in _LOSSES):
                continue
            extra = extra_dimension(long, short)
            if (extra is None and len(long) != 2) or has_rows(graph, op.value):
                continue
            if extra is not None and extra.size == 1 and _has_several(short):
                yield _finding(op, column, vector, extra, is_documented=True)
            elif long != sizes[0] and len(long) == 2 and long[1] == 1 and is_squeezed(vector):
                yield _of_column(op, column, vector, long)


def _has_several(sizes: Sizes) -> bool:
    return any(size != 1 for size in sizes)


def _is_suspect(long: Sizes, short: Sizes, column: Value) -> bool:
    """A loss of (N, 1) from a layer and (M,): the same length is not proven, but what else could it be."""
    lengths = rank_of(long), rank_of(short)
    if lengths != (2, 1) or long[-1] != 1 or short[0] == 1 or isinstance(long[0], int):
        return False
    return introducer(column).origin.name in ("unknown", "linear", "parameter")


def _is_meant(op: Op, graph: Graph, column: Value, vector: Value) -> bool:
    if is_written_out(column, vector, op.name in _LOSSES):
        return True
    source, other = introducer(column), introducer(vector)
    if op.name in ("add", "sub") and source.origin.name == other.origin.name and source.origin.name in REDUCTIONS:
        return True  # |x|^2 + |y|^2, to which -2xy is added
    return op.name not in _LOSSES and is_used_as_matrix(graph, op.value, (column, vector), set())


def _of_column(op: Op, column: Value, vector: Value, sizes: Sizes) -> Finding:
    written = ShapeWriter(op.scope).write(sizes)
    source = introducer(vector)
    steps = (
        [Step(source.origin.site, f"`{excerpt(source)}` has given up its last dimension")] if source.origin.site else []
    )
    return RULE.finding(
        op.site,
        f"the docstring says that `{excerpt(column)}` is {written}, and `{excerpt(vector)}` has lost its last dimension of size 1: "
        "they broadcast to every combination of their elements; give both one shape",
        severity=Severity.WARNING,
        evidence=with_calls(op, steps),
    )


def _finding(op: Op, column: Value, vector: Value, extra: Extra | None, is_documented: bool = False) -> Finding:
    writer = ShapeWriter(op.scope)
    shapes = (sizes_of(column) or (), sizes_of(vector) or ()) if extra is None else (extra.longer, extra.shorter)
    written = [writer.write(shape) for shape in shapes]
    steps = [
        Step(each.origin.site, f"`{excerpt(each)}` has the shape {text}")
        for each, text in zip((introducer(column), introducer(vector)), written, strict=True)
        if each.origin.site is not None
    ]
    dim = -1 if extra is None else extra.dim
    return RULE.finding(
        op.site,
        ("by the docstring " if is_documented else "")
        + f"`{excerpt(column)}` is {written[0]} and `{excerpt(vector)}` is {written[1]}: they broadcast to every combination"
        + (" of their elements" if extra is not None else " if both hold one value a sample")
        + f", and the loss is taken over all of them; `.squeeze({dim})` lines them up",
        severity=Severity.WARNING if extra is None or is_documented else RULE.severity,
        evidence=with_calls(op, steps),
        rewrite=_rewrite(op, column, dim),
    )


def _rewrite(op: Op, column: Value, position: int) -> Rewrite | None:
    node = _written(op, column)
    if node is None:
        return None
    content = f"{parenthesised(op.site.unit.code(node))}.squeeze({position})"
    return Rewrite(Applicability.UNSAFE, f"use `{content}`", (Replacement(Site(op.site.unit, node), content),))


def _written(op: Op, value: Value) -> cst.BaseExpression | None:
    """Where an operand is written: a side of the operator, or an argument of the loss, by its place."""
    node = op.site.node
    tensors = [each for each in op.operands if each.kind in (Kind.TENSOR, Kind.UNKNOWN)]
    first = bool(tensors) and tensors[0].key == value.key
    if isinstance(node, cst.BinaryOperation) and len(tensors) == 2:
        return node.left if first else node.right
    if isinstance(node, cst.Call) and op.name in _LOSSES and len(node.args) >= 2:
        argument = node.args[0 if first else 1]
        return argument.value if argument.keyword is None and not argument.star else None
    return None
