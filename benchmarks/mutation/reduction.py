"""Sums and means of the wrong things."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from mutation.matching import called, keyword, operation
from mutation.mutants import mutator, replaced
from mutation.view import View, atom, code, is_loss


@mutator(cst.Return)
def mean_dropped(node: cst.Return, view: View) -> Iterator[str]:
    """`return loss.mean()` -> `return loss`"""
    function = view.function(node)
    if node.value is None or function is None or not is_loss(function):
        return
    for call in _full_reductions(node.value, "mean"):
        found = operation(call, "mean")
        if found:
            yield f"return {replaced(node.value, call, atom(found.subject)) if call is not node.value else code(found.subject)}"


def _full_reductions(node: cst.CSTNode, *names: str) -> Iterator[cst.Call]:
    """Means (or sums) over everything, at the top of an expression."""
    if isinstance(node, cst.Call):
        found = operation(node, *names)
        if found and not found.rest:
            yield node
    elif isinstance(node, cst.BinaryOperation):
        yield from _full_reductions(node.left, *names)
        yield from _full_reductions(node.right, *names)
    elif isinstance(node, cst.UnaryOperation):
        yield from _full_reductions(node.expression, *names)


def _reduction(call: cst.Call, value: str) -> cst.Arg | None:
    found = keyword(call, "reduction")
    return found if found is not None and code(found.value) == f'"{value}"' else None


@mutator(cst.Call)
def reduced_too_early(call: cst.Call, view: View) -> Iterator[str]:
    """`F.cross_entropy(x, y, reduction="none")` -> `F.cross_entropy(x, y)`: focal loss of the mean"""
    if found := _reduction(call, "none"):
        yield called(call, [each for each in call.args if each is not found])


@mutator(cst.Call)
def batchmean_as_mean(call: cst.Call, view: View) -> Iterator[str]:
    """`F.kl_div(p, q, reduction="batchmean")` -> `reduction="mean"`"""
    if found := _reduction(call, "batchmean"):
        yield replaced(call, found.value, '"mean"')


@mutator(cst.Call)
def sum_as_mean(call: cst.Call, view: View) -> Iterator[str]:
    """`F.mse_loss(x, y, reduction="sum") / n` -> `F.mse_loss(x, y) / n`"""
    if found := _reduction(call, "sum"):
        yield called(call, [each for each in call.args if each is not found])


@mutator(cst.Call)
def term_summed(call: cst.Call, view: View) -> Iterator[str]:
    """One term's `x.mean()` -> `x.sum()`, `F.mse_loss(a, b)` -> `F.mse_loss(a, b, reduction="sum")`, beside other terms"""
    function = view.function(call)
    if function is None or not is_loss(function) or not _has_terms(function):
        return
    found = operation(call, "mean")
    if found and not found.rest:
        yield found.again(name="sum")
    elif re.search(r"^F\.\w*(loss|entropy|logits|kl_div)$", code(call.func)) and keyword(call, "reduction") is None:
        yield f'{code(call)[:-1].rstrip().rstrip(",")}, reduction="sum")'


def _has_terms(function: cst.FunctionDef) -> bool:
    """Whether a function reduces more than once."""
    text = code(function.body)
    return len(re.findall(r"\.mean\(\)|F\.\w*(?:loss|entropy|logits|kl_div)\(|\.sum\(\) /|torch\.mean\(", text)) > 1


@mutator(cst.BinaryOperation)
def masked_mean_over_all(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`(x * mask).sum() / mask.sum().clamp(min=1)` -> `(x * mask).mean()`"""
    if isinstance(node.operator, cst.Divide):
        sign = "-" if isinstance(node.left, cst.UnaryOperation) else ""
        found = operation(node.left.expression if isinstance(node.left, cst.UnaryOperation) else node.left, "sum")
        if found and not found.rest and re.search(r"sum|count|size|len", code(node.right)):
            yield f"{sign}{found.again(name='mean')}"


@mutator(cst.BinaryOperation)
def count_dropped(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`x.sum() / n` -> `x.sum()`: it grows with the batch"""
    if isinstance(node.operator, cst.Divide):
        left = node.left.expression if isinstance(node.left, cst.UnaryOperation) else node.left
        found = operation(left, "sum")
        is_total = found is not None and not found.rest
        if is_total or (isinstance(left, cst.Call) and _reduction(left, "sum")):
            yield code(node.left)


@mutator(cst.Call)
def features_averaged(call: cst.Call, view: View) -> Iterator[str]:
    """`x.sum(dim=1).mean()` -> `x.mean()`: smaller by the number of classes or features"""
    outer = operation(call, "mean")
    if outer and not outer.rest:
        inner = operation(outer.subject, "sum")
        if inner and inner.rest:
            yield f"{atom(inner.subject)}.mean()"


@mutator(cst.Call)
def masked_mean_of_samples(call: cst.Call, view: View) -> Iterator[str]:
    """`x.flatten(1).mean(dim=1)` -> `x.flatten(1).mean()`: one number for all samples, weighed afterwards"""
    found = operation(call, "mean")
    if found and len(found.rest) == 1 and not isinstance(view.parent(call), cst.Return):
        yield found.again(rest=())
