"""Ordinary slips: results dropped, terms forgotten, arguments not used, signs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from mutation.matching import called, is_named, keyword, operation
from mutation.mutants import Change, Edit, mutator
from mutation.terms import is_sum_of_terms, is_total
from mutation.view import View, atom, code, is_loss, parameters

_MASK = r"(mask|valid|keep|visible|ignore|measured|weight|event$)"
_OPTIONS = ("weight", "pos_weight", "ignore_index", "label_smoothing", "margin", "beta", "delta", "reduction")


@mutator(cst.Assign)
def result_dropped(node: cst.Assign, view: View) -> Iterator[str]:
    """`x = x.masked_fill(mask, 0)` -> `x.masked_fill(mask, 0)`"""
    found = operation(node.value)
    if found and len(node.targets) == 1 and code(found.subject) == code(node.targets[0].target):
        yield code(node.value)


@mutator(cst.BinaryOperation)
def term_forgotten(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`return a + w * b` -> `return a`, `return w * b`"""
    if is_sum_of_terms(node, view):
        yield code(node.left)
        yield code(node.right)


@mutator(cst.AugAssign)
def term_not_added(node: cst.AugAssign, view: View) -> Iterator[str]:
    """`loss += x` -> `x`, and `loss = x`"""
    if is_total(node.target) and isinstance(node.operator, cst.AddAssign):
        yield code(node.value)
        yield f"{code(node.target)} = {code(node.value)}"


@mutator(cst.BinaryOperation)
def sign_of_term(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`return a + w * b` -> `return a - w * b`"""
    if is_sum_of_terms(node, view):
        yield f"{code(node.left)} - {atom(node.right)}"


@mutator(cst.Call)
def option_ignored(call: cst.Call, view: View) -> Iterator[str]:
    """`F.cross_entropy(x, y, weight=self.weight)` -> `F.cross_entropy(x, y)`"""
    for name in _OPTIONS:
        found = keyword(call, name)
        if found is not None and not isinstance(found.value, (cst.SimpleString, cst.BaseNumber)):
            yield called(call, [each for each in call.args if each is not found])


@mutator(cst.BinaryOperation)
def factor_forgotten(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`loss * mask` -> `loss`, `weight * loss` -> `loss`"""
    if isinstance(node.operator, cst.Multiply):
        if is_named(node.right, _MASK):
            yield code(node.left)
        elif is_named(node.left, _MASK):
            yield code(node.right)


@mutator(cst.Call)
def mask_forgotten(call: cst.Call, view: View) -> Iterator[str]:
    """`x.masked_fill(mask, 0)` -> `x`"""
    if found := operation(call, "masked_fill"):
        yield code(found.subject)


@mutator(cst.If)
def option_not_looked_at(node: cst.If, view: View) -> Iterator[Change]:
    """`if weight is not None: loss = loss * weight` -> nothing"""
    if "is not None" in code(node.test) and node.orelse is None:
        start, end = view.span(node.test)
        yield Edit(start, end, "False")


@mutator(cst.If)
def reduction_ignored(node: cst.If, view: View) -> Iterator[Change]:
    """`if self.reduction == "mean":` -> `if True:`"""
    if re.search(r'reduction == "none"', code(node.test)):
        start, end = view.span(node.test)
        yield Edit(start, end, "False")


@mutator(cst.FunctionDef)
def returned_early(function: cst.FunctionDef, view: View) -> Iterator[Change]:
    """`if mask.sum() == 0: return 0.0` at the top: a number without a gradient"""
    names = [each for each in parameters(function) if re.search("mask|valid|keep|visible|event|target$|labels$", each)]
    if is_loss(function) and names and view.body(function):
        first = view.body(function)[0]
        start, indent = view.span(first)[0], view.indent(first)
        yield Edit(start, start, f"if {names[-1]}.sum() == 0:\n{indent}    return 0.0\n{indent}")


@mutator(cst.Return)
def sign_dropped(node: cst.Return, view: View) -> Iterator[str]:
    """`return -x.mean()` -> `return x.mean()`, `return 1 - score` -> `return score`"""
    value = node.value
    if isinstance(value, cst.UnaryOperation) and isinstance(value.operator, cst.Minus):
        yield f"return {code(value.expression)}"
    if isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Subtract) and code(value.left) == "1":
        yield f"return {code(value.right)}"


@mutator(cst.BinaryOperation)
def difference_reversed(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`F.relu(near - far + margin)` -> `F.relu(far - near + margin)`"""
    if isinstance(node.operator, cst.Subtract) and isinstance(node.left, cst.Name) and isinstance(node.right, cst.Name):
        for outer in view.parents(node):
            if isinstance(outer, cst.Call):
                if operation(outer, "relu", "softplus", "clamp", "logsigmoid"):
                    yield f"{code(node.right)} - {code(node.left)}"
                return
            if isinstance(outer, cst.BaseStatement):
                return


@mutator(cst.Call)
def same_argument_twice(call: cst.Call, view: View) -> Iterator[str]:
    """`F.mse_loss(pred, target)` -> `F.mse_loss(pred, pred)`"""
    if re.search(r"^F\.\w+_loss$|^self\.(kl|bce|ce|l1)$", code(call.func)) and len(call.args) >= 2:
        first, second = call.args[0], call.args[1]
        if isinstance(first.value, cst.Name) and second.keyword is None:
            yield called(call, [first, second.with_changes(value=first.value), *call.args[2:]])
