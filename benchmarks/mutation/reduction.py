"""Sums and means of the wrong things."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from mutation.matching import called, keyword, operation
from mutation.mutants import mutator, replaced
from mutation.terms import is_sum_of_terms
from mutation.view import View, atom, code, is_loss

SCALE = frozenset({"value", "gradient", "shape"})


@mutator(cst.Return, SCALE)
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


@mutator(cst.Call, SCALE)
def reduced_too_early(call: cst.Call, view: View) -> Iterator[str]:
    """`F.cross_entropy(x, y, reduction="none")` -> `F.cross_entropy(x, y)`: focal loss of the mean"""
    if found := _reduction(call, "none"):
        yield called(call, [each for each in call.args if each is not found])


@mutator(cst.Call, SCALE)
def batchmean_as_mean(call: cst.Call, view: View) -> Iterator[str]:
    """`F.kl_div(p, q, reduction="batchmean")` -> `reduction="mean"`"""
    if found := _reduction(call, "batchmean"):
        yield replaced(call, found.value, '"mean"')


@mutator(cst.Call, SCALE)
def sum_as_mean(call: cst.Call, view: View) -> Iterator[str]:
    """`F.mse_loss(x, y, reduction="sum") / n` -> `F.mse_loss(x, y) / n`"""
    if found := _reduction(call, "sum"):
        yield called(call, [each for each in call.args if each is not found])


@mutator(cst.Call, SCALE)
def term_summed(call: cst.Call, view: View) -> Iterator[str]:
    """One term's `x.mean()` -> `x.sum()`, `F.mse_loss(a, b)` -> `F.mse_loss(a, b, reduction="sum")`, beside other terms"""
    if not _is_one_of_terms(call, view):
        return
    found = operation(call, "mean")
    if found and not found.rest:
        yield found.again(name="sum")
    elif re.search(r"^F\.\w*(loss|entropy|logits|kl_div)$", code(call.func)) and keyword(call, "reduction") is None:
        yield f'{code(call)[:-1].rstrip().rstrip(",")}, reduction="sum")'


def _is_one_of_terms(node: cst.BaseExpression, view: View) -> bool:
    """Whether this is a term of a loss of several: added to another here, or named to be added later."""
    function = view.function(node)
    if function is None or not is_loss(function):
        return False
    for outer in view.parents(node):
        if isinstance(outer, cst.BinaryOperation) and is_sum_of_terms(outer, view):
            return True
        if isinstance(outer, cst.Assign):
            named = code(outer.targets[0].target)
            others = [each for each in _sums(function) if is_sum_of_terms(each, view)]
            return any(re.search(rf"\b{re.escape(named)}\b", code(each)) for each in others)
        if isinstance(outer, cst.BaseStatement):
            return False
    return False


def _sums(function: cst.FunctionDef) -> Iterator[cst.BinaryOperation]:
    stack: list[cst.CSTNode] = [function.body]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.BinaryOperation):
            yield node
        stack.extend(node.children)


@mutator(cst.BinaryOperation, SCALE)
def masked_mean_over_all(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`(x * mask).sum() / mask.sum().clamp(min=1)` -> `(x * mask).mean()`"""
    if isinstance(node.operator, cst.Divide):
        sign = "-" if isinstance(node.left, cst.UnaryOperation) else ""
        found = operation(node.left.expression if isinstance(node.left, cst.UnaryOperation) else node.left, "sum")
        if found and not found.rest and re.search(r"sum|count|size|len", code(node.right)):
            yield f"{sign}{found.again(name='mean')}"


@mutator(cst.BinaryOperation, SCALE)
def count_dropped(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """One term's `x.sum() / n` -> `x.sum()`, beside other terms"""
    if isinstance(node.operator, cst.Divide) and _is_one_of_terms(node, view):
        left = node.left.expression if isinstance(node.left, cst.UnaryOperation) else node.left
        found = operation(left, "sum")
        is_total = found is not None and not found.rest
        if is_total or (isinstance(left, cst.Call) and _reduction(left, "sum")):
            yield code(node.left)


@mutator(cst.Call, SCALE)
def features_averaged(call: cst.Call, view: View) -> Iterator[str]:
    """`x.sum(dim=1).mean()` -> `x.mean()`: smaller by the number of classes or features"""
    outer = operation(call, "mean")
    if outer and not outer.rest:
        inner = operation(outer.subject, "sum")
        if inner and inner.rest:
            yield f"{atom(inner.subject)}.mean()"


@mutator(cst.Call, SCALE)
def masked_mean_of_samples(call: cst.Call, view: View) -> Iterator[str]:
    """`x.flatten(1).mean(dim=1)` -> `x.flatten(1).mean()`: one number for all samples, weighed afterwards"""
    found = operation(call, "mean")
    if found and len(found.rest) == 1 and not isinstance(view.parent(call), cst.Return):
        yield found.again(rest=())
