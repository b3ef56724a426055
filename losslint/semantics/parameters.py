"""Parameters of a loss and of its constructor: what name, annotation, default and earlier use say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics.devices import is_placed_by_name
from losslint.semantics.intervals import POSITIVE
from losslint.semantics.loss_names import words
from losslint.semantics.operators import Interval
from losslint.semantics.role_names import role_by_name, says_epsilon, says_probability
from losslint.semantics.roles import annotated_sizes, kind_by_annotation
from losslint.semantics.sizes import rank_of
from losslint.semantics.state import State
from losslint.semantics.values import (
    EVERYTHING,
    Certainty,
    Device,
    Gradient,
    Kind,
    Origin,
    Reduced,
    Reduction,
    Role,
    Value,
)
from losslint.semantics.zeros import parameter_witness

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame
    from losslint.semantics.names import Function


def default_value(frame: Frame, parameter: cst.Param) -> Value | None:
    """The value of a parameter's default, None where it has none."""
    if parameter.default is None:
        return None
    return frame.evaluate(parameter.default, State())


def loss_parameter(frame: Frame, parameter: cst.Param) -> Value:
    """A parameter of the loss's entry: an input of the loss, or a setting where its default or annotation says so."""
    name = parameter.name.value
    annotated = kind_by_annotation(parameter.annotation)
    learned_kind, learned_role = frame.machine.hints.get(name, (Kind.UNKNOWN, Role.UNKNOWN))
    default = default_value(frame, parameter)
    if is_setting(annotated, default):
        return setting(frame, parameter, annotated, default)
    kind = annotated if annotated is not Kind.UNKNOWN else learned_kind
    role = learned_role if learned_role is not Role.UNKNOWN else role_by_name(name)
    receives_gradient = role not in (Role.TARGET, Role.MASK, Role.WEIGHT)
    elementwise = kind in (Kind.TENSOR, Kind.UNKNOWN) and role in (Role.PREDICTION, Role.TARGET) and "loss" not in name
    sizes = annotated_sizes(parameter.annotation)
    value = Value(
        key=frame.machine.number("parameter", name, 0),
        kind=kind,
        rank=rank_of(sizes),
        shape=sizes,
        interval=Interval(0.0, 1.0) if says_probability(name) else POSITIVE if role is Role.MASK else EVERYTHING,
        origin=Origin("parameter", site=frame.site(parameter), label=name),
        gradient=Gradient.CARRIES if receives_gradient else Gradient.NEUTRAL,
        role=role,
        reduction=Reduction(Reduced.NONE) if elementwise else Reduction(),
        device=Device.INPUT if is_placed_by_name(words(name)) else Device.UNKNOWN,
        alias=frozenset({name}),
    )
    return value.with_(zero=parameter_witness(name, value, says_probability(name)))


def defaults_to_none(value: Value) -> bool:
    """Whether a value is what a parameter of the loss, or of its constructor, was given, and None if it was not."""
    if value.origin.name not in ("parameter", "setting") or value.origin.site is None:
        return False
    parameter = value.origin.site.node
    return (
        isinstance(parameter, cst.Param)
        and isinstance(parameter.default, cst.Name)
        and parameter.default.value == "None"
    )


_ELEMENTWISE = frozenset("compared bitwise_and bitwise_or bitwise_xor bitwise_not add sub mul div neg".split())


def only_possible_tensor(value: Value) -> Value | None:
    """The one parameter that makes a value a tensor if it is one: `iou` of `(iou > low) | (iou < high)`, of settings."""
    found: dict[int, Value] = {}
    pending, seen = [value], 0
    while pending and seen < 20:
        current = pending.pop()
        seen += 1
        if current.origin.name in _ELEMENTWISE:
            pending.extend(current.origin.operands)
        elif current.origin.name == "parameter" and current.kind is Kind.UNKNOWN:
            found[current.key] = current
        elif current.kind not in (Kind.NUMBER, Kind.BOOL) and current.role is not Role.CONFIG:
            return None
    return next(iter(found.values())) if len(found) == 1 else None


def is_setting(annotated: Kind, default: Value | None) -> bool:
    """Whether a parameter is configuration: annotated as a Python scalar, or defaulting to one."""
    if annotated in (Kind.NUMBER, Kind.BOOL, Kind.STR):
        return True
    return default is not None and default.kind in (Kind.NUMBER, Kind.BOOL, Kind.STR)


def setting(frame: Frame, parameter: cst.Param, annotated: Kind, default: Value | None) -> Value:
    """A configuration parameter: its default is what it usually is, so it counts as known but replaceable."""
    name = parameter.name.value
    kind = annotated if annotated is not Kind.UNKNOWN else default.kind if default is not None else Kind.UNKNOWN
    interval = default.interval if default is not None and default.has_constant else EVERYTHING
    if interval == EVERYTHING and says_epsilon(name):
        interval = Interval(1e-12, 1.0)
    return Value(
        key=frame.machine.number("setting", str(frame.unit.path), id(parameter)),
        kind=kind,
        interval=interval,
        origin=Origin("setting", site=frame.site(parameter), label=name),
        role=Role.CONFIG,
        rank=0 if kind in (Kind.NUMBER, Kind.BOOL) else None,
        constant=default.constant if default is not None else None,
        has_constant=default is not None and default.has_constant,
        is_default=True,
    )


def constructor_parameter(frame: Frame, parameter: cst.Param) -> Value:
    """A parameter of `__init__`: always configuration, tensors and modules included."""
    default = default_value(frame, parameter)
    annotated = kind_by_annotation(parameter.annotation)
    value = setting(frame, parameter, annotated, default)
    if annotated is Kind.TENSOR:
        return value.with_(zero=None)
    return value


def entry_scope(frame: Frame, function: Function, skip_self: bool) -> dict[str, Value]:
    """The names a loss's entry starts with."""
    parameters = [*function.params.posonly_params, *function.params.params]
    if skip_self:
        parameters = parameters[1:]
    scope = {
        parameter.name.value: loss_parameter(frame, parameter)
        for parameter in [*parameters, *function.params.kwonly_params]
    }
    for star in (function.params.star_arg, function.params.star_kwarg):
        if isinstance(star, cst.Param):
            origin = Origin("arguments", site=frame.site(star), label=star.name.value)
            scope[star.name.value] = Value(frame.machine.fresh(), origin=origin, gradient=Gradient.CARRIES)
    return scope


__all__ = ["Certainty", "constructor_parameter", "default_value", "entry_scope", "loss_parameter", "setting"]
