"""Operators that work element by element.

Ranges are those of float32; unsafe points are where the value, or the gradient, is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from losslint.semantics.operators.model import (
    NON_NEGATIVE,
    NON_POSITIVE,
    SIGNED_UNIT,
    UNIT,
    GradientClass,
    Interval,
    Operator,
    Shape,
    operator,
)

_P = Shape.POINTWISE
_ZERO = Interval(0.0, 0.0)
_BELOW_ONE = Interval(-math.inf, -1.0)
_UP_TO_ZERO = Interval(-math.inf, 0.0)


def _guarded(function: Callable[[float], float], at_error: float = math.inf) -> Callable[[float], float]:
    """A math function that overflows to inf as tensors do."""

    def evaluate(number: float) -> float:
        try:
            return function(number)
        except OverflowError:
            return at_error

    return evaluate


def _log(number: float) -> float:
    return -math.inf if number <= 0 else math.log(number)


def _sqrt(number: float) -> float:
    return math.sqrt(number) if number > 0 else 0.0


def _sigmoid(number: float) -> float:
    """1 past 17 and 0 below -88.72, where float32 overflows in 1 + exp(88.73)."""
    if number > 17:
        return 1.0
    return 0.0 if number < -88.7228 else 1 / (1 + math.exp(-number))


def _unary() -> tuple[Operator, ...]:
    t = "torch method"
    f = "F"
    return (
        operator(
            "exp", "input", _P, where="torch method", result=None, monotone="increasing", evaluate=_guarded(math.exp)
        ),
        operator("exp2", "input", _P, where="torch special method", result=NON_NEGATIVE),
        operator("expm1", "input", _P, where="torch special method", result=Interval(-1.0, math.inf)),
        operator("log", "input", _P, where=t, monotone="increasing", evaluate=_log, unsafe_value=(_UP_TO_ZERO,)),
        operator("log2", "input", _P, where=t, unsafe_value=(_UP_TO_ZERO,)),
        operator("log10", "input", _P, where=t, unsafe_value=(_UP_TO_ZERO,)),
        operator("log1p", "input", _P, where="torch special method", unsafe_value=(_BELOW_ONE,)),
        operator("sqrt", "input", _P, where=t, monotone="increasing", evaluate=_sqrt, unsafe_gradient=(_ZERO,)),
        operator("rsqrt", "input", _P, where=t, result=NON_NEGATIVE, unsafe_value=(_UP_TO_ZERO,)),
        operator("reciprocal", "input", _P, where=t, unsafe_value=(_ZERO,)),
        operator("abs", "input", _P, where=t, result=NON_NEGATIVE, also=("torch.absolute", ".absolute")),
        operator("square", "input", _P, where=t, result=NON_NEGATIVE),
        operator(
            "neg",
            "input",
            _P,
            where=t,
            monotone="decreasing",
            evaluate=lambda x: -x,
            also=("torch.negative", ".negative"),
        ),
        operator(
            "sigmoid",
            "input",
            _P,
            where="torch F method",
            also=("torch.special.expit",),
            dtype="float",
            result=UNIT,
            monotone="increasing",
            evaluate=_sigmoid,
        ),
        operator("hardsigmoid", "input", _P, where=f, result=UNIT),
        operator("tanh", "input", _P, where="torch F method", result=SIGNED_UNIT),
        operator("hardtanh", "input min_val= max_val=", _P, where=f),
        operator("relu", "input inplace=", _P, where="torch F method", result=NON_NEGATIVE),
        operator("relu6", "input", _P, where=f, result=Interval(0.0, 6.0)),
        operator("leaky_relu", "input negative_slope=", _P, where=f),
        operator("elu", "input alpha=", _P, where=f),
        operator("selu", "input", _P, where="torch F"),
        operator("gelu", "input approximate=", _P, where=f),
        operator("silu", "input", _P, where=f),
        operator("mish", "input", _P, where=f),
        operator("softplus", "input beta= threshold=", _P, where=f, result=NON_NEGATIVE),
        operator("softsign", "input", _P, where=f, result=SIGNED_UNIT),
        operator("log_sigmoid", "input", _P, where=f, public="logsigmoid", result=NON_POSITIVE),
        operator("sin", "input", _P, where=t, result=SIGNED_UNIT),
        operator("cos", "input", _P, where=t, result=SIGNED_UNIT),
        operator("tan", "input", _P, where=t),
        operator(
            "asin",
            "input",
            _P,
            where=t,
            also=("torch.arcsin", ".arcsin"),
            result=Interval(-1.5708, 1.5708),
            unsafe_gradient=(Interval(-1, -1), Interval(1, 1)),
        ),
        operator(
            "acos",
            "input",
            _P,
            where=t,
            also=("torch.arccos", ".arccos"),
            result=Interval(0, 3.1416),
            unsafe_gradient=(Interval(-1, -1), Interval(1, 1)),
        ),
        operator(
            "atan",
            "input",
            _P,
            where=t,
            also=("torch.arctan", ".arctan"),
            result=Interval(-1.5708, 1.5708),
        ),
        operator(
            "acosh",
            "input",
            _P,
            where=t,
            also=("torch.arccosh", ".arccosh"),
            result=NON_NEGATIVE,
            unsafe_gradient=(Interval(1, 1),),
        ),
        operator("atanh", "input", _P, where=t, unsafe_value=(Interval(-1, -1), Interval(1, 1))),
        operator("sinh", "input", _P, where=t),
        operator("cosh", "input", _P, where=t, result=Interval(1.0, math.inf)),
        operator("erf", "input", _P, where="torch special method", result=SIGNED_UNIT),
        operator("erfc", "input", _P, where="torch special method", result=Interval(0.0, 2.0)),
        operator("erfinv", "input", _P, where="torch special method", unsafe_value=(Interval(-1, -1), Interval(1, 1))),
        operator("lgamma", "input", _P, where=t, unsafe_value=(_ZERO,)),
        operator("digamma", "input", _P, where="torch special method"),
        operator("logit", "input eps=", _P, where="torch special method", unsafe_value=(_ZERO, Interval(1, 1))),
        operator("special_entr", "input", _P, where="special", public="entr", unsafe_gradient=(_ZERO,)),
        operator("nan_to_num", "input nan= posinf= neginf=", _P, where=t),
        operator("frac", "input", _P, where=t, result=SIGNED_UNIT),
        operator("dropout", "input p= training= inplace=", _P, where=f, random=True),
        operator("round", "input", _P, GradientClass.ZERO, where=t),
        operator("floor", "input", _P, GradientClass.ZERO, where=t),
        operator("ceil", "input", _P, GradientClass.ZERO, where=t),
        operator("trunc", "input", _P, GradientClass.ZERO, where=t, also=("torch.fix", ".fix")),
        operator("sign", "input", _P, GradientClass.ZERO, where=t, result=SIGNED_UNIT),
        operator("sgn", "input", _P, GradientClass.ZERO, where=t, result=SIGNED_UNIT),
        operator("heaviside", "input values", _P, GradientClass.ERROR, where=t),
        operator("bernoulli", "input", _P, GradientClass.ZERO, where=t, result=UNIT, random=True),
    )


def _binary() -> tuple[Operator, ...]:
    t = "torch method"
    return (
        operator("add", "input other alpha=", _P, where=t),
        operator("sub", "input other alpha=", _P, where=t, also=("torch.subtract", ".subtract")),
        operator("rsub", "input other alpha=", _P, where="torch"),
        operator("mul", "input other", _P, where=t, also=("torch.multiply", ".multiply")),
        operator(
            "div",
            "input other rounding_mode=",
            _P,
            where=t,
            also=("torch.divide", "torch.true_divide", ".divide", ".true_divide"),
        ),
        operator("floor_divide", "input other", _P, GradientClass.ERROR, where=t),
        operator("remainder", "input other", _P, where=t),
        operator("fmod", "input other", _P, where=t),
        operator("pow", "input exponent", _P, where=t),
        operator("float_power", "input exponent", _P, where=t),
        operator("atan2", "input other", _P, where=t, also=("torch.arctan2",)),
        operator("maximum", "input other", _P, where=t),
        operator("minimum", "input other", _P, where=t),
        operator("fmax", "input other", _P, where=t),
        operator("fmin", "input other", _P, where=t),
        operator("hypot", "input other", _P, where=t, result=NON_NEGATIVE),
        operator("logaddexp", "input other", _P, where=t),
        operator("logaddexp2", "input other", _P, where=t),
        operator("xlogy", "input other", _P, where="torch special method"),
        operator("lerp", "input end weight", _P, where=t),
        operator("addcmul", "input tensor1 tensor2 value=", _P, where=t),
        operator("addcdiv", "input tensor1 tensor2 value=", _P, where=t),
        operator("clamp", "input min= max=", _P, where=t, also=("torch.clip", ".clip")),
        operator("clamp_min", "input min", _P, where=t),
        operator("clamp_max", "input max", _P, where=t),
        operator("threshold", "input threshold value", _P, where="F"),
        operator("where", "condition input= other=", _P, where="torch"),
        operator("masked_fill", "input mask value", _P, where=t),
    )


def _comparisons() -> tuple[Operator, ...]:
    binary = "eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor isclose".split()
    unary = "logical_not bitwise_not isnan isinf isfinite isneginf isposinf signbit".split()
    synonyms = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "ne": "not_equal"}
    rows = [
        operator(
            name,
            "input other" if name in binary else "input",
            _P,
            GradientClass.NONE,
            where="torch method",
            dtype="same" if name.startswith("bitwise") else "bool",
            result=None if name.startswith("bitwise") else UNIT,
            also=(f"torch.{synonyms[name]}", f".{synonyms[name]}") if name in synonyms else (),
        )
        for name in (*binary, *unary)
    ]
    return tuple(rows)


ROWS = (*_unary(), *_binary(), *_comparisons())
