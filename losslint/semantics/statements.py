"""Statements: how paths run, fork, join and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import libcst as cst

from losslint.semantics import callables
from losslint.semantics.comprehensions import bind_target, element_of, looped_tensors, record_loop
from losslint.semantics.context_managers import cuts_gradient, enables_gradient, sets_device, swallows
from losslint.semantics.expressions import _BINARY, arithmetic
from losslint.semantics.graph import RETURN, Condition
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.loops import is_never_empty, settled
from losslint.semantics.machine import MAX_STATES
from losslint.semantics.names import Function
from losslint.semantics.requires_grad import with_gradient
from losslint.semantics.state import State, join_states
from losslint.semantics.truth import Test, read_test
from losslint.semantics.values import Device, Origin, Value

if TYPE_CHECKING:
    from losslint.semantics.frame import Frame


@dataclass(slots=True)
class Flow:
    """How the paths through a block ended: `falling` go on, `returned` left with a value, `broken` left a loop.

    `continued` are those that go on with the next turn of a loop.
    """

    falling: list[State]
    returned: list[tuple[State, Value]] = field(default_factory=list)
    broken: list[State] = field(default_factory=list)
    continued: list[State] = field(default_factory=list)

    def leave_as(self, other: Flow) -> None:
        """Take over the paths of another flow that do not go on behind it."""
        self.returned += other.returned
        self.broken += other.broken
        self.continued += other.continued


def run_function(frame: Frame, function: Function, state: State) -> Flow:
    """Run a function's body; decorators that are context managers are honoured."""
    for decorator in function.decorators:
        if cuts_gradient(frame, decorator.decorator):
            state.gradient_matters = False
        elif isinstance(decorator.decorator, cst.Call):
            written = frame.unit.qualified(decorator.decorator.func) or ""
            if written.startswith("torch."):
                state.contexts = (*state.contexts, frame.evaluate(decorator.decorator, State()))
    return run_suite(frame, function.body, [state])


def run_suite(frame: Frame, suite: cst.BaseSuite, states: list[State]) -> Flow:
    """Run an indented block, or the statements behind a colon."""
    flow = Flow([state for state in states if not state.fails])
    for statement in suite.body:
        if not flow.falling:
            break
        following: list[State] = []
        for state in flow.falling:
            after = run_statement(frame, statement, state)
            following.extend(end for end in after.falling if not end.fails)
            flow.leave_as(after)
        flow.falling = _limited(frame, following)
    return flow


def _limited(frame: Frame, states: list[State]) -> list[State]:
    """At most eight paths; paths that know the same are one."""
    if len(states) < 2:
        return states
    distinct: list[State] = []
    for state in states:
        if not any(_same(state, other) for other in distinct):
            distinct.append(state)
    if len(distinct) <= MAX_STATES:
        return distinct
    return [*distinct[: MAX_STATES - 1], join_states(distinct[MAX_STATES - 1 :], frame.machine.phi)]


def _same(left: State, right: State) -> bool:
    """Two paths that bind the same values and are guarded alike need to be run only once."""
    if left.scope is not right.scope and not _binds_same(left.scope, right.scope):
        return False
    if (
        left.guards != right.guards
        or left.shapes != right.shapes
        or left.gradient_matters is not right.gradient_matters
    ):
        return False
    right.assumptions = {
        key: answer for key, answer in right.assumptions.items() if left.assumptions.get(key) is answer
    }
    return True


def _binds_same(left: Mapping[str, Value], right: Mapping[str, Value]) -> bool:
    if left.keys() != right.keys():
        return False
    for name, value in left.items():
        other = right[name]
        if value is not other and value.key != other.key:
            return False
    return True


def run_statement(frame: Frame, node: cst.CSTNode, state: State) -> Flow:
    """Run one statement on one path."""
    frame.machine.count_statement()
    compound = _COMPOUND.get(type(node))
    if compound is not None:
        return compound(frame, node, state)
    flow = Flow([state])
    # behind the colon of a one-line suite a small statement stands alone
    for small in node.body if type(node) is cst.SimpleStatementLine else (node,):
        run = _SMALL.get(type(small))
        if run is not None and flow.falling:
            run(frame, small, state, flow)
    return flow


def _definition(frame: Frame, node: cst.FunctionDef, state: State) -> Flow:
    callables.bind_definition(frame, node, state)
    return Flow([state])


def _assigned(frame: Frame, node: cst.Assign, state: State, flow: Flow) -> None:
    made = frame.evaluate(node.value, state)
    for target in node.targets:
        _assign(frame, target.target, made, state)


