"""Classes of the project that inherit their constructor or their `forward` from a torch module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics import calls
from losslint.semantics.members import Instance
from losslint.semantics.operators import ModuleOperator, lookup_module
from losslint.semantics.state import State
from losslint.semantics.values import Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

_LEGACY = frozenset({"size_average", "reduce"})


def torch_base(instance: Instance) -> ModuleOperator | None:
    """The torch module that stands for an operator and that a class inherits from; None where there is none."""
    for base in instance.lineage:
        for argument in base.unit.classes[base.name].bases:
            qualified = base.unit.qualified(argument.value)
            module = lookup_module(qualified) if qualified is not None else None
            if module is not None and module.operator is not None:
                return module
    return None


def keep_settings(frame: Frame, arguments: calls.Arguments, node: cst.Call, state: State) -> None:
    """`super().__init__(...)` of a torch module: its settings become attributes of self."""
    module = torch_base(frame.instance) if frame.instance is not None else None
    if module is None or not arguments.complete:
        return
    bound = calls.bind(module.constructor, arguments)
    names = {parameter.name for parameter in module.constructor}
    for name in names & bound.keys() - _LEGACY:
        state.bind(f"self.{name}", bound[name])
    if "reduction" in names and not bound.keys() & (_LEGACY | {"reduction"}):
        state.bind("self.reduction", frame.machine.constant("mean", node, frame.unit))


def forward(frame: Frame, instance: Instance, arguments: calls.Arguments, node: cst.Call, state: State) -> Value | None:
    """What an inherited `forward` does, with the settings that are known; None where no torch module is inherited from."""
    module = torch_base(instance)
    if module is None or module.operator is None:
        return None
    kept: dict[str, Value] = {}
    for constructor_name, call_name in module.mapping.items():
        own = state.scope.get(f"self.{constructor_name}") if instance is frame.instance else None
        setting = own or instance.attributes.get(constructor_name)
        if setting is None and constructor_name == "reduction":
            setting = frame.machine.unknown(node, frame.unit, (), "self.reduction")
        if setting is not None and constructor_name not in _LEGACY:
            kept[call_name] = setting
    given = calls.Arguments(arguments.positional, {**kept, **arguments.named}, arguments.complete)
    return calls.operator_call(frame, module.operator, module.operator.parameters, given, node, state)
