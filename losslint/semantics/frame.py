"""One function being interpreted: its file, its class, and the doors to evaluation, calls and statements."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from losslint.semantics import callables, calls, comprehensions, expressions, stores
from losslint.semantics.graph import BRANCH, UNASKED
from losslint.semantics.known_shapes import from_rank, refined_shape
from losslint.semantics.machine import MAX_CALL_DEPTH, Machine
from losslint.semantics.members import Instance, member_value
from losslint.semantics.names import Function, Unit
from losslint.semantics.operators import Shape, lookup_function, lookup_module
from losslint.semantics.parameters import defaults_to_none, only_possible_tensor
from losslint.semantics.selections import is_selection
from losslint.semantics.state import State
from losslint.semantics.values import EVERYTHING, DType, Gradient, Kind, Origin, Role, Site, Value


class Frame:
    """A function body in its file and class."""

    def __init__(self, machine: Machine, unit: Unit, instance: Instance | None = None, depth: int = 0) -> None:
        self.machine = machine
        self.unit = unit
        self.instance = instance
        self.depth = depth
        self.active: tuple[Function, ...] = ()

    def evaluate(self, node: cst.BaseExpression, state: State) -> Value:
        """The value of an expression."""
        return expressions.evaluate(self, node, state)

    def compare(self, name: str, left: Value, right: Value, node: cst.CSTNode, state: State) -> Value:
        """The value of a comparison of two values."""
        return expressions.compare(self, name, left, right, node, state)

    def call(self, node: cst.Call, state: State) -> Value:
        """The value of a call."""
        return calls.evaluate_call(self, node, state)

    def comprehension(self, node: cst.ListComp | cst.GeneratorExp | cst.SetComp, state: State) -> Value:
        """The value of a comprehension."""
        return comprehensions.comprehension(self, node, state)

    def site(self, node: cst.CSTNode) -> Site:
        """Where a node of this function stands."""
        return Site(self.unit, node)

    def branch(self, asked: Sequence[Value], node: cst.CSTNode, state: State, detail: str) -> None:
        """Record that Python asks for the truth of tensors here."""
        origin = Origin(BRANCH, tuple(asked), site=self.site(node), frame=state.frame)
        value = Value(self.machine.fresh(), Kind.BOOL, origin=origin, dtype=DType.BOOL)
        self.machine.emit(value, state, detail)

    def use(self, value: Value, node: cst.CSTNode, state: State, detail: str) -> None:
        """Record that Python cannot do with None what it does here, where None is a default that no test has asked for."""
        if not defaults_to_none(value) or any(value.key in assumption[1:] for assumption in state.assumptions):
            return
        origin = Origin(UNASKED, (value,), site=self.site(node), frame=state.frame)
        self.machine.emit(Value(self.machine.fresh(), origin=origin), state, detail)

    def is_selection(self, value: Value) -> bool:
        """Whether the number of elements of a tensor depends on a mask."""
        return value.is_tensor and is_selection(value)

    def store(self, target: cst.Subscript, value: Value, state: State) -> None:
        """`target[index] = value`: the tensor, list or mapping behind the name changes."""
        stores.store(self, target, value, state)

    def learn(self, value: Value, kind: Kind | None = None, role: Role | None = None) -> None:
        """Remember what the use of a parameter of the loss says of it, or of the one a comparison or a sum is made of."""
        if kind is Kind.TENSOR and role is None and value.kind is Kind.UNKNOWN:
            value = only_possible_tensor(value) or value
        if value.origin.name == "parameter" and value.origin.frame == 0:
            if kind is not None:
                self.machine.learned_kinds.setdefault(value.origin.label, kind)
            if role is not None:
                self.machine.learned_roles.setdefault(value.origin.label, role)

    def learn_rank(self, value: Value, rank: int, state: State) -> None:
        """Remember on this path how many dimensions a tensor has, and what that says of the one it is made from."""
        state.learn_shapes(from_rank(value, rank))

    def refined(self, value: Value, state: State) -> Value:
        """A value as this path knows it: None, a sequence, or a string that a test has fixed."""
        if value.is_default and state.assumptions.get(("default", value.key)) is False:
            return value.with_(constant=None, has_constant=False, is_default=False, interval=EVERYTHING)
        if value.kind not in (Kind.UNKNOWN, Kind.STR, Kind.NONE, Kind.TENSOR):
            return value
        if state.shapes:
            value = refined_shape(value, state.shapes)
        if not state.assumptions:
            return value
        if state.assumptions.get(("none", value.key)) is True and value.kind is not Kind.NONE:
            return value.with_(kind=Kind.NONE, constant=None, has_constant=True, is_default=False)
        if state.assumptions.get(("sequence", value.key)) is True:
            return value.with_(kind=Kind.SEQUENCE)
        if value.origin.name == "phi" and state.assumptions.get(("none", value.key)) is False:
            left = [each for each in value.alternatives if each.kind is not Kind.NONE]
            return self.machine.phi(left) if 0 < len(left) < len(value.alternatives) else value
        if value.kind is Kind.NONE and value.is_default and state.assumptions.get(("none", value.key)) is False:
            return value.with_(kind=Kind.UNKNOWN, has_constant=False, is_default=False)
        return value

    def string_on_path(self, value: Value, state: State) -> object:
        """The constant a configuration value has on this path: its own, or the one a test compared it with."""
        if value.has_constant and not value.is_default:
            return value.constant
        for assumption, answer in state.assumptions.items():
            if answer and assumption[:2] == ("eq", value.key):
                return self.machine.constants.get(assumption[2]) if isinstance(assumption[2], int) else None
        return None

    def global_value(self, name: str, node: cst.CSTNode) -> Value:
        """A name of the module: a constant, a function, a class, an import, or a builtin."""
        machine = self.machine
        value = self.project_value(name)
        if value is not None:
            return value
        constant = self.unit.constants.get(name)
        if isinstance(constant, (cst.Integer, cst.Float, cst.SimpleString, cst.UnaryOperation, cst.BinaryOperation)):
            return self._of_module().evaluate(constant, State())
        if isinstance(constant, cst.Call) and self._makes_tensor(constant):
            return self._tensor_constant(constant)
        if name in self.unit.imports:
            return self.library_value(self.unit.imports[name], node)
        return machine.unknown(node, self.unit, (), f"global {name}")

    def project_value(self, name: str) -> Value | None:
        """A function, class or module that the project binds to a name of this file, here or where it is imported from."""
        if name in self.unit.imports:
            found = self.machine.resolve(self.unit, name) if self.depth < MAX_CALL_DEPTH else None
            return callables.project_value(self, *found) if found is not None else None
        return callables.project_value(self, self.unit, name)

    def _makes_tensor(self, node: cst.BaseExpression) -> bool:
        """Whether a constant of the module is a torch factory's result, or a method of one."""
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            operator = lookup_function(self.unit.qualified(node.func) or "")
            if operator is not None:
                return operator.shape is Shape.FACTORY
            node = node.func.value
        return False

    def _of_module(self) -> Frame:
        """A frame in which the names of the function that runs are not local."""
        return Frame(self.machine, self.unit, self.instance, self.depth)

    def _tensor_constant(self, node: cst.Call) -> Value:
        """A tensor that the module makes when it is imported, which is no operator of the loss."""
        outer, self.machine.ops = self.machine.ops, []
        try:
            return self._of_module().evaluate(node, State())
        finally:
            self.machine.ops = outer

    def library_value(self, qualified: str, node: cst.CSTNode) -> Value:
        """A name of torch, math or another library that is not called here."""
        machine = self.machine
        constant = _LIBRARY_CONSTANTS.get(qualified)
        if constant is not None:
            return machine.constant(constant, node, self.unit)
        kind = Kind.UNKNOWN
        if lookup_function(qualified) is not None:
            kind = Kind.FUNCTION
        elif lookup_module(qualified) is not None:
            kind = Kind.CLASS
        return Value(
            machine.number("library", qualified),
            kind,
            origin=Origin("library", site=self.site(node), label=qualified),
        )

    def self_attribute(self, name: str, node: cst.CSTNode, state: State) -> Value:
        """`self.name`: assigned on this path, in `__init__`, in the class body, or unknown."""
        bound = state.scope.get(f"self.{name}")
        if bound is not None:
            return bound
        if self.instance is not None:
            found = member_value(self.machine, self.instance, name, node)
            if found is not None:
                return found
        key = self.machine.number("self", name)
        origin = Origin("attribute", site=self.site(node), label=f"self.{name}")
        return Value(key, origin=origin, gradient=Gradient.CARRIES, role=Role.CONFIG)


_LIBRARY_CONSTANTS: dict[str, object] = {
    "math.pi": 3.141592653589793,
    "math.e": 2.718281828459045,
    "math.inf": float("inf"),
    "torch.pi": 3.141592653589793,
    "torch.inf": float("inf"),
    "numpy.pi": 3.141592653589793,
    "numpy.inf": float("inf"),
}
