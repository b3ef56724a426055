"""Tests of tensors that provably hold one answer an element."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.measures import sizes_of
from losslint.semantics.operators import Shape, operators
from losslint.semantics.parameters import defaults_to_none
from losslint.semantics.roles import kind_by_annotation
from losslint.semantics.sizes import is_pack
from losslint.semantics.values import Kind, Value
from losslint_rules.usage.tensor_proof import AMBIGUOUS


def has_elements(value: Value) -> bool:
    """Whether a tensor provably has a dimension that is not known to be 1."""
    sizes = sizes_of(value) if value.is_tensor else None
    own = f"{value.key}["
    return any(size != 1 and not is_pack(size) and not str(size).startswith(own) for size in sizes or ())


def is_none_or_tensor(value: Value, graph: Graph) -> bool:
    """Whether a value is None or else a tensor that is not known to be a scalar."""
    if not value.is_tensor or value.rank == 0:
        return False
    if defaults_to_none(value):
        return _is_annotated(value) or _has_tensor_methods(value, graph)
    made = [each for each in value.alternatives if each.kind is not Kind.NONE]
    return 0 < len(made) < len(value.alternatives) and all(each.origin.name in operators() for each in made)


def _is_annotated(value: Value) -> bool:
    """Whether the annotation of a parameter says that it is a tensor: `Tensor | None`."""
    node = value.origin.site.node if value.origin.site is not None else None
    return isinstance(node, cst.Param) and kind_by_annotation(node.annotation) is Kind.TENSOR


def _has_tensor_methods(value: Value, graph: Graph) -> bool:
    """Whether an operator is called of it that lists, modules and numbers do not have."""
    return any(
        isinstance(op.site.node, cst.Call)
        and op.name not in AMBIGUOUS
        and op.name in operators()
        and operators()[op.name].shape not in (Shape.FACTORY, Shape.JOIN)  # these take lists and numbers too
        and op.operands[0].key == value.key
        for op in graph.uses(value)
        if op.operands and op.origin.site is not None
    )
