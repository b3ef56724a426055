"""Expressions: what every form of Python expression evaluates to on one path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import libcst as cst

from losslint.semantics import callables, failures
from losslint.semantics.devices import joint
from losslint.semantics.empty_masks import comparison_witness
from losslint.semantics.graph import Condition
from losslint.semantics.guards import without_asked
from losslint.semantics.literals import literal
from losslint.semantics.measures import sizes_of
from losslint.semantics.operators import Interval, lookup_function
from losslint.semantics.sizes import rank_of
from losslint.semantics.state import State
from losslint.semantics.subscripts import subscript
from losslint.semantics.transfer import apply_operator
from losslint.semantics.truth import comparison_name, read_test, tensors_behind
from losslint.semantics.values import EVERYTHING, DType, Gradient, Kind, Origin, Role, Value
from losslint.semantics.view_shapes import turned

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

_BINARY: dict[type, str] = {
    cst.Add: "add",
    cst.Subtract: "sub",
    cst.Multiply: "mul",
    cst.Divide: "div",
    cst.FloorDivide: "floor_divide",
    cst.Modulo: "remainder",
    cst.Power: "pow",
    cst.MatrixMultiply: "matmul",
    cst.BitAnd: "bitwise_and",
    cst.BitOr: "bitwise_or",
    cst.BitXor: "bitwise_xor",
    cst.AddAssign: "add",
    cst.SubtractAssign: "sub",
    cst.MultiplyAssign: "mul",
    cst.DivideAssign: "div",
    cst.PowerAssign: "pow",
    cst.MatrixMultiplyAssign: "matmul",
    cst.FloorDivideAssign: "floor_divide",
    cst.ModuloAssign: "remainder",
    cst.BitAndAssign: "bitwise_and",
    cst.BitOrAssign: "bitwise_or",
}
_FOLD = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "floor_divide": lambda a, b: a // b,
}


def evaluate(frame: Frame, node: cst.BaseExpression, state: State) -> Value:
    """The value of an expression; names it binds and tensors it changes in place are bound in `state`."""
    handler = _HANDLERS.get(type(node))
    return handler(frame, node, state) if handler is not None else frame.machine.unknown(node, frame.unit)


def _constant(frame: Frame, node: cst.BaseExpression, state: State) -> Value:
    literals = frame.machine.literals
    known = literals.get(id(node))
    if known is None:
        known = literals[id(node)] = frame.machine.constant(_literal(node), node, frame.unit)
    return known


def _binary(frame: Frame, node: cst.BinaryOperation, state: State) -> Value:
    first = evaluate(frame, node.left, state)
    second = evaluate(frame, node.right, state)
    return arithmetic(frame, _BINARY.get(type(node.operator), ""), first, second, node, state)


def _named(frame: Frame, node: cst.NamedExpr, state: State) -> Value:
    bound = evaluate(frame, node.value, state)
    if isinstance(node.target, cst.Name):
        state.bind(node.target.value, bound)
    return bound


def _ellipsis(frame: Frame, node: cst.Ellipsis, state: State) -> Value:
    return frame.machine.constant(..., node, frame.unit)


def _lambda(frame: Frame, node: cst.Lambda, state: State) -> Value:
    return callables.lambda_value(frame, node, state)


def _formatted(frame: Frame, node: cst.FormattedString, state: State) -> Value:
    """An f-string; the names in it are its operands, what is computed in it is nothing of the loss."""
    names = [part.expression for part in node.parts if isinstance(part, cst.FormattedStringExpression)]
    shown = tuple(state.scope[each.value] for each in names if isinstance(each, cst.Name) and each.value in state.scope)
    return Value(frame.machine.fresh(), Kind.STR, origin=Origin("formatted", shown, site=frame.site(node)))


def _literal(node: cst.BaseExpression) -> object:
    if isinstance(node, (cst.Integer, cst.Float, cst.SimpleString)):
        return literal(node)
    if isinstance(node, cst.Name):
        return _KEYWORDS[node.value]
    if isinstance(node, cst.Ellipsis):
        return ...
    if isinstance(node, (cst.Imaginary, cst.ConcatenatedString)):
        return node.evaluated_value
    return None


_KEYWORDS: dict[str, object] = {"None": None, "True": True, "False": False, "Ellipsis": ...}


def _name(frame: Frame, node: cst.Name, state: State) -> Value:
    name = node.value
    if name in state.scope:
        frame.machine.bound_reads.add(id(node))
        return frame.refined(state.scope[name], state)
    if name in _KEYWORDS:
        return _constant(frame, node, state)
    if frame.active and not state.loops and name in frame.machine.local_names(frame.active[-1]):
        frame.machine.unbound_reads.setdefault(id(node), frame.site(node))
    elif failures.is_unbound(frame.machine, frame.unit, name):
        state.fails = True
    return frame.global_value(name, node)


def _attribute(frame: Frame, node: cst.Attribute, state: State) -> Value:
    qualified = frame.unit.qualified(node)
    if qualified is not None and qualified.split(".")[0] in ("torch", "math", "numpy"):
        return frame.library_value(qualified, node)
    name = node.attr.value
    if type(node.value) is cst.Name and node.value.value == "self":
        return frame.refined(frame.self_attribute(name, node, state), state)
    receiver = evaluate(frame, node.value, state)
    frame.use(receiver, node, state, "attribute")
    return attribute_of(frame, receiver, name, node, state)


def attribute_of(frame: Frame, receiver: Value, name: str, node: cst.BaseExpression, state: State) -> Value:
    """`receiver.name` where that is no call."""
    machine = frame.machine
    key = machine.number("attribute", receiver.key, name)
    origin = Origin(name, (receiver,), site=frame.site(node), label=name, frame=state.frame)
    role = Role.CONFIG if receiver.role is Role.CONFIG else Role.UNKNOWN
    if name == "shape":
        frame.learn(receiver, Kind.TENSOR)
        return Value(key, Kind.SHAPE, origin=Origin("shape", (receiver,), site=frame.site(node)), role=role)
    if name in ("ndim", "requires_grad", "is_cuda", "is_sparse", "itemsize", "training", "nelement"):
        return Value(key, Kind.NUMBER, origin=origin, role=role)
    if name in ("dtype", "device", "layout", "grad_fn", "names"):
        frame.learn(receiver, Kind.TENSOR)
        return Value(key, Kind.OBJECT, origin=origin, role=role)
    if name == "data":
        cut = Gradient.CUT if receiver.gradient is Gradient.CARRIES else receiver.gradient
        made = receiver.with_(key=key, kind=Kind.TENSOR, origin=origin, gradient=cut)
        return machine.emit(made, state)
    if name in ("T", "mT", "H", "mH"):
        sizes = turned(sizes_of(receiver), last_two=name in ("mT", "mH"))
        made = receiver.with_(
            key=key,
            kind=Kind.TENSOR,
            origin=Origin("transpose", (receiver,), site=frame.site(node)),
            rank=rank_of(sizes),
            shape=sizes,
        )
        return machine.emit(made, state)
    if isinstance(receiver.elements, dict) and name in receiver.elements:
        found = receiver.elements[name]
        assert isinstance(found, Value)
        return found
    if name in ("real", "imag") and receiver.kind in (Kind.TENSOR, Kind.UNKNOWN):
        part = Value(
            key, Kind.TENSOR, origin=origin, gradient=receiver.gradient, rank=receiver.rank, alias=receiver.alias
        )
        return machine.emit(part, state)
    if isinstance(receiver.elements, tuple):
        labelled = [element for element in receiver.elements if element.origin.label == name]
        if labelled:
            return labelled[0]
    unknown = machine.unknown(node, frame.unit, (receiver,), f".{name}")
    return unknown.with_(origin=Origin("attribute", (receiver,), site=frame.site(node), label=name))


def arithmetic(frame: Frame, name: str, left: Value, right: Value, node: cst.CSTNode, state: State) -> Value:
    """`left <operator> right`, folded for constants, an operator where a tensor can be involved."""
    machine = frame.machine
    for value in (left, right):
        frame.use(value, node, state, "arithmetic")
    if left.has_constant and right.has_constant:
        folded = _folded(frame, name, left, right, node)
        if folded is not None:
            return folded
    operator = lookup_function(f"torch.{name}")
    if operator is None:
        return machine.unknown(node, frame.unit, (left, right))
    if Kind.SEQUENCE in (left.kind, right.kind) and Kind.TENSOR not in (left.kind, right.kind):
        return _sequence_arithmetic(frame, name, left, right, node)
    arguments = {"input": left, "other" if name != "pow" else "exponent": right}
    made = apply_operator(machine, state, operator, arguments, (left, right), frame.site(node))
    kinds = {left.kind, right.kind}
    if Kind.TENSOR in kinds:
        return made
    numeric = kinds <= {Kind.NUMBER, Kind.BOOL}
    return _as_python(frame, made, Kind.NUMBER if numeric else Kind.UNKNOWN)


def _as_python(frame: Frame, made: Value, kind: Kind) -> Value:
    """The result of an operator on values that are no proven tensors keeps its facts but not the claim to be one."""
    changed = made.with_(kind=kind, rank=0, shape=()) if kind is Kind.NUMBER else made.with_(kind=kind)
    frame.machine.replace_last(changed)
    return changed


def _folded(frame: Frame, name: str, left: Value, right: Value, node: cst.CSTNode) -> Value | None:
    if name not in _FOLD:
        return None
    try:
        result = _FOLD[name](left.constant, right.constant)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, MemoryError):
        return None
    value = frame.machine.constant(result, node, frame.unit)
    origin = Origin(name, (left, right), site=frame.site(node), label=repr(result))
    return value.with_(
        key=frame.machine.number(name, left.key, right.key),
        origin=origin,
        is_default=left.is_default or right.is_default,
    )


def _sequence_arithmetic(frame: Frame, name: str, left: Value, right: Value, node: cst.CSTNode) -> Value:
    elements: tuple[Value, ...] | None = None
    if name == "add" and isinstance(left.elements, tuple) and isinstance(right.elements, tuple):
        elements = left.elements + right.elements
    made = frame.machine.unknown(node, frame.unit, (left, right))
    return made.with_(kind=Kind.SEQUENCE, elements=elements)


def _unary(frame: Frame, node: cst.UnaryOperation, state: State) -> Value:
    operator, inner = node.operator, evaluate(frame, node.expression, state)
    if isinstance(operator, cst.Not):
        asked = tensors_behind(inner)
        if asked:
            frame.branch(asked, node, state, "not")
        return Value(
            frame.machine.number("not", inner.key),
            Kind.BOOL,
            origin=Origin("not", (inner,), site=frame.site(node)),
        )
    name = {"Minus": "neg", "BitInvert": "bitwise_not"}.get(type(operator).__name__)
    if name is None:
        return inner
    if name == "neg" and inner.has_constant and isinstance(inner.constant, (int, float)):
        made = frame.machine.constant(-inner.constant, node, frame.unit)
        if not inner.is_default:
            return made
        origin = Origin(name, (inner,), site=frame.site(node), label=repr(made.constant))
        return made.with_(key=frame.machine.number(name, inner.key), origin=origin, is_default=True)
    table = lookup_function(f"torch.{name}")
    if table is None:
        return frame.machine.unknown(node, frame.unit, (inner,))
    made = apply_operator(frame.machine, state, table, {"input": inner}, (inner,), frame.site(node))
    return made if inner.is_tensor else _as_python(frame, made, inner.kind)


def _comparison(frame: Frame, node: cst.Comparison, state: State) -> Value:
    left = evaluate(frame, node.left, state)
    values = [left]
    parts: list[Value] = []
    for target in node.comparisons:
        right = evaluate(frame, target.comparator, state)
        parts.append(compare(frame, comparison_name(target.operator), values[-1], right, node, state))
        values.append(right)
    if len(parts) > 1 and any(part.is_tensor for part in parts):
        frame.branch(tuple(part for part in parts if part.is_tensor), node, state, "chained comparison")
    return parts[-1]


def compare(frame: Frame, name: str, left: Value, right: Value, node: cst.CSTNode, state: State) -> Value:
    """`left <name> right`: an operator where a tensor takes part, else a Python truth value."""
    machine = frame.machine
    tensor = left.is_tensor or right.is_tensor
    if name in ("lt", "le", "gt", "ge"):
        for value in (left, right):
            frame.use(value, node, state, "arithmetic")
    if tensor and name in ("eq", "ne", "lt", "le", "gt", "ge"):
        operator = lookup_function(f"torch.{name}")
        if operator is not None and Kind.NONE not in (left.kind, right.kind):
            arguments = {"input": left, "other": right}
            return apply_operator(machine, state, operator, arguments, (left, right), frame.site(node))
    unknown = Kind.UNKNOWN in (left.kind, right.kind) and name not in ("is", "is not", "in", "not in")
    gradient = Gradient.NEUTRAL
    if unknown and Gradient.CARRIES in (left.gradient, right.gradient):
        gradient = Gradient.ZERO
    made = Value(
        key=machine.number("compared", name, left.key, right.key),
        kind=Kind.UNKNOWN if unknown else Kind.BOOL,
        interval=Interval(0.0, 1.0),
        origin=Origin("compared", (left, right), site=frame.site(node), label=name, frame=state.frame),
        gradient=gradient,
        dtype=DType.BOOL,
        device=joint((left, right)),
    )
    return made.with_(zero=comparison_witness(name, [left, right], made)) if unknown else made


def _boolean(frame: Frame, node: cst.BooleanOperation, state: State) -> Value:
    left = evaluate(frame, node.left, state)
    asked = tensors_behind(left)
    if asked:
        frame.branch(asked, node, state, "and" if isinstance(node.operator, cst.And) else "or")
    test = read_test(frame, node.left, state)
    conjunction = isinstance(node.operator, cst.And)
    if test.known is not None and conjunction is not test.known:
        return left
    path = state.fork()
    test.apply(path, conjunction)
    right = evaluate(frame, node.right, path)
    state.scope = path.scope
    return right if test.known is not None else frame.machine.phi((left, right), node, frame.unit)


def _ternary(frame: Frame, node: cst.IfExp, state: State) -> Value:
    test = read_test(frame, node.test, state)
    if test.known is not None:
        return evaluate(frame, node.body if test.known else node.orelse, state)
    if test.tensors:
        frame.branch(test.tensors, node, state, "ternary")
    values: list[Value] = []
    for answer, branch in ((True, node.body), (False, node.orelse)):
        path = state.fork()
        test.apply(path, answer)
        path.conditions = (*path.conditions, Condition(test.value, answer, frame.site(node), not test.tensors))
        values.append(without_asked(evaluate(frame, branch, path), test.guarded))
    return frame.machine.phi(values, node, frame.unit)


def _sequence(frame: Frame, node: cst.Tuple | cst.List | cst.Set, state: State) -> Value:
    elements = node.elements
    starred = any(isinstance(element, cst.StarredElement) for element in elements)
    values = tuple(evaluate(frame, element.value, state) for element in elements)
    made = frame.machine.unknown(node, frame.unit, values)
    return made.with_(
        key=frame.machine.number("sequence", *(value.key for value in values)),
        kind=Kind.SEQUENCE,
        origin=Origin("sequence", values, site=frame.site(node)),
        elements=None if starred else values,
        interval=EVERYTHING,
    )


def _mapping(frame: Frame, node: cst.Dict, state: State) -> Value:
    elements: dict[str, Value] = {}
    values: list[Value] = []
    for element in node.elements:
        values.append(evaluate(frame, element.value, state))
        if isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString):
            elements[str(literal(element.key))] = values[-1]
    made = frame.machine.unknown(node, frame.unit, values)
    return made.with_(
        kind=Kind.MAPPING, origin=Origin("mapping", tuple(values), site=frame.site(node)), elements=elements
    )


_HANDLERS: dict[type, Callable[[Frame, Any, State], Value]] = {
    cst.Name: _name,
    cst.Integer: _constant,
    cst.Float: _constant,
    cst.Imaginary: _constant,
    cst.Ellipsis: _constant,
    cst.SimpleString: _constant,
    cst.ConcatenatedString: _constant,
    cst.Ellipsis: _ellipsis,
    cst.Attribute: _attribute,
    cst.Call: lambda frame, node, state: frame.call(node, state),
    cst.BinaryOperation: _binary,
    cst.UnaryOperation: _unary,
    cst.Comparison: _comparison,
    cst.BooleanOperation: _boolean,
    cst.IfExp: _ternary,
    cst.Subscript: subscript,
    cst.Tuple: _sequence,
    cst.List: _sequence,
    cst.Set: _sequence,
    cst.Dict: _mapping,
    cst.ListComp: lambda frame, node, state: frame.comprehension(node, state),
    cst.GeneratorExp: lambda frame, node, state: frame.comprehension(node, state),
    cst.SetComp: lambda frame, node, state: frame.comprehension(node, state),
    cst.NamedExpr: _named,
    cst.Lambda: _lambda,
    cst.FormattedString: _formatted,
    cst.Await: lambda frame, node, state: evaluate(frame, node.expression, state),
}
