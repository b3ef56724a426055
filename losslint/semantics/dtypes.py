"""The dtype family of an operator's result, promoted as torch promotes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from losslint.semantics.operators import Operator, Shape
from losslint.semantics.values import DType, Kind, Value

_NAMED = {
    **dict.fromkeys(("float", "float32"), DType.FLOAT),
    **dict.fromkeys(("double", "float64"), DType.DOUBLE),
    **dict.fromkeys(("half", "float16", "bfloat16"), DType.HALF),
    **dict.fromkeys(("long", "int64", "int", "int32", "short", "int16", "int8", "uint8", "byte"), DType.INT),
    "bool": DType.BOOL,
}
_CASTS = {
    "float": DType.FLOAT,
    "half": DType.HALF,
    "bfloat16": DType.HALF,
    "double": DType.DOUBLE,
    "long": DType.INT,
    "int": DType.INT,
    "short": DType.INT,
    "bool": DType.BOOL,
}
_FLOATS = (DType.HALF, DType.FLOAT, DType.DOUBLE)
_COUNTS = (DType.BOOL, DType.INT)
_TOTALS = frozenset({"sum", "nansum", "prod", "cumsum", "cumprod", "trace"})
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "mv", "dot", "outer"})
_FLOATS_ONLY = frozenset({"mean", "nanmean", "std", "var", "norm", "linalg_vector_norm", "quantile"})
_FLOAT_FACTORIES = frozenset({"zeros", "ones", "empty", "rand", "randn", "linspace", "eye"})
# Pointwise operators that give integers for integers; the others give floats.
_EXACT = frozenset(
    (
        "add sub rsub mul neg abs square sign sgn relu relu6 clamp clamp_min clamp_max maximum minimum fmax fmin "
        "remainder fmod floor_divide pow round floor ceil trunc addcmul lerp threshold hardtanh nan_to_num where "
        "masked_fill bitwise_and bitwise_or bitwise_xor bitwise_not dropout bernoulli"
    ).split()
)


def result_dtype(operator: Operator, arguments: Mapping[str, Value], operands: Iterable[Value]) -> DType:
    """The family of a result; `operands` are those whose elements take part in a pointwise operator."""
    first = next(iter(arguments.values()), None)
    known = first.dtype if first is not None else DType.UNKNOWN
    name = operator.name
    if name in _CASTS:
        return _CASTS[name]
    asked = arguments.get("dtype")
    if asked is not None and asked.kind is not Kind.NONE:
        return named(asked)
    if operator.dtype in ("bool", "int"):
        return DType.BOOL if operator.dtype == "bool" else DType.INT
    if name in ("to", "type", "type_as"):
        return _cast(known, list(arguments.values())[1:], name == "to")
    if operator.dtype == "float":
        return known if known in _FLOATS else DType.FLOAT
    if operator.shape is Shape.FACTORY:
        return known if name.startswith("new_") or name.endswith("_like") else _made(name)
    if name in _FLOATS_ONLY and known in _COUNTS:
        return DType.UNKNOWN  # torch raises
    if name == "bincount":
        return DType.INT if "weights" not in arguments else DType.UNKNOWN
    if name in _TOTALS and known is DType.BOOL:
        return DType.INT
    if name in _PRODUCTS:
        factors = {each.dtype for each in operands}
        return known if len(factors) == 1 else DType.UNKNOWN  # torch raises for two that are known
    if operator.shape is Shape.POINTWISE:
        return _pointwise(name, arguments, operands)
    if operator.shape is Shape.JOIN and first is not None and isinstance(first.elements, tuple):
        return promoted(first.elements)
    return known


def named(value: Value) -> DType:
    """The family a dtype object names: `torch.float32`, or the `.dtype` of a tensor."""
    if value.origin.name == "dtype" and value.origin.operands:
        return value.origin.operands[0].dtype
    if value.origin.name == "library" and value.origin.label.startswith("torch."):
        return _NAMED.get(value.origin.label.rpartition(".")[2], DType.UNKNOWN)
    return DType.UNKNOWN


def _cast(known: DType, arguments: Iterable[Value], may_move: bool) -> DType:
    """`x.to(...)`: a device leaves the dtype as it is, another tensor or a dtype sets it; `x.type("...")` sets it."""
    for value in arguments:
        if value.is_tensor or value.origin.name in ("dtype", "library"):
            return value.dtype if value.is_tensor else named(value)
        plain = value.kind in (Kind.STR, Kind.BOOL, Kind.NONE, Kind.NUMBER)
        if may_move and (plain or value.origin.name == "device"):
            continue
        if not may_move or "device" not in value.origin.label:
            return DType.UNKNOWN
    return known


def _made(name: str) -> DType:
    return DType.FLOAT if name in _FLOAT_FACTORIES else DType.UNKNOWN


def _pointwise(name: str, arguments: Mapping[str, Value], operands: Iterable[Value]) -> DType:
    if name == "where":
        found = promoted([value for key, value in arguments.items() if key != "condition"])
    elif name in ("masked_fill", "bernoulli", "dropout"):
        found = promoted(list(arguments.values())[:1])
    else:
        numbers = [value for value in arguments.values() if value.kind in (Kind.NUMBER, Kind.BOOL)]
        found = promoted([*operands, *(value for value in numbers if name in _EXACT and name != "clamp")])
    if found in _COUNTS and (name not in _EXACT or (name == "div" and "rounding_mode" not in arguments)):
        return DType.FLOAT
    return found


def promoted(values: Iterable[Value]) -> DType:
    """The family that tensors and Python numbers have together; unknown where one of the tensors is, but for doubles, which
    nothing makes smaller."""
    tensors: set[DType] = set()
    numbers: set[DType] = set()
    for value in values:
        if value.kind in (Kind.NUMBER, Kind.BOOL):
            numbers.add(_of_number(value))
        else:
            tensors.add(value.dtype)
    if DType.UNKNOWN in tensors:
        return DType.DOUBLE if DType.DOUBLE in tensors else DType.UNKNOWN
    floats = [dtype for dtype in _FLOATS if dtype in tensors]
    if floats:
        return floats[0] if len(floats) == 1 else DType.UNKNOWN
    if DType.UNKNOWN in numbers:
        return DType.UNKNOWN
    for family in (DType.FLOAT, DType.INT, DType.BOOL):
        if family in numbers | tensors:
            return family
    return DType.UNKNOWN


def _of_number(value: Value) -> DType:
    if not value.has_constant or value.is_default:
        return DType.BOOL if value.kind is Kind.BOOL else DType.UNKNOWN
    if isinstance(value.constant, bool):
        return DType.BOOL
    if isinstance(value.constant, int):
        return DType.INT
    return DType.FLOAT if isinstance(value.constant, float) else DType.UNKNOWN
