"""The zero witness: which operators make a value that can be exactly 0, what passes it on and what kills it.

A witness names its source. `collective` separates a zero that all elements can share (an empty mask, inactive
hinges, equal inputs) from one that single elements reach by rounding (a softmax that underflows): only the first
survives a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

from losslint.semantics.empty_masks import comparison_witness, depends_on_input
from losslint.semantics.guards import COMPARISONS, chain, closure
from losslint.semantics.intervals import contains_zero
from losslint.semantics.length_masks import marks_positions, says_choice
from losslint.semantics.loss_names import words
from losslint.semantics.operators import Interval
from losslint.semantics.values import Certainty, DType, Kind, Role, Value, ZeroWitness

MADE = {
    "softmax": (
        "a softmax output underflows to exactly 0 once one logit leads by about 104 (17 in half precision)",
        False,
    ),
    "softmin": (
        "a softmin output underflows to exactly 0 once one logit leads by about 104 (17 in half precision)",
        False,
    ),
    "sigmoid": ("a sigmoid output underflows to exactly 0 below about -88 (-17 in half precision)", False),
    "hardsigmoid": ("a hard sigmoid is exactly 0 below -3", True),
    "relu": ("a ReLU output is exactly 0 wherever its input is negative", True),
    "relu6": ("a ReLU6 output is exactly 0 wherever its input is negative", True),
    "abs": ("an absolute value is 0 where its argument is 0", True),
    "one_hot": ("a one-hot encoding is 0 for every class but one", False),
    "count_nonzero": ("the count is 0 when nothing is selected", True),
}
LIKELY_MADE = {
    "norm": "a norm is 0 for an all-zero vector",
    "linalg_vector_norm": "a norm is 0 for an all-zero vector",
    "linalg_norm": "a norm is 0 for an all-zero vector",
    "std": "a standard deviation is 0 when all elements are equal",
    "var": "a variance is 0 when all elements are equal",
}
_PASS = frozenset(
    (
        "neg gather take_along_dim index_select masked_select select getitem detach clone item tolist sqrt "
        "cumprod prod amin min flip roll nan_to_num tril triu diagonal repeat_interleave cumsum all_reduce"
    ).split()
)
_COLLECT = frozenset("sum mean nansum nanmean amax max median logsumexp_ einsum matmul dot".split())


def zero_witness(
    name: str,
    passes: bool,
    arguments: Mapping[str, Value],
    result: Interval,
    made: Value,
) -> ZeroWitness | None:
    """The witness of `made`, the result of the operator `name`; `passes` is True for views and casts."""
    if not contains_zero(result):
        return None
    operands = list(arguments.values())
    first = operands[0] if operands else None
    if name in MADE and first is not None:
        reason, collective = MADE[name]
        certainty = _certainty_of_root(first) if name == "abs" else Certainty.PROVEN
        return ZeroWitness(made, reason, certainty, collective)
    if name in LIKELY_MADE and first is not None and first.kind is not Kind.NUMBER:
        return ZeroWitness(made, LIKELY_MADE[name], min(Certainty.LIKELY, _certainty_of_root(first)))
    if name in COMPARISONS:
        return comparison_witness(name, operands, made)
    if name in _BY_NAME:
        return _BY_NAME[name](arguments, made)
    if passes or name in _PASS:
        return first.zero if first is not None else None
    if name in _COLLECT and first is not None and first.zero is not None:
        return _collected(name, first, made)
    return None


def _certainty_of_root(value: Value) -> Certainty:
    """How sure it is that all of a value can be 0: inputs and differences can, a network's features rarely are.

    A spectrum is 0 in silence, and what its mean was taken from where it is constant: both are likely.
    """
    pending, budget, certainty = [value], 40, Certainty.PROVEN
    while pending:
        current = pending.pop()
        name, operands = current.origin.name, current.origin.operands
        budget -= 1
        if name in ("parameter", "constant", "setting"):
            continue
        if (operands and (name in _SPECTRA or current.origin.label.removesuffix("()") in _SPECTRA)) or _is_centred(
            current
        ):
            pending.append(operands[0])
            certainty = Certainty.LIKELY
        elif budget < 0 or name not in _ELEMENTWISE or not operands:
            return Certainty.POSSIBLE
        else:
            pending.extend(operands)
    return certainty


def _is_centred(value: Value) -> bool:
    """`x - x.mean()`."""
    operands = value.origin.operands
    if value.origin.name != "sub" or len(operands) != 2 or operands[1].origin.name != "mean":
        return False
    return operands[1].origin.operands[0].key == operands[0].key


_SPECTRA = frozenset("torch.stft torch.fft.fft torch.fft.rfft torch.fft.fft2 torch.fft.rfft2 torch.fft.fftn".split())
_ELEMENTWISE = frozenset(
    (
        "add sub mul neg view reshape flatten permute transpose squeeze float unsqueeze getitem contiguous to "
        "softmax sigmoid abs detach relu expand select gather index_select masked_select double phi"
    ).split()
)


def _collected(name: str, first: Value, made: Value) -> ZeroWitness | None:
    zero = first.zero
    if zero is None or not zero.collective or name in {"einsum", "matmul", "dot", "max", "amax", "median"}:
        return None
    if name in {"mean", "nanmean"} and _is_made_of_prediction(zero.source):
        return None  # a network's output is never 0 as a whole
    is_mask = DType.BOOL in (first.dtype, zero.source.dtype)
    if name in {"mean", "nanmean"} and not is_mask and zero.certainty is not Certainty.PROVEN:
        return None
    if name == "sum" and made.rank == 0 and marks_positions(zero.source):
        return replace(zero, certainty=Certainty.POSSIBLE)  # no sequence of a batch would have a length
    return zero


def _is_made_of_prediction(source: Value) -> bool:
    """Whether a square or an absolute value is that of one prediction, through views alone."""
    if source.origin.name not in ("square", "pow", "mul", "abs") or not source.origin.operands:
        return False
    value = source.origin.operands[0].beneath(_ELEMENTWISE - {"add", "sub", "mul"})
    return value.origin.name == "parameter" and value.role is Role.PREDICTION


def _of_product(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    left, right = _two(arguments)
    if left.key == right.key and left.kind is not Kind.NUMBER:
        return _of_square(left, made)
    return strongest(value.zero for value in (left, right))


def _of_square(base: Value, made: Value) -> ZeroWitness:
    """A square is 0 where its base is, for all elements at once only if the base can be."""
    collective = base.zero is None or base.zero.collective or base.zero.certainty is Certainty.POSSIBLE
    return ZeroWitness(made, "a square is 0 where its argument is 0", _certainty_of_root(base), collective)


def _of_power(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    base, exponent = _two(arguments)
    if exponent.interval.low < 0:
        return None
    if exponent.constant in (2, 2.0, 4) and base.zero is None and base.kind is not Kind.NUMBER:
        return ZeroWitness(made, "a square is 0 where its argument is 0", _certainty_of_root(base))
    return base.zero


def _of_sum_of_two(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    """Two non-negative values add to 0 only where both are 0."""
    left, right = _two(arguments)
    if min(left.interval.low, right.interval.low) < 0 or left.zero is None or right.zero is None:
        return None
    if left.zero.source.key != right.zero.source.key and _share_a_source(left.zero.source, right.zero.source):
        return None  # `x.sum() + (1 - x).sum()`: what makes one 0 keeps the other from it
    return min((left.zero, right.zero), key=lambda zero: (zero.certainty, zero.collective))


def _share_a_source(left: Value, right: Value) -> bool:
    return bool(_beneath(left) & _beneath(right))


def _beneath(value: Value, limit: int = 200) -> set[int]:
    found: set[int] = set()
    pending = [value]
    while pending and len(found) < limit:
        current = pending.pop()
        if current.key not in found and not current.has_constant:
            found.add(current.key)
            pending.extend(current.origin.operands)
    return found


def _of_difference(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    """constant - x where x reaches the constant: `1 - p`."""
    left, right = _two(arguments)
    if not left.has_constant or right.interval.high != left.interval.high or right.interval.low == right.interval.high:
        return None
    if right.kind is Kind.NUMBER:
        return None
    reason = f"`{left.constant} - x` is exactly 0 where x reaches or rounds to {left.constant}"
    certainty = Certainty.LIKELY if right.origin.name == "parameter" else Certainty.PROVEN
    return ZeroWitness(made, reason, certainty, collective=False)


def _of_clamp(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    operands = list(arguments.values())
    limit = arguments.get("min") or (operands[1] if len(operands) > 1 and "max" not in arguments else None)
    if limit is None or limit.kind is Kind.NONE:
        return operands[0].zero
    if limit.constant in (0, 0.0) and limit.has_constant and not limit.is_default:
        certainty = Certainty.POSSIBLE if _is_determinant(operands[0]) or _is_hull(operands[0]) else Certainty.PROVEN
        return ZeroWitness(made, "clamping at 0 makes exact zeros", certainty)
    return None


def _is_determinant(value: Value) -> bool:
    """`a * b - c * c`, which is clamped for what rounding leaves: nothing says that it reaches 0."""
    operands = value.origin.operands
    if value.origin.name != "sub" or len(operands) != 2:
        return False
    first = operands[0].origin
    product = first.name == "mul" and first.operands[0].key != first.operands[-1].key
    return product and operands[1].origin.name in ("mul", "pow", "square")


def _is_hull(value: Value) -> bool:
    """`max(a, b) - min(c, d)`, what encloses two boxes or intervals: 0 only where both are empty."""
    operands = value.origin.operands
    if value.origin.name != "sub" or len(operands) != 2:
        return False
    left, right = (each.origin.operands[0] if each.origin.name == "getitem" else each for each in operands)
    return left.origin.name in ("max", "maximum", "fmax") and right.origin.name in ("min", "minimum", "fmin")


def _of_larger(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    left, right = _two(arguments)
    if left.zero is not None and right.zero is not None:
        return left.zero
    return None


def _of_choice(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    branches = [arguments[name] for name in ("input", "self", "other", "value") if name in arguments]
    condition = arguments.get("condition") or arguments.get("mask")
    killed = closure(condition) if condition is not None else frozenset()
    found: list[ZeroWitness | None] = []
    for branch in branches:
        if branch.has_constant and branch.constant == 0 and not isinstance(branch.constant, bool):
            everywhere = condition is None or depends_on_input(condition)
            found.append(ZeroWitness(made, "the other branch is exactly 0", Certainty.LIKELY, everywhere))
        elif not any(value.key in killed for value in chain(branch)):
            found.append(branch.zero)
    best = strongest(iter(found))
    if best is not None and None in found and best.source is not made:
        return replace(best, certainty=Certainty.POSSIBLE)  # the choice would have to fall on the zeros alone
    return best


def _of_quotient(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    dividend, divisor = _two(arguments)
    if dividend.zero is None or (
        divisor.zero is not None and _share_a_source(dividend.zero.source, divisor.zero.source)
    ):
        return None  # what makes the dividend 0 makes the quotient NaN
    return dividend.zero


def _of_exponential(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    """exp of log-probabilities is what a softmax or sigmoid gives."""
    value = next(iter(arguments.values()))
    value = value.beneath(_SELECTS)
    if value.origin.name not in ("log_softmax", "log_sigmoid"):
        return None
    reason, collective = MADE["softmax" if value.origin.name == "log_softmax" else "sigmoid"]
    return ZeroWitness(made, reason, Certainty.PROVEN, collective)


_SELECTS = frozenset("gather take_along_dim getitem select view reshape squeeze unsqueeze flatten float".split())


def _of_joined(arguments: Mapping[str, Value], made: Value) -> ZeroWitness | None:
    sequence = next(iter(arguments.values()))
    members = sequence.elements if isinstance(sequence.elements, tuple) else ()
    found = strongest(member.zero for member in members)
    return None if found is None else ZeroWitness(found.source, found.reason, found.certainty, collective=False)


def _two(arguments: Mapping[str, Value]) -> tuple[Value, Value]:
    left, right, *_ = [*arguments.values(), *arguments.values()]
    return left, right


_BY_NAME: dict[str, Callable[[Mapping[str, Value], Value], ZeroWitness | None]] = {
    "mul": _of_product,
    "square": lambda arguments, made: _of_square(next(iter(arguments.values())), made),
    "pow": _of_power,
    "float_power": _of_power,
    "add": _of_sum_of_two,
    "sub": _of_difference,
    "rsub": _of_difference,
    "clamp": _of_clamp,
    "clamp_min": _of_clamp,
    "clamp_max": lambda arguments, made: next(iter(arguments.values())).zero,
    "maximum": _of_larger,
    "fmax": _of_larger,
    "minimum": lambda arguments, made: strongest(value.zero for value in arguments.values()),
    "where": _of_choice,
    "masked_fill": _of_choice,
    "div": _of_quotient,
    "exp": _of_exponential,
    "cat": _of_joined,
    "stack": _of_joined,
}


def strongest(witnesses: Iterator[ZeroWitness | None]) -> ZeroWitness | None:
    """The most certain of several witnesses."""
    present = [witness for witness in witnesses if witness is not None]
    return max(present, key=lambda witness: (witness.certainty, witness.collective)) if present else None


def parameter_witness(name: str, value: Value, probability: bool) -> ZeroWitness | None:
    """What the name of a parameter says of zeros: probabilities reach 0, masks may select nothing."""
    if probability and not {"mean", "avg", "average"} & set(words(name)):
        return ZeroWitness(
            value,
            f"`{name}` is named as a probability, and probabilities reach exactly 0",
            Certainty.LIKELY,
            collective=False,
        )
    if value.role is Role.MASK:
        certainty = Certainty.LIKELY if says_choice(name) else Certainty.POSSIBLE
        return ZeroWitness(value, f"`{name}` is named as a mask and may select nothing", certainty)
    if value.kind is Kind.TENSOR:
        return ZeroWitness(value, f"nothing here says that `{name}` cannot be 0", Certainty.POSSIBLE, collective=False)
    return None
