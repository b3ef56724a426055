"""The double where: a choice whose sensitive operator is given an argument that is safe where it is not chosen."""

from __future__ import annotations

import libcst as cst

from losslint.diagnostic import Applicability
from losslint.rule import Replacement, Rewrite
from losslint.semantics.graph import Graph, Op
from losslint.semantics.spelling import respell, without_parentheses
from losslint.semantics.syntax_walk import holds
from losslint.semantics.values import Site, Value
from losslint_rules.numerics.choices import Choice
from losslint_rules.numerics.domains import Edge

_SAFE = {"div": "1", "acos": "0.0", "asin": "0.0", "atanh": "0.0", "acosh": "2.0", "logit": "0.5"}
_ELEMENTWISE = frozenset("neg mul add sub div exp abs square".split())


def safe_argument(choice: Choice, maker: Op, edge: Edge, graph: Graph) -> Rewrite | None:
    """`torch.where(c, torch.where(c, x, 1.0).log(), 0)`, where the operator is written inside the choice."""
    function = choice.op.site.unit.spell("torch.where")
    node = _argument_node(maker.site.node, maker.name)
    if choice.op.name != "where" or function is None or node is None or maker.origin.frame != choice.op.origin.frame:
        return None
    if not holds(choice.op.site.node, node) or not _is_elementwise(choice.kept, maker.value):
        return None
    condition = respell(graph, maker, choice.condition)
    if condition is None:
        return None
    argument = without_parentheses(node, maker.site.unit.code(node))
    safe = _SAFE.get(maker.name, "1.0")
    content = f"{function}({condition}, {argument}, {safe})"
    if not choice.holds:
        content = f"{function}({condition}, {safe}, {argument})"
    replacement = Replacement(Site(maker.site.unit, node), content)
    return Rewrite(Applicability.SAFE, f"use `{content}` as the argument", (replacement,))


def _argument_node(node: cst.CSTNode, name: str) -> cst.BaseExpression | None:
    """The text of a sensitive operator's argument in its own expression."""
    match node:
        case cst.BinaryOperation(left=left, operator=cst.Power()) if name == "pow":
            return left
        case cst.BinaryOperation(operator=cst.Divide(), right=right) if name == "div":
            return right
        case cst.Call(func=cst.Attribute(value=cst.Name(value="torch")), args=[first, *_]) if first.keyword is None:
            return first.value if name != "div" else None
        case cst.Call(func=cst.Attribute(value=receiver)) if name != "div":
            return receiver
    return None


def _is_elementwise(kept: Value, made: Value, depth: int = 8) -> bool:
    """Whether only element-by-element operators stand between an operator and the choice."""
    if kept.key == made.key:
        return True
    if depth == 0 or kept.origin.name not in _ELEMENTWISE:
        return False
    return any(_is_elementwise(each, made, depth - 1) for each in kept.origin.operands)