def _annotated(frame: Frame, node: cst.AnnAssign, state: State, flow: Flow) -> None:
    if node.value is not None:
        _assign(frame, node.target, frame.evaluate(node.value, state), state)


def _expression(frame: Frame, node: cst.Expr, state: State, flow: Flow) -> None:
    if type(node.value) is not cst.SimpleString:  # a docstring
        frame.evaluate(node.value, state)


def _return(frame: Frame, node: cst.Return, state: State, flow: Flow) -> None:
    made = frame.evaluate(node.value, state) if node.value is not None else frame.machine.constant(None)
    if state.fails:
        return
    origin = Origin(RETURN, (made,), site=frame.site(node), frame=state.frame)
    frame.machine.emit(made.with_(origin=origin), state)
    flow.falling = []
    flow.returned.append((state, made))


def _raise(frame: Frame, node: cst.Raise, state: State, flow: Flow) -> None:
    flow.falling = []


def _break(frame: Frame, node: cst.Break, state: State, flow: Flow) -> None:
    flow.falling = []
    flow.broken.append(state)


def _continue(frame: Frame, node: cst.Continue, state: State, flow: Flow) -> None:
    flow.falling = []
    flow.continued.append(state)


def _assign(frame: Frame, target: cst.BaseExpression, value: Value, state: State) -> None:
    if type(target) is cst.Attribute and target.attr.value == "requires_grad" and value.has_constant:
        receiver = frame.evaluate(target.value, state)
        made = with_gradient(frame, receiver, value.constant is True, target, state)
        if made is not receiver:
            bind_target(frame, target.value, made, state)
    else:
        bind_target(frame, target, value, state)


def _augmented(frame: Frame, node: cst.AugAssign, state: State, flow: Flow) -> None:
    left = frame.evaluate(node.target, state)
    right = frame.evaluate(node.value, state)
    name = _BINARY.get(type(node.operator), "")
    made = arithmetic(frame, name, left, right, node, state)
    if left.is_tensor:
        frame.machine.mark_in_place(made)
    bind_target(frame, node.target, made.with_(alias=left.alias), state)


def _assert(frame: Frame, node: cst.Assert, state: State, flow: Flow) -> None:
    test = read_test(frame, node.test, state)
    if test.tensors:
        frame.branch(test.tensors, node, state, "assert")
    test.apply(state, True)
    if test.known is None:
        held = Condition(test.value, True, frame.site(node), is_configuration=False)
        state.conditions = (*state.conditions, held)


def _if(frame: Frame, node: cst.If, state: State) -> Flow:
    test = read_test(frame, node.test, state)
    flow = Flow([])
    if test.known is None and test.tensors:
        frame.branch(test.tensors, node, state, "if")
    for answer, suite in ((True, node.body), (False, node.orelse)):
        if (test.known is not None and test.known is not answer) or only_raises(suite):
            continue
        path = state.fork() if test.known is None else state
        _enter(frame, path, test, answer, node)
        if frame.machine.is_refused(path):
            continue
        after = _branch(frame, suite, path)
        flow.falling.extend(after.falling)
        flow.leave_as(after)
    return flow


def only_raises(suite: cst.CSTNode | None) -> bool:
    """Whether a block ends in `raise` on all its ways: what it computes is a message, and no path goes on from it."""
    block = suite.body if type(suite) is cst.Else else suite
    return type(block) is cst.IndentedBlock and _raises(block)


@kept_for_a_file
def _raises(block: cst.IndentedBlock) -> bool:
    last = block.body[-1] if block.body else None
    ends = isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Raise)
    return ends and not any(map(_leaves, block.body))


def _leaves(statement: cst.CSTNode) -> bool:
    """Whether a statement may leave the block otherwise, or is one that may: all but simple ones and branches."""
    match statement:
        case cst.SimpleStatementLine(body=body):
            return any(isinstance(small, (cst.Return, cst.Break, cst.Continue)) for small in body)
        case cst.If(body=cst.IndentedBlock(body=body), orelse=orelse):
            return any(map(_leaves, body)) or (orelse is not None and _leaves(orelse))
        case cst.Else(body=cst.IndentedBlock(body=body)):
            return any(map(_leaves, body))
    return True


def _enter(frame: Frame, path: State, test: Test, answer: bool, node: cst.CSTNode) -> None:
    test.apply(path, answer)
    if test.known is None:
        condition = Condition(test.value, answer, frame.site(node), not test.tensors)
        path.conditions = (*path.conditions, condition)


