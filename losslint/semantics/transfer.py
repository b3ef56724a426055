"""What one operator does to what is known: range, gradient, shape, dtype, device, alias and zero witness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from losslint.semantics import intervals
from losslint.semantics.carriers import TAKE_AFTER
from losslint.semantics.comprehensions import SPLITS
from losslint.semantics.cosines import is_cosine
from losslint.semantics.devices import device_of
from losslint.semantics.dtypes import result_dtype
from losslint.semantics.machine import Machine, strongest_gradient
from losslint.semantics.operators import GradientClass, Interval, Operator, Shape
from losslint.semantics.shapes import pointwise_operands, shape_facts
from losslint.semantics.state import State
from losslint.semantics.values import (
    EVERYTHING,
    DType,
    Gradient,
    Kind,
    Origin,
    Role,
    Site,
    Value,
)
from losslint.semantics.zeros import zero_witness

PASS_RANGE = frozenset(
    [
        "gather",
        "take_along_dim",
        "index_select",
        "masked_select",
        "select",
        "narrow",
        "topk",
        "sort",
        "amax",
        "amin",
        "max",
        "min",
        "mean",
        "nanmean",
        "median",
        "mode",
        "kthvalue",
        "cummax",
        "cummin",
        "diagonal",
        "cat",
        "stack",
        "masked_fill",
        "dropout",
        "index_put",
        "where",
    ]
)
_BOUNDED_SUMS = frozenset({"sum", "nansum", "cumsum", "trace", "prod", "cumprod"})
_SUMS = _BOUNDED_SUMS - {"prod", "cumprod"}
_NUMBERS = frozenset({"item", "numel", "size_dim", "dim", "len"})


def apply_operator(
    machine: Machine,
    state: State,
    operator: Operator,
    arguments: Mapping[str, Value],
    positional: Sequence[Value],
    site: Site | None,
    module: Value | None = None,
) -> Value:
    """The value an operator makes of its bound arguments, recorded on the path.

    Operators with several outputs give a sequence with one element an output. `module` is whose call applies it.
    """
    operands = tuple(value for value in arguments.values() if value.kind is not Kind.NONE)
    origin = Origin(operator.name, operands, arguments, site, frame=state.frame, module=module)
    key = _key(machine, operator, arguments)
    shape = shape_facts(operator, arguments, positional)
    made = Value(
        key=key,
        kind=_kind(operator),
        interval=_interval(operator, arguments),
        origin=origin,
        gradient=_gradient(operator, arguments, state),
        rank=shape.rank,
        shape=shape.sizes,
        reduction=shape.reduction,
        dtype=result_dtype(operator, arguments, pointwise_operands(operator, arguments)),
        device=device_of(operator, arguments, positional, state.device),
        alias=_alias(operator, operands),
    )
    if operands and all(value.role is Role.CONFIG or value.has_constant for value in operands):
        return machine.emit(made.with_(role=Role.CONFIG), state)  # settings are chosen, not computed: no witness
    passes = operator.shape in (Shape.VIEW, Shape.CAST, Shape.RESHAPE_COPY)
    made = made.with_(zero=zero_witness(operator.name, passes, arguments, made.interval, made))
    if operator.name in SPLITS:
        return machine.emit(made, state).with_(kind=Kind.SEQUENCE)
    if has_several_outputs(operator, arguments):
        return _outputs(machine, state, operator, made)
    return machine.emit(made, state)


def has_several_outputs(operator: Operator, arguments: Mapping[str, Value]) -> bool:
    """Whether this call gives a tuple: `max` and `min` do only with a dim."""
    needs = operator.outputs_need
    return bool(operator.outputs) and (needs is None or (needs in arguments and arguments[needs].kind is not Kind.NONE))


def _outputs(machine: Machine, state: State, operator: Operator, made: Value) -> Value:
    elements = []
    for position, name in enumerate(operator.outputs):
        differentiable = operator.differentiable_outputs[position]
        gradient = made.gradient
        if not differentiable and gradient in (Gradient.CARRIES, Gradient.ZERO):
            gradient = Gradient.ZERO
        origin = Origin(
            made.origin.name, made.origin.operands, made.origin.keywords, made.origin.site, name, state.frame
        )
        elements.append(
            made.with_(
                key=machine.number("output", position, made.key),
                origin=origin,
                gradient=gradient,
                dtype=made.dtype if differentiable else DType.INT,
                interval=made.interval if differentiable else intervals.POSITIVE,
                zero=made.zero if differentiable else None,
            )
        )
    for element in elements:
        machine.emit(element, state)
    return made.with_(kind=Kind.SEQUENCE, elements=tuple(elements), zero=None)


def _key(machine: Machine, operator: Operator, arguments: Mapping[str, Value]) -> int:
    if operator.random:
        return machine.fresh()
    return machine.number(operator.name, *((name, value.key) for name, value in arguments.items()))


def _kind(operator: Operator) -> Kind:
    if operator.name in ("item", "numel", "dim", "equal", "allclose", "is_floating_point"):
        return Kind.NUMBER
    if operator.name in ("tolist", "numpy"):
        return Kind.OBJECT
    if operator.name in ("size", "shape"):
        return Kind.SHAPE
    return Kind.OBJECT if operator.shape is Shape.META else Kind.TENSOR


def takes_no_numbers(name: str) -> bool:
    """Whether an operator only takes the shape, dtype and device of its operand: `zeros_like`, `new_ones`."""
    return name.startswith("new_") or name.endswith("_like")


def _gradient(operator: Operator, arguments: Mapping[str, Value], state: State) -> Gradient:
    skipped = {"condition"} if operator.name == "where" else set()
    if takes_no_numbers(operator.name):
        skipped.add("input")
    if operator.name in TAKE_AFTER:
        skipped.update(list(arguments)[1:])
    skipped |= _CHOSEN
    skipped |= {"index", "mask", "dim"} if operator.shape is Shape.SELECT or operator.name == "masked_fill" else set()
    flowing = strongest_gradient([value.gradient for name, value in arguments.items() if name not in skipped])
    if flowing is Gradient.NEUTRAL:
        return flowing
    if operator.name in ("detach", "item", "tolist", "numpy") or operator.shape is Shape.META:
        return flowing if flowing is Gradient.ZERO else Gradient.CUT
    if operator.gradient is not GradientClass.DIFFERENTIABLE:
        return Gradient.ZERO if flowing in (Gradient.CARRIES, Gradient.ZERO) else flowing
    if operator.shape is Shape.FACTORY:
        return Gradient.CUT
    if operator.shape is Shape.CAST and operator.dtype in ("bool", "int"):
        return Gradient.ZERO
    if not state.gradient_matters and flowing is Gradient.CARRIES:
        return Gradient.CUT
    return flowing


# Numbers by their meaning: nobody differentiates a count of classes.
_CHOSEN = frozenset({"num_classes", "k", "dim", "ignore_index", "size", "shape", "sizes", "diagonal"})


def _alias(operator: Operator, operands: Sequence[Value]) -> frozenset[str]:
    views = operator.shape is Shape.VIEW or operator.name in ("detach", "to", "float", "contiguous")
    return operands[0].alias if views and operands else frozenset()


def _interval(operator: Operator, arguments: Mapping[str, Value]) -> Interval:
    operands = list(arguments.values())
    if not operands:
        return operator.result or EVERYTHING
    first = operands[0]
    if operator.name in _ARITHMETIC and (len(operands) > 1 or operator.name == "abs"):
        return _ARITHMETIC[operator.name](operands)
    if operator.name in ("clamp", "clamp_min", "clamp_max"):
        return _clamped(operator.name, arguments)
    if operator.name in ("cat", "stack"):
        members = first.elements if isinstance(first.elements, tuple) else ()
        return intervals.hull(*(member.interval for member in members)) if members else EVERYTHING
    if operator.name in ("where", "masked_fill"):
        branches = [arguments[name] for name in ("input", "self", "other", "value") if name in arguments]
        return intervals.hull(*(branch.interval for branch in branches)) if len(branches) > 1 else EVERYTHING
    if is_cosine(operator.name, arguments):
        return Interval(-1.0, 1.0)
    if operator.name in ("matmul", "mm") and first.origin.name == "softmax" and _is_over_last_dim(first):
        return operands[1].interval  # averages of the second's rows
    if operator.name in ("softmax", "softmin") and first.interval.high - first.interval.low < 80:
        return Interval(1e-40, 1.0)  # logits in a bounded range cannot underflow
    if operator.monotone is not None and operator.evaluate is not None:
        return _endpoints(operator, first.interval)
    if operator.result is not None:
        return operator.result
    if operator.shape in (Shape.VIEW, Shape.CAST, Shape.RESHAPE_COPY) or operator.name in PASS_RANGE:
        return first.interval if operator.name != "bool" else Interval(0.0, 1.0)
    if operator.name in _BOUNDED_SUMS and first.interval.low >= 0:
        return Interval(0.0, float("inf"))
    if operator.name in _SUMS and first.interval.high <= 0:
        return Interval(-float("inf"), 0.0)
    return EVERYTHING


def _is_over_last_dim(softmax: Value) -> bool:
    dim = softmax.origin.keywords.get("dim")
    return dim is not None and (dim.constant == -1 or (dim.constant == 1 and softmax.rank == 2))


def _endpoints(operator: Operator, interval: Interval) -> Interval:
    assert operator.evaluate is not None
    ends = [operator.evaluate(interval.low), operator.evaluate(interval.high)]
    low, high = min(ends), max(ends)
    return EVERYTHING if low != low or high != high else Interval(low, high)


def _clamped(name: str, arguments: Mapping[str, Value]) -> Interval:
    operands = list(arguments.values())
    low = arguments.get("min")
    high = arguments.get("max")
    if name == "clamp_min" and low is None and len(operands) > 1:
        low = operands[1]
    if name == "clamp_max" and high is None and len(operands) > 1:
        high = operands[1]
    return intervals.clamp(
        operands[0].interval,
        None if low is None or low.kind is Kind.NONE else low.interval,
        None if high is None or high.kind is Kind.NONE else high.interval,
    )


def _product(operands: Sequence[Value]) -> Interval:
    left, right = operands[:2]
    if left.key == right.key:
        return intervals.POSITIVE
    return intervals.multiply(left.interval, right.interval)


def _difference(operands: Sequence[Value]) -> Interval:
    left, right = operands[:2]
    peak = _without_detach(right)
    is_peak = peak.origin.name in ("amax", "max", "logsumexp") and bool(peak.origin.operands)
    if is_peak and _without_detach(peak.origin.operands[0]).key == left.key:
        return Interval(float("-inf"), 0.0)
    return intervals.add(left.interval, intervals.negate(right.interval))


def _without_detach(value: Value) -> Value:
    return value.origin.operands[0] if value.origin.name in ("detach", "data") else value


_ARITHMETIC: dict[str, Callable[[Sequence[Value]], Interval]] = {
    "add": lambda operands: intervals.add(operands[0].interval, operands[1].interval),
    "sub": _difference,
    "rsub": lambda operands: _difference(operands[1::-1]),
    "mul": _product,
    "div": lambda operands: intervals.divide(operands[0].interval, operands[1].interval),
    "abs": lambda operands: intervals.absolute(operands[0].interval),
    "pow": lambda operands: intervals.power(operands[0].interval, operands[1]),
    "float_power": lambda operands: intervals.power(operands[0].interval, operands[1]),
    "maximum": lambda operands: Interval(
        max(operands[0].interval.low, operands[1].interval.low),
        max(operands[0].interval.high, operands[1].interval.high),
    ),
    "minimum": lambda operands: Interval(
        min(operands[0].interval.low, operands[1].interval.low),
        min(operands[0].interval.high, operands[1].interval.high),
    ),
}
