"""The terms of a loss: operands of a sum that is returned, or that is named a loss."""

from __future__ import annotations

import re

import libcst as cst

from mutation.matching import is_constant
from mutation.view import View, code

_TOTAL = re.compile(r"(^|_)(loss|total|objective|cost)(es)?$")


def is_sum_of_terms(node: cst.BinaryOperation, view: View) -> bool:
    """Whether an addition adds terms of a loss."""
    if not isinstance(node.operator, cst.Add) or is_constant(node.left) or is_constant(node.right):
        return False
    for outer in view.parents(node):
        if isinstance(outer, cst.BinaryOperation) and isinstance(outer.operator, (cst.Add, cst.Subtract)):
            continue
        if isinstance(outer, cst.Return):
            function = view.function(outer)
            return function is not None and re.search("loss|forward|criterion|penalty", function.name.value) is not None
        if isinstance(outer, cst.Assign):
            return any(is_total(each.target) for each in outer.targets)
        return False
    return False


def is_total(node: cst.CSTNode) -> bool:
    """Whether a name says that it holds a loss."""
    return isinstance(node, cst.Name) and _TOTAL.search(code(node)) is not None
