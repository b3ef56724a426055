"""Where a tensor is: with the inputs of the loss, on the default device (the CPU), or not known.

A tensor that a factory makes without `device=` is on the CPU, and so is what is computed from it alone. With an input among
the operands a result is where the inputs are, because everything else fails there; scalars mix with anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from losslint.semantics.dimensions import has_dimensions
from losslint.semantics.operators import Operator, Shape, operators
from losslint.semantics.values import Device, Kind, Role, Value

_PLACELESS = frozenset({Kind.NUMBER, Kind.BOOL, Kind.STR, Kind.NONE, Kind.SHAPE, Kind.OBJECT})
_INPUT_ROLES = frozenset({Role.PREDICTION, Role.TARGET, Role.MASK})
# What is given along with tensors and stays on the CPU by custom, or is no tensor.
_NOT_PLACED = frozenset(
    "len lens length lengths size sizes shape shapes device devices dtype meta metas name names".split()
)
_CPU_TYPE = re.compile(r"torch\.(Float|Double|Half|Long|Int|Bool|Byte|Short|BFloat16)Tensor")
_DTYPES = frozenset(
    "float float16 float32 float64 half double bfloat16 long int int8 int16 int32 int64 short uint8 bool".split()
)


def is_placed_by_name(words: Iterable[str]) -> bool:
    """Whether a parameter of this name is where the predictions are: lengths and sizes often stay on the CPU."""
    return not _NOT_PLACED & set(words)


def is_on_input(value: Value) -> bool:
    """Whether a value is a tensor on the device of the loss's inputs: an input, or made of one by operators or a module."""
    if value.device is not Device.INPUT:
        return False
    if value.kind is Kind.UNKNOWN:
        return value.origin.name != "parameter" or value.role in _INPUT_ROLES  # a margin may be a number
    return value.is_tensor


def is_on_cpu(value: Value) -> bool:
    """Whether a tensor is provably on the default device and has a dimension, so that it mixes with no GPU tensor."""
    return value.device is Device.DEFAULT and value.is_tensor and has_dimensions(value, of_inputs=True)


def device_of(
    operator: Operator, arguments: Mapping[str, Value], positional: Sequence[Value], default: Device
) -> Device:
    """Where the result of an operator is. `default` is where factories make tensors."""
    first = next(iter(arguments.values()), None)
    if operator.name in ("cuda", "cpu"):
        return Device.DEFAULT if operator.name == "cpu" else Device.UNKNOWN
    asked = arguments.get("device")
    if asked is not None and _is_asked(asked) and not any(asked is each for each in positional):
        return asked_for(asked)
    if first is not None and operator.name in ("to", "type", "type_as"):
        return _moved(first, [*positional[1:], *(arguments[name] for name in ("other",) if name in arguments)])
    written = arguments.get("out")
    if written is not None and written.is_tensor:
        return written.device
    if operator.shape is Shape.FACTORY:
        takes = operator.name.startswith("new_") or operator.name.endswith("_like")
        if operator.name == "normal" and any(value.kind not in _PLACELESS for value in arguments.values()):
            return joint(arguments.values())  # torch.normal(mean, std)
        return first.device if takes and first is not None else default
    return joint(value for name, value in arguments.items() if operator.is_operand(name))


def placing(value: Value) -> tuple[Value, ...]:
    """The operands that have to be where the result is, members of lists singly: no indices, no settings.

    With `device=x.device` it is x that decides.
    """
    origin = value.origin
    if follows_another(value):
        return origin.keywords["device"].origin.operands[:1]
    if origin.name in ("getitem", "index_put"):
        return origin.operands[:1]
    row = operators().get(origin.name)
    given: Iterable[Value] = origin.operands
    if row is not None and origin.keywords:
        given = (each for name, each in origin.keywords.items() if row.is_operand(name))
    return tuple(_members(given))


def follows_another(value: Value) -> bool:
    """Whether a tensor is made where another one is: `torch.ones(n, device=x.device)`."""
    asked = value.origin.keywords.get("device")
    return asked is not None and asked.origin.name == "device"


def of_member(container: Value) -> Device:
    """Where the members of a sequence are that the loss is given: predictions and targets are tensors."""
    is_input = container.kind is Kind.UNKNOWN and container.role in (Role.PREDICTION, Role.TARGET)
    return container.device if is_input else Device.UNKNOWN


def _is_asked(device: Value) -> bool:
    """Whether a `device=` may say something: a parameter that is None by default may be given one."""
    return device.kind is not Kind.NONE or device.is_default


def asked_for(device: Value) -> Device:
    """The device that an argument names: that of a tensor, or the CPU by its name."""
    if device.is_tensor:
        return device.device
    if device.origin.name == "device" and device.origin.operands:
        return device.origin.operands[0].device
    if device.has_constant and not device.is_default and _is_cpu(device.constant):
        return Device.DEFAULT
    if _CPU_TYPE.fullmatch(device.origin.label):
        return Device.DEFAULT
    return Device.INPUT if is_on_input(device) else Device.UNKNOWN


def _is_cpu(name: object) -> bool:
    """Whether a device or a type of tensors, named by a string, is the CPU's."""
    return isinstance(name, str) and (name == "cpu" or _CPU_TYPE.fullmatch(name) is not None)


def is_dtype(value: Value) -> bool:
    """Whether an argument is a dtype: `torch.float32`, `x.dtype`, `float`."""
    if value.origin.name == "dtype":
        return True
    head, _, last = value.origin.label.rpartition(".")
    return last.removeprefix("global ") in _DTYPES and head in ("torch", "")


def _moved(tensor: Value, arguments: Sequence[Value]) -> Device:
    """`.to(...)`: where the first argument that is no dtype says."""
    for argument in arguments:
        if not is_dtype(argument) and argument.kind is not Kind.BOOL:
            return asked_for(argument)
    return tensor.device


def joint(values: Iterable[Value]) -> Device:
    """Where the result of several operands is."""
    placed = [value for value in _spread(values) if value.kind not in _PLACELESS]
    if not placed:
        return Device.UNKNOWN
    if any(map(is_on_input, placed)):
        return Device.INPUT
    if any(map(is_on_cpu, placed)):
        return Device.DEFAULT  # with anything that is elsewhere the operator fails
    made = [value for value in placed if value.kind is not Kind.UNKNOWN or value.role is not Role.CONFIG]
    if made and all(value.device is Device.DEFAULT for value in made):
        return Device.DEFAULT  # a setting of unknown kind is a number: `torch.tensor(anchors) / stride`
    return Device.UNKNOWN


def _members(values: Iterable[Value]) -> Iterator[Value]:
    for value in values:
        if value.kind is Kind.SEQUENCE and isinstance(value.elements, tuple):
            yield from value.elements
        else:
            yield value


def _spread(values: Iterable[Value]) -> Iterator[Value]:
    for value in _members(values):
        if value.origin.name == "comprehension":
            yield from value.origin.operands
        else:
            yield value


def rewrapped(qualified: str, data: Value | None, arguments: Mapping[str, Value], default: Device) -> Device:
    """Where torch.tensor, as_tensor, FloatTensor and their like put what they copy: where a tensor is, else the default."""
    if qualified.startswith("torch.cuda."):
        return Device.UNKNOWN
    asked = arguments.get("device")
    if asked is not None and _is_asked(asked):
        return asked_for(asked)
    if data is None or data.kind in (*_PLACELESS, Kind.SEQUENCE) or data.role is Role.CONFIG:
        return default
    return data.device if data.is_tensor else Device.UNKNOWN
