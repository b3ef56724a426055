"""Which expressions under a log have a form in log space: softmax, sigmoid, 1 - sigmoid, 1 + exp."""

from __future__ import annotations

from dataclasses import dataclass

from losslint.semantics.values import Value

_SELECTING = frozenset(
    {
        "gather",
        "take_along_dim",
        "index_select",
        "getitem",
        "select",
        "masked_select",
        "view",
        "reshape",
        "squeeze",
        "unsqueeze",
        "flatten",
        "permute",
        "transpose",
        "contiguous",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class StableForm:
    """What the log of an expression can be written as: `function` of `argument`, negated if `negated`.

    `direct` is False where elements were selected in between, so that one call cannot replace both.
    """

    function: str
    argument: Value
    made: Value
    negated: bool = False
    direct: bool = True


def stable_form(operand: Value) -> StableForm | None:
    """The log-space form of `log(operand)`, None where there is none."""
    root, direct = operand, True
    while root.origin.name in _SELECTING:
        root, direct = root.origin.operands[0], False
    name, operands = root.origin.name, root.origin.operands
    if name == "softmax" and operands:
        return StableForm("log_softmax", operands[0], root, direct=direct and _written(operands[0], root))
    if name == "sigmoid" and operands:
        return StableForm("logsigmoid", operands[0], root, direct=direct and _written(operands[0], root))
    if name in ("sub", "rsub") and len(operands) == 2:
        left, right = operands
        if is_one(left) and right.origin.name == "sigmoid":
            argument = right.origin.operands[0]
            direct = direct and _written(argument, right)
            return StableForm("logsigmoid", argument, right, negated=True, direct=direct)
    if name == "div" and len(operands) == 2 and is_one(operands[0]):
        exponent = exp_plus_one(operands[1])
        if exponent is not None and exponent.origin.name == "neg":
            return StableForm("logsigmoid", exponent.origin.operands[0], root, direct=False)
    return None


def _written(argument: Value, made: Value) -> bool:
    """Whether the argument has source text of its own: inside an nn.Sequential it has none."""
    here, there = argument.origin.site, made.origin.site
    return here is None or there is None or here.node is not there.node


def is_one(value: Value) -> bool:
    """Whether a value is the literal 1."""
    return value.has_constant and not isinstance(value.constant, bool) and value.constant == 1


def exp_plus_one(value: Value) -> Value | None:
    """x for `1 + exp(x)` in either order, None for anything else."""
    if value.origin.name != "add" or len(value.origin.operands) != 2:
        return None
    left, right = value.origin.operands
    for one, other in ((left, right), (right, left)):
        if is_one(one) and other.origin.name == "exp":
            return other.origin.operands[0]
    return None
