"""Which tests on the way to an operator ask for the device, for CUDA, or for a flag."""

from __future__ import annotations

import re

import libcst as cst

from losslint.semantics.graph import Condition, Op, ancestors
from losslint.semantics.names import dotted
from losslint.semantics.values import Site, Value

_WORDS = ("cuda", "gpu", "device", "cpu", "mps")
_FLAGS = frozenset({"setting", "attribute", "parameter"})


def asks_for_device(op: Op) -> bool:
    """Whether a test of the device, of CUDA or of a flag named after them decides the path."""
    return any(names_a_device(condition) for condition in op.conditions)


def asks_for_a_flag(op: Op) -> bool:
    """Whether the truth of a setting decides the path, whatever it is called: `if self.on:`."""
    return any(
        condition.is_configuration and condition.test.origin.name in _FLAGS and not condition.test.is_tensor
        for condition in op.conditions
    )


def names_a_device(condition: Condition) -> bool:
    """Whether a test speaks of devices, in what it is computed from or as it is written."""
    if condition.site is not None and _NAMES.search(_written(condition.site)):
        return True
    return any(
        word in f"{value.origin.label} {value.origin.name}".lower()
        for value in ancestors([condition.test])
        for word in _WORDS
    )


def _written(site: Site) -> str:
    node = site.node
    return site.unit.code(node.test if isinstance(node, (cst.If, cst.IfExp, cst.While)) else node).lower()


_NAMES = re.compile("|".join(_WORDS))


def followed_by_current_gpu(op: Op) -> str | None:
    """The tensor of which `is_cuda` alone decides that an operator takes the current GPU, as it is written; None for others.

    The test is on the way to the operator, or chooses the device that it is given.
    """
    if any("cuda.device" in each.origin.label for context in op.contexts for each in ancestors([context])):
        return None  # `with torch.cuda.device_of(x):` makes the GPU of x the current one
    asking = [condition.site.node for condition in op.conditions if condition.site and names_a_device(condition)]
    asking += [
        each.origin.site.node
        for value in _arguments(op.value)
        for each in ancestors([value])
        if each.origin.name == "phi" and each.origin.site is not None
    ]
    asked = [_asked_for_cuda(node) for node in asking]
    return next(iter(asked), None) if None not in asked else None


def _arguments(value: Value) -> list[Value]:
    given = (*value.origin.operands[1:], *value.origin.keywords.values())
    return [each for each in given if not each.is_tensor]


def _asked_for_cuda(node: cst.CSTNode) -> str | None:
    """`x` of `if x.is_cuda:` and of `... if x.is_cuda else ...`."""
    test = node.test if isinstance(node, (cst.If, cst.IfExp)) else node
    match test:
        case cst.Attribute(value=tensor, attr=cst.Name(value="is_cuda")):
            return dotted(tensor)
    return None