def _branch(frame: Frame, suite: cst.If | cst.Else | cst.BaseSuite | None, state: State) -> Flow:
    if suite is None:
        return Flow([state])
    if type(suite) is cst.If:
        return _if(frame, suite, state)
    return run_suite(frame, suite.body if type(suite) is cst.Else else cast(cst.BaseSuite, suite), [state])


def _for(frame: Frame, node: cst.For, state: State) -> Flow:
    iterated = frame.evaluate(node.iter, state)
    tensors = looped_tensors(iterated)
    if tensors:
        record_loop(frame, tensors, node, state, "for")

    def turn(head: State) -> Flow:
        body = head.fork()
        body.loops = (*state.loops, frame.site(node))
        bind_target(frame, node.target, element_of(frame, iterated, node.iter, body), body)
        return run_suite(frame, node.body, [body])

    return _after_loop(frame, node, state, settled(frame, node, state, turn), is_never_empty(node.iter))


def _while(frame: Frame, node: cst.While, state: State) -> Flow:
    first = read_test(frame, node.test, state)
    if first.tensors:
        frame.branch(first.tensors, node, state, "while")
    if first.known is False:
        return Flow([state]) if node.orelse is None else run_suite(frame, node.orelse.body, [state])

    def turn(head: State) -> Flow:
        body = head.fork()
        body.loops = (*state.loops, frame.site(node))
        test = first if head is state else read_test(frame, node.test, body)
        test.apply(body, True)
        return run_suite(frame, node.body, [body])

    return _after_loop(frame, node, state, settled(frame, node, state, turn), False)


def _after_loop(frame: Frame, node: cst.For | cst.While, before: State, turn: Flow, runs: bool) -> Flow:
    """A loop runs no time, unless it surely `runs`, or some times: what it changes becomes a phi."""
    done = [*turn.falling, *turn.continued]
    if not runs or not done:
        done.insert(0, before)
    left = Flow([], list(turn.returned))
    if node.orelse is not None:
        otherwise = run_suite(frame, node.orelse.body, [_joined(frame, done, before)])
        left.leave_as(otherwise)
        done = otherwise.falling
    ends = [*done, *turn.broken]
    if ends:
        left.falling = [_joined(frame, ends, before)]
    return left


def _joined(frame: Frame, ends: list[State], before: State) -> State:
    joined = join_states(ends, frame.machine.phi)
    if joined in ends:
        joined = joined.fork()
    joined.loops = before.loops
    joined.conditions = before.conditions
    joined.assumptions = before.assumptions
    return joined


def _with(frame: Frame, node: cst.With, state: State) -> Flow:
    outside, contexts, device = state.gradient_matters, state.contexts, state.device
    before = state.fork() if any(swallows(item.item) for item in node.items) else None
    for item in node.items:
        if cuts_gradient(frame, item.item):
            state.gradient_matters = False
        elif enables_gradient(frame, item.item):
            state.gradient_matters = True
        elif sets_device(frame, item.item):
            state.device = Device.UNKNOWN
        value = frame.evaluate(item.item, state)
        state.contexts = (*state.contexts, value)
        if item.asname is not None:
            bind_target(frame, item.asname.name, value, state)
    flow = run_suite(frame, node.body, [state])
    for end in [*flow.falling, *flow.broken, *flow.continued, *(end for end, _ in flow.returned)]:
        end.gradient_matters = outside
        end.contexts = contexts
        end.device = device
    if not flow.falling and before is not None:
        flow.falling = [before]
    return flow


def _try(frame: Frame, node: cst.Try, state: State) -> Flow:
    before = state.fork()
    flow = run_suite(frame, node.body, [state])
    for handler in node.handlers:
        handled = run_suite(frame, handler.body, [before.fork()])
        flow.falling.extend(handled.falling)
        flow.leave_as(handled)
    flow.falling = _limited(frame, flow.falling)
    if node.finalbody is not None and flow.falling:
        final = run_suite(frame, node.finalbody.body, flow.falling)
        final.leave_as(flow)
        return final
    return flow


_COMPOUND: dict[type, Callable[[Frame, Any, State], Flow]] = {
    cst.If: _if,
    cst.For: _for,
    cst.While: _while,
    cst.With: _with,
    cst.Try: _try,
    cst.FunctionDef: _definition,
}
_SMALL: dict[type, Callable[[Frame, Any, State, Flow], None]] = {
    cst.Assign: _assigned,
    cst.AnnAssign: _annotated,
    cst.AugAssign: _augmented,
    cst.Expr: _expression,
    cst.Return: _return,
    cst.Raise: _raise,
    cst.Break: _break,
    cst.Continue: _continue,
    cst.Assert: _assert,
}
