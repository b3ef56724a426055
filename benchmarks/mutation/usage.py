"""torch's own losses given what they do not take."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from mutation.matching import called, is_named, keyword, operation
from mutation.mutants import mutator, replaced
from mutation.view import View, code


def _member(call: cst.Call, view: View) -> str:
    """`nn.CrossEntropyLoss` where a call is that of a member of self which was made by it."""
    if not is_named(call.func, r"^self\.") or not call.args:
        return ""
    around = next((each for each in view.parents(call) if isinstance(each, cst.ClassDef)), None)
    made = re.search(rf"{re.escape(code(call.func))} = (nn\.\w+)\(", code(around.body) if around is not None else "")
    return made[1] if made is not None else ""


@mutator(cst.Call)
def softmax_into_cross_entropy(call: cst.Call, view: View) -> Iterator[str]:
    """`F.cross_entropy(x, y)` -> `F.cross_entropy(torch.softmax(x, dim=1), y)`"""
    if operation(call, "cross_entropy") or _member(call, view) == "nn.CrossEntropyLoss":
        yield called(call, (_wrapped("torch.softmax({}, dim=1)", call.args[0]), *call.args[1:]))


@mutator(cst.Call)
def sigmoid_into_logits_loss(call: cst.Call, view: View) -> Iterator[str]:
    """`F.binary_cross_entropy_with_logits(x, y)` -> `...(torch.sigmoid(x), y)`"""
    if operation(call, "binary_cross_entropy_with_logits") or _member(call, view) == "nn.BCEWithLogitsLoss":
        yield called(call, (_wrapped("torch.sigmoid({})", call.args[0]), *call.args[1:]))


def _wrapped(text: str, argument: cst.Arg) -> cst.Arg:
    return argument.with_changes(value=cst.parse_expression(text.format(code(argument.value))))


@mutator(cst.Call)
def sigmoid_then_bce(call: cst.Call, view: View) -> Iterator[str]:
    """`F.binary_cross_entropy_with_logits(x, y)` -> `F.binary_cross_entropy(torch.sigmoid(x), y)`"""
    found = operation(call, "binary_cross_entropy_with_logits")
    if found and found.argument("pos_weight") is None:
        yield found.again(f"torch.sigmoid({code(found.subject)})", name="binary_cross_entropy")


@mutator(cst.Call)
def logits_into_bce(call: cst.Call, view: View) -> Iterator[str]:
    """`F.binary_cross_entropy_with_logits(x, y)` -> `F.binary_cross_entropy(x, y)`"""
    if found := operation(call, "binary_cross_entropy_with_logits"):
        yield found.again(rest=found.without(found.argument("pos_weight")), name="binary_cross_entropy")


@mutator(cst.Call)
def arguments_swapped(call: cst.Call, view: View) -> Iterator[str]:
    """`F.kl_div(log_p, q)` -> `F.kl_div(q, log_p)`, and so for every loss of torch"""
    is_loss = re.search(r"^F\.\w*(loss|entropy|kl_div)", code(call.func)) or _member(call, view).endswith("Loss")
    if is_loss and len(call.args) >= 2 and call.args[1].keyword is None:
        first, second = call.args[0], call.args[1]
        yield called(call, [second, first, *call.args[2:]])


@mutator(cst.Call)
def log_forgotten(call: cst.Call, view: View) -> Iterator[str]:
    """`F.log_softmax(x, dim=1)` -> `F.softmax(x, dim=1)`, `F.logsigmoid(x)` -> `F.sigmoid(x)`"""
    if found := operation(call, "log_softmax"):
        yield found.again(name="softmax")
    if found := operation(call, "logsigmoid"):
        yield f"torch.sigmoid({code(found.subject)})"


@mutator(cst.Call)
def log_taken_twice(call: cst.Call, view: View) -> Iterator[str]:
    """`F.softmax(x, dim=1)` -> `F.log_softmax(x, dim=1)`, where probabilities are wanted"""
    if found := operation(call, "softmax"):
        yield found.again(name="log_softmax")


@mutator(cst.Call)
def activation_forgotten(call: cst.Call, view: View) -> Iterator[str]:
    """`torch.sigmoid(x)`, `F.softmax(x, dim=1)` and `self.softmax(x)` -> `x`"""
    if found := operation(call, "sigmoid", "softmax"):
        yield code(found.subject)
    elif _member(call, view) in ("nn.Softmax", "nn.Sigmoid", "nn.LogSoftmax"):
        yield code(call.args[0].value)


@mutator(cst.Call)
def log_target_forgotten(call: cst.Call, view: View) -> Iterator[str]:
    """`F.kl_div(p, q, log_target=True)` -> `F.kl_div(p, q)`"""
    if found := keyword(call, "log_target"):
        yield called(call, [each for each in call.args if each is not found])


@mutator(cst.BinaryOperation)
def signs_as_labels(node: cst.BinaryOperation, view: View) -> Iterator[str]:
    """`2 * y - 1` -> `y`: labels of 0 and 1 where -1 and 1 are wanted"""
    if not isinstance(node.operator, cst.Subtract) or code(node.right) != "1":
        return
    if isinstance(node.left, cst.BinaryOperation) and code(node.left.left) == "2":
        yield code(node.left.right)


@mutator(cst.Call)
def normalized_over_batch(call: cst.Call, view: View) -> Iterator[str]:
    """`F.softmax(x, dim=1)` -> `F.softmax(x, dim=0)`"""
    found = operation(call, "softmax", "log_softmax", "normalize", "logsumexp")
    dim = found.argument("dim", None if found.name == "normalize" else 0) if found else None
    if dim is not None and code(dim.value) in ("1", "-1"):
        yield replaced(call, dim.value, "0")


@mutator(cst.Call)
def normalize_forgotten(call: cst.Call, view: View) -> Iterator[str]:
    """`F.normalize(x, dim=1)` -> `x`"""
    if found := operation(call, "normalize"):
        yield code(found.subject)
