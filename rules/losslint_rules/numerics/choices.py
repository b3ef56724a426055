"""Choices between values: `torch.where`, `masked_fill`, masked writes, boolean indexing and multiplication by a mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.semantics.graph import Graph, Op
from losslint.semantics.guards import COMPARISONS
from losslint.semantics.values import DType, Kind, Role, Value
from losslint_rules.numerics.domains import BELOW_ZERO, Edge
from losslint_rules.numerics.substitution import is_shifted, is_true_at, point

MARGIN = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """`kept` is taken where `condition` is `holds`, and left out elsewhere; `by_product` where it is multiplied by 0."""

    op: Op
    kept: Value
    condition: Value
    holds: bool
    by_product: bool = False

    def leaves_out(self, edge: Edge) -> bool:
        """Whether the condition fails exactly where an operator's argument is at the edge of its domain."""
        return is_true_at(self.condition, point(edge.argument, edge.at)) is (not self.holds)

    def is_wide_around(self, edge: Edge) -> bool:
        """Whether the condition leaves out much more than the edge of the domain."""
        return all(self.leaves_out(Edge(edge.argument, edge.at + step)) for step in (-MARGIN, MARGIN))

    def starts_elsewhere(self, edge: Edge) -> bool:
        """Whether the condition turns well inside the domain: it was written for something else than its edge."""
        inside = Edge(edge.argument, MARGIN if edge.at == BELOW_ZERO else edge.at)
        return self.is_wide_around(inside) and (edge.at == BELOW_ZERO or is_shifted(edge.argument))


def choices(op: Op) -> Iterator[Choice]:
    """The values an operator chooses by a condition."""
    arguments = op.keywords
    if op.name == "where" and "condition" in arguments:
        for name, holds in (("input", True), ("other", False)):
            if name in arguments:
                yield Choice(op, arguments[name], arguments["condition"], holds)
    elif op.name == "masked_fill" and "mask" in arguments:
        yield Choice(op, op.operands[0], arguments["mask"], False)
    elif op.name == "masked_select" and "mask" in arguments:
        yield Choice(op, op.operands[0], arguments["mask"], True)
    elif op.name == "getitem" and op.origin.label == "mask":
        for index in op.operands[1:]:
            yield Choice(op, op.operands[0], index, True)
    elif op.name == "index_put":
        for index in op.operands[2:]:
            yield Choice(op, op.operands[0], index, False)
    elif op.name == "mul" and len(op.operands) == 2:
        for mask, value in (op.operands, op.operands[::-1]):
            if is_zero_one(mask):
                yield Choice(op, value, mask, True, by_product=True)


def is_zero_one(value: Value) -> bool:
    """Whether a value is 0 or 1 by its making: a comparison, a one-hot code, products and complements of those."""
    name, operands = value.origin.name, value.origin.operands
    if value.dtype is DType.BOOL and (name in COMPARISONS or name == "compared" or value.kind is Kind.TENSOR):
        return True
    if name == "one_hot":
        return True
    if name in _KEEPS and operands:
        return is_zero_one(operands[0])
    if name == "sub" and len(operands) == 2 and operands[0].has_constant and operands[0].constant == 1:
        return is_zero_one(operands[1])
    if name in ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"):
        return any(is_zero_one(each) for each in operands)
    return name == "mul" and len(operands) == 2 and all(is_zero_one(each) for each in operands)


_KEEPS = frozenset(
    (
        "float to long int double half type_as unsqueeze squeeze view reshape expand expand_as t transpose permute detach "
        "contiguous clone flatten getitem gather select tril triu"
    ).split()
)


def is_mask(value: Value) -> bool:
    """Whether a value is 0 or 1 by its making, or a parameter that is named as a mask."""
    return is_zero_one(value) or (value.role is Role.MASK and value.origin.name == "parameter")


def is_left_out(graph: Graph, op: Op, edge: Edge) -> bool:
    """Whether every way from an operator to the loss goes through a choice that leaves the edge of its domain out."""
    pending, seen = [op.value], 0
    while pending:
        value = pending.pop()
        uses = [each for each in graph.uses(value) if graph.matters(each.value) or each in graph.returns]
        seen += 1
        if not uses or seen > 30:
            return False
        for use in uses:
            if any(each.kept.key == value.key and each.leaves_out(edge) for each in choices(use)):
                continue
            if use.name not in _ELEMENTWISE:
                return False
            pending.append(use.value)
    return True


_ELEMENTWISE = frozenset("neg mul div add sub pow exp abs square clamp squeeze unsqueeze view reshape".split())
