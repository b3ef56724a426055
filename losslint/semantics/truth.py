"""Tests: what a condition asks, whether it is decided by configuration or by a tensor, and what each answer says."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import libcst as cst
from msgspec import Struct
from msgspec.structs import replace

from losslint.semantics.guards import closure
from losslint.semantics.known_shapes import from_rank
from losslint.semantics.measures import asked_for_rank, literal_int, literal_ints, sizes_of
from losslint.semantics.sizes import rank_of
from losslint.semantics.state import Assumption, State
from losslint.semantics.values import Kind, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame

Atom = tuple[Assumption, bool]

_COMPARISONS: dict[type, str] = {
    cst.Equal: "eq",
    cst.NotEqual: "ne",
    cst.LessThan: "lt",
    cst.LessThanEqual: "le",
    cst.GreaterThan: "gt",
    cst.GreaterThanEqual: "ge",
    cst.Is: "is",
    cst.IsNot: "is not",
    cst.In: "in",
    cst.NotIn: "not in",
}
_FLIPPED = {"ne": "eq", "is not": "is", "not in": "in"}


class Test(Struct, frozen=True):
    """A condition: its value; the answer where it is known; what holds if it is true, and if it is false.

    `tensors` are the tensor values whose truth Python asks for; `guarded` the keys of the values it compares.
    """

    value: Value
    known: bool | None = None
    if_true: tuple[Atom, ...] = ()
    if_false: tuple[Atom, ...] = ()
    tensors: tuple[Value, ...] = ()
    guarded: frozenset[int] = frozenset()

    def inverted(self) -> Test:
        """The test of `not` this."""
        known = None if self.known is None else not self.known
        return Test(self.value, known, self.if_false, self.if_true, self.tensors, self.guarded)

    def apply(self, state: State, answer: bool) -> None:
        """Tell a path which way it went."""
        answers = self.if_true if answer else self.if_false
        if answers:
            state.assume(answers)
        state.guard(self.guarded)


def comparison_name(operator: cst.BaseCompOp) -> str:
    """`eq`, `lt`, `is not`... for a comparison token."""
    return _COMPARISONS[type(operator)]


def read_test(frame: Frame, node: cst.BaseExpression, state: State) -> Test:
    """What a condition asks on this path."""
    structured = _structured_test(frame, node, state) if type(node) in _STRUCTURED else None
    if structured is not None:
        return structured
    asked = frame.evaluate(node, state)
    if asked.key in frame.machine.asked_kinds:
        return _instance(*frame.machine.asked_kinds[asked.key], state, asked)
    if asked.origin.name == "compared" and asked.origin.label in ("eq", "ne") and not tensors_behind(asked):
        one, other = asked.origin.operands  # a comparison that was given a name
        test = _equality(one, other, state, asked)
        return test if asked.origin.label == "eq" else test.inverted()
    return truthiness(asked, state)


# Asked first, since isinstance is slow with libcst's classes, which are abstract ones.
_STRUCTURED = frozenset({cst.UnaryOperation, cst.BooleanOperation, cst.Comparison, cst.Call})


def _structured_test(frame: Frame, node: cst.BaseExpression, state: State) -> Test | None:
    """The test of `not`, `and`, `or`, a comparison, `bool(x)` and `torch.is_tensor(x)`."""
    if type(node) is cst.Comparison:
        return _compared(frame, node, node.left, node.comparisons[0], state) if len(node.comparisons) == 1 else None
    if type(node) is cst.UnaryOperation:
        return read_test(frame, node.expression, state).inverted() if type(node.operator) is cst.Not else None
    if type(node) is cst.BooleanOperation:
        return _junction(frame, node.left, node.right, type(node.operator) is cst.And, state)
    if type(node) is not cst.Call or len(node.args) != 1:
        return None
    subject = node.args[0].value
    if type(node.func) is cst.Name and node.func.value == "bool":
        return read_test(frame, subject, state)
    if frame.unit.qualified(node.func) == "torch.is_tensor":
        return _instance(frame.evaluate(subject, state), "torch.Tensor", state, frame.evaluate(node, state))
    return None


def _junction(
    frame: Frame, left: cst.BaseExpression, right: cst.BaseExpression, conjunction: bool, state: State
) -> Test:
    """`left and right`, `left or right`: the right side is only asked where the left one has not decided."""
    first = read_test(frame, left, state)
    if first.known is not None and first.known is not conjunction:
        return first
    path = state.fork()
    first.apply(path, conjunction)
    second = read_test(frame, right, path)
    state.scope = path.scope
    return _both(first, second, conjunction)


def truthiness(value: Value, state: State) -> Test:
    """The test of a value by itself."""
    assumption: Assumption = ("truth", value.key)
    known = state.assumptions.get(assumption)
    if value.kind is Kind.NONE:
        known = known if value.is_default else False  # a default may be replaced
    elif value.has_constant and not value.is_default:
        known = bool(value.constant)
    elif value.kind in (Kind.MODULE, Kind.FUNCTION, Kind.CLASS):
        known = True
    if known is None and state.assumptions.get(("none", value.key)) is True:
        known = False
    holds: tuple[Atom, ...] = ((assumption, True), (("none", value.key), False))
    asked = tensors_behind(value)
    return Test(value, known, holds, ((assumption, False),), asked, closure(value))


def tensors_behind(value: Value) -> tuple[Value, ...]:
    """The tensors whose data decides a Python truth value: the value itself, or what `.item()` was called on."""
    if value.is_tensor:
        return (value,)
    if value.kind in (Kind.NUMBER, Kind.BOOL) and value.origin.name in _DATA_DEPENDENT:
        return tuple(each for each in value.origin.operands if each.is_tensor)
    if value.kind is Kind.BOOL and value.origin.name == "compared" and value.origin.label in _ORDERINGS:
        return tuple(each for operand in value.origin.operands for each in tensors_behind(operand))
    if value.origin.name in _ARITHMETIC and value.kind is Kind.NUMBER:
        return tuple(each for operand in value.origin.operands for each in tensors_behind(operand))
    return ()


_DATA_DEPENDENT = frozenset({"item", "float", "int", "bool", "equal", "allclose"})
_ORDERINGS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "neg", "abs"})


def _both(left: Test, right: Test, conjunction: bool) -> Test:
    """left and right; left or right is its mirror image."""
    if not conjunction:
        return _both(left.inverted(), right.inverted(), True).inverted()
    known: bool | None = None
    if left.known is False or right.known is False:
        known = False
    elif left.known is True:
        known = right.known
    if_false: tuple[Atom, ...] = ()
    if left.known is True:
        if_false = right.if_false
    elif right.known is True:
        if_false = left.if_false
    return Test(
        right.value if left.known is True else left.value,
        known,
        left.if_true + right.if_true,
        if_false,
        left.tensors if right.known is not None else left.tensors + right.tensors,
        left.guarded | right.guarded,
    )


def _compared(
    frame: Frame,
    node: cst.Comparison,
    left_node: cst.BaseExpression,
    target: cst.ComparisonTarget,
    state: State,
) -> Test:
    name = comparison_name(target.operator)
    positive = _FLIPPED.get(name, name)
    left = frame.evaluate(left_node, state)
    right = frame.evaluate(target.comparator, state)
    value = frame.compare(name, left, right, node, state)
    decided = _by_rank(name, left, right)
    if decided is not None:
        return Test(value, decided)
    if positive == "is":
        test = _identity(left, right, state, value)
    elif positive == "in":
        test = _membership(left, right, state, value)
    elif positive == "eq" and not (left.is_tensor or right.is_tensor or tensors_behind(left) or tensors_behind(right)):
        test = _equality(left, right, state, value)
    else:
        return _with_default(truthiness(value, state), name, left, right)
    return _with_default(test if name == positive else test.inverted(), name, left, right)


def _with_default(test: Test, name: str, left: Value, right: Value) -> Test:
    """What the answer says of a setting: whether it can still have its default, as `power=0.5` has not where `power >= 1`."""
    setting, other = (left, right) if left.is_default else (right, left)
    numbers = all(isinstance(each.constant, (int, float)) for each in (left, right))
    if not setting.is_default or other.is_default or not numbers or name not in _ORDER:
        return test
    answer = bool(_ORDER[name](left.constant, right.constant))
    default: Assumption = ("default", setting.key)
    return replace(test, if_true=(*test.if_true, (default, answer)), if_false=(*test.if_false, (default, not answer)))


def _identity(left: Value, right: Value, state: State, value: Value) -> Test:
    if right.kind is Kind.BOOL and right.has_constant and not right.is_default:
        return _is_bool(left, right.constant is True, state, value)
    if right.kind is not Kind.NONE:
        return Test(value, None, ((("is", left.key, right.key), True),), ((("is", left.key, right.key), False),))
    assumption: Assumption = ("none", left.key)
    known = state.assumptions.get(assumption)
    if left.kind is Kind.NONE and not left.is_default:
        known = True
    elif any(each.kind is Kind.NONE for each in left.alternatives) and left.kind is not Kind.NONE:
        pass  # None on one of the paths that were joined
    elif (
        left.kind not in (Kind.UNKNOWN, Kind.NONE) and not left.is_default and left.origin.name != "parameter"
    ) or state.assumptions.get(("truth", left.key)) is True:
        known = False
    return Test(value, known, ((assumption, True),), ((assumption, False),))


def _is_bool(left: Value, expected: bool, state: State, value: Value) -> Test:
    """`x is True` or `x is False`, which say that x is true or false; the opposite says nothing."""
    truth: Assumption = ("truth", left.key)
    if state.assumptions.get(truth) is (not expected):
        return Test(value, False)
    if left.has_constant and not left.is_default:
        return Test(value, left.constant is expected)
    same: Assumption = ("is", left.key, expected)
    return Test(value, state.assumptions.get(same), ((same, True), (truth, expected)), ((same, False),))


def _equality(left: Value, right: Value, state: State, value: Value) -> Test:
    if left.has_constant and not right.has_constant:
        left, right = right, left
    known: bool | None = None
    if right.has_constant:
        known = _known_equal(left, right, state)
    assumption: Assumption = ("eq", left.key, right.key)
    if known is None:
        known = state.assumptions.get(assumption)
    return Test(
        value,
        known,
        ((assumption, True), *_ranks_if(left, right)),
        ((assumption, False),),
        (),
        closure(left) | closure(right),
    )


def _ranks_if(left: Value, right: Value) -> tuple[Atom, ...]:
    """What `x.dim() == 4`, `x.ndim == 4` or `len(x.shape) == 4` says of ranks."""
    rank, asked = literal_int(right), asked_for_rank(left)
    if rank is None or asked is None:
        return ()
    return tuple((("shape", key, sizes), True) for key, sizes in from_rank(asked, rank).items())


def _by_rank(name: str, left: Value, right: Value) -> bool | None:
    """The answer to a test of a rank that is known."""
    asked, other = asked_for_rank(left), literal_int(right)
    rank = None if asked is None else rank_of(sizes_of(asked))
    if rank is None:
        return None
    if name in ("in", "not in"):
        among = literal_ints(right)
        return None if among is None else (rank in among) is (name == "in")
    return _ORDER[name](rank, other) if other is not None and name in _ORDER else None


_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def _known_equal(left: Value, right: Value, state: State) -> bool | None:
    if left.has_constant and not left.is_default:
        return bool(left.constant == right.constant)
    for assumption, answer in state.assumptions.items():
        if assumption[:2] == ("eq", left.key) and answer:
            return assumption[2] == right.key
    return None


def _membership(left: Value, right: Value, state: State, value: Value) -> Test:
    members = right.elements if isinstance(right.elements, tuple) else ()
    if not members or not all(member.has_constant for member in members):
        return Test(value, None, ((("in", left.key, right.key), True),), ((("in", left.key, right.key), False),))
    answers = [_known_equal(left, member, state) for member in members]
    known = True if True in answers else (False if all(answer is False for answer in answers) else None)
    none_equal = tuple(((("eq", left.key, member.key), False)) for member in members)
    return Test(value, known, ((("in", left.key, right.key), True),), none_equal)


_SEQUENCE_NAMES = frozenset({"list", "tuple", "List", "Tuple", "Sequence", "Iterable"})


def _instance(subject: Value, text: str, state: State, value: Value) -> Test:
    words = {word.rpartition(".")[2] for word in text.replace("(", " ").replace(")", " ").replace(",", " ").split()}
    assumption: Assumption = ("isinstance", subject.key, text)
    known = state.assumptions.get(assumption)
    if subject.kind is Kind.TENSOR and subject.origin.name != "parameter":
        known = "Tensor" in words
    elif subject.kind is Kind.NONE and not subject.is_default:
        known = False
    atoms: tuple[Atom, ...] = ((assumption, True), (("none", subject.key), False))
    if words <= _SEQUENCE_NAMES:
        atoms += ((("sequence", subject.key), True),)
    return Test(value, known, atoms, ((assumption, False),))
