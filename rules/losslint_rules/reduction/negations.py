"""Whether a function is named as a loss, and whether the code around it turns its sign: `-f(x, y)`, `1 - f(x, y)`."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.loss_names import says_loss, words
from losslint.semantics.syntax_walk import nodes_of_kind, walk

# Words for what is maximised, or for the side of a game that is.
_SCORES = frozenset(
    "reward score scores prob probability likelihood loglikelihood logprob logp lik ll elbo metric metrics gain utility "
    "entropy adversarial adv gan generator discriminator critic negative neg unlikelihood coefficient coeff coef index "
    "accuracy".split()
)


def is_named_as_loss(graph: Graph) -> bool:
    """Whether the function or its class says loss, and neither says that it is to be maximised."""
    if graph.function is None:
        return False
    names = [graph.function.name.value, graph.owner.rpartition(".")[2]]
    return any(says_loss(name) for name in names) and not any(_SCORES & set(words(name)) for name in names)


@kept_for_a_file
def is_negated_in_file(graph: Graph) -> bool:
    """Whether a call of this loss anywhere in its file, or what such a call is assigned to, stands behind a minus."""
    if graph.function is None:
        return False
    negated = [each for node in nodes_of_kind(graph.unit.module, *_MINUS) for each in _behind_minus(node)]
    calls = {_last(node.func) for each in negated for node in walk(each) if isinstance(node, cst.Call)}
    names = {node.value for each in negated for node in walk(each) if isinstance(node, cst.Name)}
    called = {graph.function.name.value}
    assigned = nodes_of_kind(graph.unit.module, cst.Assign)
    if graph.owner:
        called |= {graph.owner.rpartition(".")[2]} | _bound_to(assigned, graph.owner.rpartition(".")[2])
        called -= {"forward", "__call__"}
    return bool(called & calls) or any(_bound_to(assigned, each) & names for each in called)


_MINUS: tuple[type[cst.CSTNode], ...] = (cst.UnaryOperation, cst.BinaryOperation, cst.AugAssign)


def _behind_minus(node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    match node:
        case cst.UnaryOperation(operator=cst.Minus(), expression=expression):
            yield expression
        case cst.BinaryOperation(operator=cst.Subtract(), right=right):
            yield right
        case cst.AugAssign(operator=cst.SubtractAssign(), value=value):
            yield value
        case cst.BinaryOperation(left=cst.UnaryOperation(operator=cst.Minus()), operator=cst.Multiply(), right=right):
            yield right


def _bound_to(assigned: list[cst.Assign], called: str) -> set[str]:
    """The names that are assigned what holds a call of `called`."""
    return {
        _last(target.target)
        for node in assigned
        if any(isinstance(each, cst.Call) and _last(each.func) == called for each in walk(node.value))
        for target in node.targets
    } - {""}


def _last(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""
