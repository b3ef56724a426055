"""Policy losses: log-probabilities of actions, and the critic's values that weigh them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.values import Gradient, Value

_VIEWS = frozenset(
    "squeeze unsqueeze view reshape flatten to float type type_as expand expand_as transpose permute contiguous stack cat".split()
)
_PICKS = _VIEWS | {
    "gather",
    "getitem",
    "select",
    "sum",
    "neg",
    "index_select",
    "take_along_dim",
    "masked_select",
    "clamp",
}
_POINTWISE = frozenset("add sub rsub mul div neg clamp clamp_min clamp_max tanh relu".split())
_FITS = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


_CRITIC = frozenset("value values baseline baselines critic critics v vf vpred vpreds".split())
_GIVEN = frozenset(
    "return returns reward rewards target targets goal label labels old next advantage advantages".split()
)


def is_score(value: Value) -> bool:
    """Whether a value is the log-probability of something drawn, or the ratio of two such probabilities."""
    for _ in range(30):
        name, operands = value.origin.name, value.origin.operands
        if value.gradient is not Gradient.CARRIES:
            return False
        if name == "exp":
            difference = operands[0]
            return difference.origin.name == "sub" and is_score(difference.origin.operands[0])
        if name == "log_softmax" or (name == "method" and value.origin.label == "log_prob"):
            return True
        if _says_log_probability(value):
            return True
        if name not in _PICKS or not operands:
            return False
        value = operands[0]
    return False


def _says_log_probability(value: Value) -> bool:
    """Whether a parameter, or an entry of one, is called `log_probs`, `logp`, `action_log_prob`."""
    if value.origin.name not in ("parameter", "attribute", "unknown"):
        return False
    said = words(value.origin.label)
    return bool({"logprob", "logprobs", "logp", "logpi", "logpac"} & set(said)) or any(
        first == "log" and second in ("prob", "probs", "pi", "p", "probability", "probabilities")
        for first, second in pairwise(said)
    )


def unviewed(value: Value) -> Value:
    """A value without the views and casts of it."""
    for _ in range(20):
        if value.origin.name not in _VIEWS or not value.origin.operands:
            return value
        value = value.origin.operands[0]
    return value


def fitted_values(graph: Graph) -> dict[int, Op]:
    """What the loss fits to something by a regression, by its key without views: the two sides of mse_loss and of a square."""
    found: dict[int, Op] = {}
    for op in graph.named(*_FITS, "pow", "square"):
        if not graph.differentiates(op.value):
            continue
        sides = op.operands[:2] if op.name in _FITS else _squared_difference(op)
        for side in sides:
            if side.gradient is Gradient.CARRIES:
                found.setdefault(unviewed(side).key, op)
    return found


def _squared_difference(op: Op) -> tuple[Value, ...]:
    squared = unviewed(op.operands[0])
    exponent = op.keywords.get("exponent")
    if squared.origin.name != "sub" or (op.name == "pow" and (exponent is None or exponent.constant not in (2, 2.0))):
        return ()
    return squared.origin.operands


def weighed_difference(weight: Value, fitted: dict[int, Op], scope: Mapping[str, Value]) -> Value | None:
    """The critic's value through whose difference to something a gradient flows from a weight."""
    pending, seen = [weight], 0
    while pending and seen < 60:
        current = unviewed(pending.pop())
        seen += 1
        if current.gradient is not Gradient.CARRIES or current.origin.name not in _POINTWISE:
            continue
        for operand in current.origin.operands:
            value = unviewed(operand)
            fits = value.key in fitted and operand.gradient is Gradient.CARRIES
            if current.origin.name == "sub" and fits and _is_critics(value, scope):
                return value
            pending.append(operand)
    return None


def _is_critics(value: Value, scope: Mapping[str, Value]) -> bool:
    """Whether a value is what a critic says: by its name, or because a network made it. Returns and rewards are given."""
    names = [name for name, bound in scope.items() if unviewed(bound).key == value.key]
    said = {word for name in (value.origin.label, *names) for word in words(name)}
    if said & _GIVEN:
        return False
    return bool(said & _CRITIC) or (value.origin.name == "unknown" and value.origin.label.startswith("self."))
