"""What a row of the operator tables says."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct


class GradientClass(enum.Enum):
    """What autograd does with an operator's first output.

    DIFFERENTIABLE: it has a derivative. ZERO: backward gives zeros (round, sign). NONE: the output does not require
    grad (comparisons, argmax). ERROR: backward raises (heaviside, floor_divide).
    """

    DIFFERENTIABLE = "differentiable"
    ZERO = "zero"
    NONE = "none"
    ERROR = "error"


class Shape(enum.Enum):
    """How the result's shape comes from the operands'."""

    POINTWISE = "pointwise"
    REDUCTION = "reduction"
    SOFTMAX_LIKE = "softmax-like"
    VIEW = "view"
    RESHAPE_COPY = "reshape-copy"
    SELECT = "select"
    JOIN = "join"
    FACTORY = "factory"
    MATMUL = "matmul"
    LOSS = "loss"
    DISTANCE = "distance"
    CAST = "cast"
    PREDICATE = "predicate"
    META = "meta"
    OTHER = "other"


class Interval(Struct, frozen=True):
    """A closed range with float semantics: a sigmoid is [0, 1], because it rounds to both ends."""

    low: float
    high: float


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()

# The names of parameters whose tensors an operator computes with: they have to be on one device. All others are settings.
_OPERANDS = frozenset(
    (
        "input other target targets weight weights bias condition out logits log_probs anchor positive negative pos_weight "
        "input1 input2 x x1 x2 A mat1 mat2 vec vec2 batch1 batch2 tensor tensors tensor1 tensor2 operands exponent var q "
        "index indices mask src source elements test_elements sorted_sequence boundaries fweights aweights data ndarray"
    ).split()
)
# These are numbers elsewhere: the ends of a histogram or of a range.
_ELEMENTWISE = frozenset({"min", "max", "start", "end", "values"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a signature; `default` is REQUIRED where it has none."""

    name: str
    default: object = REQUIRED


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator under its ATen name (or torch's public name where ATen has none).

    `spellings` are full Python names, `methods` tensor methods; `parameters` bind a function call (the first is the
    tensor), `method_parameters` a method call without self. `outputs` names the members of a tuple result, which is
    only given if `outputs_need` (a parameter) is. `dtype` is "same", "float", "bool" or "int". `result` holds the
    range of the result for any operand, `monotone` with `evaluate` the function that maps range ends.
    """

    name: str
    spellings: tuple[str, ...]
    methods: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    method_parameters: tuple[Parameter, ...]
    shape: Shape
    gradient: GradientClass = GradientClass.DIFFERENTIABLE
    outputs: tuple[str, ...] = ()
    differentiable_outputs: tuple[bool, ...] = ()
    outputs_need: str | None = None
    dtype: str = "same"
    result: Interval | None = None
    monotone: str | None = None
    evaluate: Callable[[float], float] | None = None
    unsafe_value: tuple[Interval, ...] = ()
    unsafe_gradient: tuple[Interval, ...] = ()
    random: bool = False

    def is_operand(self, name: str) -> bool:
        """Whether an argument is a tensor to compute with, and no setting that is read as a number: a size, a dim, an eps.

        What is given beyond the signature, as to einsum, is taken as its last parameter is.
        """
        if name.startswith("#") and self.parameters:
            name = self.parameters[-1].name
        if self.shape is Shape.VIEW:
            return name == self.parameters[0].name
        return name in _OPERANDS or (self.shape is Shape.POINTWISE and name in _ELEMENTWISE)


@dataclass(frozen=True, slots=True)
class ModuleOperator:
    """A torch.nn module: the operator that calling it applies (None: opaque), its constructor, which constructor
    argument becomes which argument of the call, and the defaults that differ from the operator's."""

    operator: Operator | None
    constructor: tuple[Parameter, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, int] = field(default_factory=dict)


UNIT = Interval(0.0, 1.0)
NON_NEGATIVE = Interval(0.0, math.inf)
NON_POSITIVE = Interval(-math.inf, 0.0)
SIGNED_UNIT = Interval(-1.0, 1.0)


def parameters(names: str) -> tuple[Parameter, ...]:
    """Parameters from "input other=1": only whether there is a default matters to binding."""
    return tuple(Parameter(name.rstrip("="), None) if name.endswith("=") else Parameter(name) for name in names.split())


def operator(
    name: str,
    signature: str,
    shape: Shape,
    gradient: GradientClass = GradientClass.DIFFERENTIABLE,
    *,
    where: str = "torch F method",
    also: tuple[str, ...] = (),
    outputs: str = "",
    differentiable: tuple[bool, ...] = (),
    outputs_need: str | None = None,
    dtype: str = "same",
    result: Interval | None = None,
    monotone: str | None = None,
    evaluate: Callable[[float], float] | None = None,
    unsafe_value: tuple[Interval, ...] = (),
    unsafe_gradient: tuple[Interval, ...] = (),
    random: bool = False,
    public: str = "",
) -> Operator:
    """A row. `where` lists the places it is spelled in (torch, F, special, linalg, method, builtin), `public` its name
    there if that is not `name`, `also` further full names, or method names with a leading dot."""
    spelled = public or name
    prefixes = {"torch": "torch", "F": "torch.nn.functional", "special": "torch.special", "linalg": "torch.linalg"}
    places = where.split()
    spellings = [f"{prefixes[place]}.{spelled}" for place in places if place in prefixes]
    methods = [spelled] if "method" in places else []
    spellings += [each for each in also if not each.startswith(".")]
    methods += [each[1:] for each in also if each.startswith(".")]
    bound = parameters(signature)
    return Operator(
        name,
        tuple(spellings),
        tuple(methods),
        bound,
        bound[1:],
        shape,
        gradient,
        tuple(outputs.split()),
        differentiable,
        outputs_need,
        dtype,
        result,
        monotone,
        evaluate,
        unsafe_value,
        unsafe_gradient,
        random,
    )
