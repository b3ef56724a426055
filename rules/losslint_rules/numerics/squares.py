"""Squares and their sums, and what makes a value exactly 0 without anybody meaning it."""

from __future__ import annotations

from losslint.semantics.graph import ancestors
from losslint.semantics.role_names import says_epsilon
from losslint.semantics.values import DType, Kind, Role, Value


def squared(value: Value) -> Value | None:
    """x for x ** 2, x.pow(2), x.square() and x * x."""
    name, operands = value.origin.name, value.origin.operands
    if name == "square":
        return operands[0]
    if name in ("pow", "float_power") and operands[1].constant == 2:
        return operands[0]
    if name == "mul" and len(operands) == 2 and operands[0].key == operands[1].key:
        return operands[0]
    return None


def summands(value: Value) -> list[Value]:
    """The terms of a chain of additions, scaling of the whole left aside."""
    name, operands = value.origin.name, value.origin.operands
    if name == "add" and len(operands) == 2:
        return [each for operand in operands for each in summands(operand)]
    if name in ("mul", "div") and len(operands) == 2 and operands[1].has_constant:
        return summands(operands[0])
    return [value]


def added_squares(total: Value) -> list[Value]:
    """a and b for `a ** 2 + b ** 2` and sums of such squares; empty where another kind of summand keeps the sum from 0."""
    bases = [squared(each.origin.operands[0] if each.origin.name == "sum" else each) for each in summands(total)]
    found = [base for base in bases if base is not None]
    return found if len(found) == len(bases) else []


def vanishes(value: Value) -> bool:
    """Whether equal, constant or silent inputs make a value exactly 0.

    A difference is 0 where the two are equal; a linear map of such a thing, a slice of it or a part of a spectrum too.
    What is unknown, and what an epsilon was added to, is not.
    """
    pending, seen = [value], 0
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        name, operands = current.origin.name, current.origin.operands
        if name == "parameter" and _is_data(current):
            return True
        if name == "sub" and len(operands) == 2 and not any(_is_setting(each) for each in operands):
            return True
        if name in ("add", "sub", "rsub") and any(_is_setting(each) for each in operands):
            continue
        if (name == "unknown" and current.origin.label.removesuffix("()") in _LINEAR) or name in _KEEPS_ZERO:
            pending.extend(operands[:1])
        elif name in ("mul", "phi"):
            pending.extend(operands)
    return False


def parts_two_inputs(value: Value) -> bool:
    """Whether a value is a difference of what comes of different inputs: `student - teacher`, not `x[1:] - x[:-1]`."""
    value = value.beneath(_VIEWS)
    if value.origin.name != "sub" or len(value.origin.operands) != 2:
        return False
    left, right = (_inputs(each) for each in value.origin.operands)
    return bool(left) and bool(right) and not left & right


def _inputs(value: Value) -> set[int]:
    return {each.key for each in ancestors([value]) if each.origin.name in ("parameter", "unknown", "attribute")}


def is_learned(value: Value) -> bool:
    """Whether a value is a view of what a module keeps: no training step leaves a whole row of a weight exactly 0."""
    value = value.beneath(_VIEWS)
    if value.origin.name == "phi":  # what a setting may leave out is None then
        return all(is_learned(each) for each in value.alternatives if each.kind is not Kind.NONE)
    return value.origin.name in ("attribute", "parameter_tensor")


def _is_data(value: Value) -> bool:
    """Whether a parameter of the loss is a tensor of data, and not a small number a caller gives."""
    if value.dtype is DType.INT or says_epsilon(value.origin.label):
        return False
    return value.kind is Kind.TENSOR or value.role in (Role.PREDICTION, Role.TARGET)


def _is_setting(value: Value) -> bool:
    return value.has_constant or value.role is Role.CONFIG or value.kind is Kind.NUMBER


_KEEPS_ZERO = frozenset(
    (
        "div neg abs getitem select narrow index_select gather masked_select view reshape flatten permute transpose t "
        "squeeze unsqueeze expand contiguous clone to float double real imag conv1d conv2d avg_pool2d interpolate pad "
        "sum mean tril triu diagonal square pow sign unfold matmul mm bmm"
    ).split()
)
_VIEWS = frozenset(
    "view reshape flatten permute transpose t squeeze unsqueeze contiguous clone to float double".split()
)
_LINEAR = frozenset(
    (
        "torch.diff torch.fft.fft torch.fft.fft2 torch.fft.fftn torch.fft.rfft torch.fft.rfft2 torch.fft.rfftn "
        "torch.fft.fftshift torch.stft torch.view_as_real torch.nn.functional.conv3d torch.view_as_complex"
    ).split()
)
