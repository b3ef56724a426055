"""Shapes that broadcast, collapse or hold the wrong numbers."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mutation.matching import called, keyword, operation
from mutation.mutants import mutator, replaced
from mutation.view import View, code, parameters


@mutator(cst.Call)
def squeezed_whole(call: cst.Call, view: View) -> Iterator[str]:
    """`x.squeeze(1)` -> `x.squeeze()`"""
    found = operation(call, "squeeze")
    if found and found.rest:
        yield found.again(rest=())


@mutator(cst.Call)
def squeeze_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`x.squeeze(1)` -> `x`: (N, 1) against (N,)"""
    if found := operation(call, "squeeze"):
        yield code(found.subject)


@mutator(cst.Call)
def unsqueeze_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`mask.unsqueeze(1)` -> `mask`"""
    if found := operation(call, "unsqueeze"):
        yield code(found.subject)


@mutator(cst.Call)
def keepdim_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`x.mean(dim=1, keepdim=True)` -> `x.mean(dim=1)`"""
    if found := keyword(call, "keepdim"):
        yield called(call, [each for each in call.args if each is not found])


@mutator(cst.BinaryOperation)
def operand_unsqueezed(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`pred - target` -> `pred.unsqueeze(-1) - target`: every prediction against every target"""
    function = view.function(node)
    if function is not None and isinstance(node.operator, (cst.Subtract, cst.Multiply)):
        names = parameters(function)
        if code(node.left) in names and code(node.right) in names:
            yield f"{code(node.left)}.unsqueeze(-1) {code(node.operator).strip()} {code(node.right)}"


@mutator(cst.Call)
def column_against_row(call: cst.Call, view: View) -> Iterator[str]:
    """`F.mse_loss(pred, target)` -> `F.mse_loss(pred, target.unsqueeze(-1))`"""
    found = operation(call, "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
    if found and found.rest and isinstance(found.rest[0].value, cst.Name):
        yield replaced(call, found.rest[0].value, f"{code(found.rest[0].value)}.unsqueeze(-1)")


@mutator(cst.Call)
def permute_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`x.permute(0, 3, 1, 2)`, `x.t()`, `x.movedim(-1, 1)` -> `x`"""
    if found := operation(call, "permute", "transpose", "movedim", "t"):
        yield code(found.subject)


@mutator(cst.Call)
def permute_as_view(call: cst.Call, view: View) -> Iterator[str]:
    """`x.transpose(1, 2)` -> `x.reshape(x.size(0), x.size(2), x.size(1))`"""
    found = operation(call, "transpose")
    if found and [code(each.value) for each in found.rest] == ["1", "2"]:
        x = code(found.subject)
        yield f"{x}.reshape({x}.size(0), {x}.size(2), {x}.size(1))"


@mutator(cst.Call)
def flattened_whole(call: cst.Call, view: View) -> Iterator[str]:
    """`x.flatten(1)` -> `x.flatten()`: one sample of all"""
    found = operation(call, "flatten")
    if found and len(found.rest) == 1:
        yield found.again(rest=())


@mutator(cst.Call)
def reduced_over_batch(call: cst.Call, view: View) -> Iterator[str]:
    """`x.sum(dim=1)` -> `x.sum(dim=0)`"""
    found = operation(call, "sum", "mean", "vector_norm", "norm", "amax", "amin")
    dim = found.argument("dim", None if found.name in ("norm", "vector_norm") else 0) if found else None
    if found and dim is not None and code(dim.value) in ("1", "-1"):
        yield replaced(call, dim.value, "0")


@mutator(cst.Call)
def expand_dropped(call: cst.Call, view: View) -> Iterator[str]:
    """`mask.expand_as(x)` -> `mask`: it is counted fewer times than it is used"""
    if found := operation(call, "expand_as", "expand"):
        yield code(found.subject)
