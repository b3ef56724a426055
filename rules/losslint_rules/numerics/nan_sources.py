"""Which operators turn a NaN in the value into a NaN in the gradient, even where the gradient that arrives is 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from losslint.semantics.carriers import carriers
from losslint.semantics.graph import Graph
from losslint.semantics.guards import chain
from losslint.semantics.values import DType, Gradient, Value, ZeroWitness
from losslint_rules.numerics.differences import cancelling
from losslint_rules.numerics.squares import added_squares, squared

REPAIRS = frozenset({"nan_to_num", "where", "masked_fill", "masked_select", "index_put"})
_SMOOTH_LOSSES = frozenset(
    (
        "mse_loss smooth_l1_loss huber_loss binary_cross_entropy_with_logits kl_div poisson_nll_loss gaussian_nll_loss "
        "soft_margin_loss"
    ).split()
)
_SLOPE_OF_TARGET = frozenset({"kl_div"})  # t * (log(t) - x): where x is NaN its slope is -t
_SLOPE_OF_OTHER = {
    "mul": "a factor of NaN is the slope of this product",
    "div": "the slope of a quotient of NaN is NaN",
}
_CURVED = frozenset("square exp log log1p cosh sigmoid tanh softplus log_sigmoid sqrt logaddexp".split())


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The operator whose slope is not finite where its result is not, and why."""

    made: Value
    reason: str


def is_repair(value: Value) -> bool:
    """Whether a value is what is left after non-finite elements were replaced or taken out."""
    return value.origin.name in REPAIRS or (value.origin.name == "getitem" and value.origin.label == "mask")


def non_finite_slope(value: Value, graph: Graph) -> Source | None:
    """An operator beneath a value, on the way of the gradient, that can be NaN with an infinite or NaN slope."""
    for current in _beneath(value):
        name, operands = current.origin.name, current.origin.operands
        op = graph.op_of(current)
        if op is None or not operands:
            continue
        if name == "div" and len(operands) > 1 and _reaches(operands[1].zero) and not op.is_guarded(chain(operands[1])):
            return Source(current, "a quotient with a divisor of 0 has no finite slope")
        if name in ("log", "log2", "log10") and _reaches(operands[0].zero) and not op.is_guarded(chain(operands[0])):
            return Source(current, "the slope of a log at 0 is infinite")
        if name == "sqrt" or (name == "pow" and operands[1].constant == 0.5):
            base = operands[0]
            squares = squared(base) or added_squares(base) or _is_square_sum(base)
            if (squares or cancelling(base) or _reaches(base.zero)) and not op.is_guarded([base]):
                return Source(current, "the slope of a root at 0 and below is not finite")
        if name in ("acos", "asin") and (operands[0].interval.high == 1.0 or operands[0].interval.low == -1.0):
            return Source(current, f"the slope of {name} at and beyond 1 is not finite")
    return None


def _is_square_sum(base: Value) -> bool:
    return base.origin.name in ("sum", "mean") and squared(base.origin.operands[0]) is not None


def _reaches(zero: ZeroWitness | None) -> bool:
    """A named zero that no ReLU made: those write zeros into the gradient themselves."""
    return zero is not None and zero.is_named and zero.source.origin.name not in ("relu", "relu6", "clamp", "clamp_min")


def _beneath(value: Value) -> Iterator[Value]:
    """What the gradient of a value flows through, behind no other repair."""
    pending, seen = [value], {value.key}
    while pending and len(seen) < 300:
        current = pending.pop()
        yield current
        for each in carriers(current):
            if each.key not in seen and each.gradient is Gradient.CARRIES and not is_repair(each):
                seen.add(each.key)
                pending.append(each)


def nan_passed_on(value: Value, data: Value, *, is_known: bool = True) -> Source | None:
    """The operator that meets NaN in `data`, which needs no gradient, and whose slope is NaN with it.

    Where it is not known whether the NaN is in `data` or in what carries the gradient, only an operator counts whose slope
    is NaN either way: the slope of a product is its other factor, finite where that is a number. That of a divisor holds
    both.
    """
    for current in _beneath(value):
        name, operands = current.origin.name, current.origin.operands
        touched = [each for each in operands if holds_nan_of(each, data)]
        if not touched:
            continue
        if name in _SMOOTH_LOSSES and (is_known or name not in _SLOPE_OF_TARGET):
            return Source(current, f"the slope of {name} where the target is NaN is NaN")
        if name in _CURVED or squared(current) is not None:
            if any(each.gradient is Gradient.CARRIES for each in touched):
                return Source(current, f"the slope of this {'square' if squared(current) else name} of NaN is NaN")
        elif name in _SLOPE_OF_OTHER and len(operands) == 2:
            left, right = operands
            pairs = ((left, right), (right, left)) if is_known else ((left, right),) if name == "div" else ()
            if any(holds_nan_of(a, data) and b.gradient is Gradient.CARRIES for a, b in pairs):
                return Source(current, _SLOPE_OF_OTHER[name])
    return None


def holds_nan_of(value: Value, data: Value) -> bool:
    """Whether data reaches a value with its NaN: not behind a repair, a comparison or a cast to integers."""
    pending, seen = [value], {value.key}
    while pending and len(seen) < 200:
        current = pending.pop()
        if current.key == data.key:
            return True
        if is_repair(current) or current.gradient is Gradient.ZERO or _has_no_nan(current):
            continue
        for each in carriers(current):
            if each.key not in seen:
                seen.add(each.key)
                pending.append(each)
    return False


def _has_no_nan(value: Value) -> bool:
    """Whether a value is no NaN even where what it is made of is: an integer, the answer to a question."""
    return value.dtype in (DType.INT, DType.BOOL) or value.origin.name in _FINITE


_FINITE = frozenset("eq ne lt le gt ge isnan isfinite isinf compared argmax sign one_hot".split())
