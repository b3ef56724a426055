"""The graph of one loss: operators in execution order, and the values that leave it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from losslint.semantics.carriers import carriers, members
from losslint.semantics.loss_names import names_a_copy, names_a_loss
from losslint.semantics.names import Function, Unit
from losslint.semantics.values import Gradient, Origin, Site, Value

if TYPE_CHECKING:
    from losslint.semantics.members import Base, Instance
    from losslint.semantics.state import Assumption

SEMANTICS_VERSION = 2
BRANCH = "prim::If"
IN_PLACE = "in place"
LOOP = "prim::Loop"
RETURN = "prim::Return"
UNASKED = "prim::Unasked"
BACKWARD = "backward"


class Condition(Struct, frozen=True, eq=False):
    """A test that holds on a path: `test` is what was asked, `holds` the answer taken."""

    test: Value
    holds: bool
    site: Site | None = None
    is_configuration: bool = True


class Call(Struct, frozen=True, eq=False):
    """One call that led from the loss's entry to an operator."""

    symbol: str
    site: Site


class Falling(Struct, frozen=True, eq=False):
    """A path that ends without a return: the function it ends in, in which file, and the tests on its way."""

    function: Function
    unit: Unit
    conditions: tuple[Condition, ...]


class Op(Struct, frozen=True, eq=False):
    """One executed operator.

    `origin` holds the ATen name, operands and node; `value` is the result; `conditions` the tests on the way;
    `calls` the call context, outermost first; `scope` the names bound when it ran; `gradient_matters` is False
    under no_grad and in other places where nobody differentiates; `in_loop` names the enclosing Python loops;
    `detail` says what a control-flow operator is ("if", "while", "and", "assert", "for"...), that an operator works in
    place, or what a prim::Unasked does with a value that is None by default ("arithmetic", "attribute", "item", "call");
    `guarded` holds the keys of the values whose comparison decided the path, `assumptions` the answers to its tests;
    `contexts` are the context managers open around it, those of decorators included, outermost first.
    """

    origin: Origin
    value: Value
    conditions: tuple[Condition, ...] = ()
    calls: tuple[Call, ...] = ()
    scope: Mapping[str, Value] = field(default_factory=dict)
    gradient_matters: bool = True
    in_loop: tuple[Site, ...] = ()
    detail: str = ""
    guarded: frozenset[int] = frozenset()
    assumptions: Mapping[Assumption, bool] = field(default_factory=dict)
    contexts: tuple[Value, ...] = ()

    @property
    def name(self) -> str:
        """The operator's ATen name, or prim::If, prim::Loop, prim::Return, prim::Unasked."""
        return self.origin.name

    @property
    def operands(self) -> tuple[Value, ...]:
        """The tensor operands in signature order."""
        return self.origin.operands

    @property
    def keywords(self) -> Mapping[str, Value]:
        """The other arguments by name."""
        return self.origin.keywords

    @property
    def site(self) -> Site:
        """Where the operator is written."""
        assert self.origin.site is not None
        return self.origin.site

    def is_guarded(self, values: Iterable[Value]) -> bool:
        """True where a comparison of one of these values decides this path."""
        return any(value.key in self.guarded for value in values)


@dataclass(frozen=True, eq=False)
class Graph:
    """Everything one loss does: its operators on all paths, and one RETURN op a path that returns.

    `function` is the entry's definition (None for a script), `owner` the class it belongs to ("" for functions),
    `inlined` the ids of the definitions that calls were followed into, `opaque` those of the calls nothing is known of.
    `lineage` is the owner and its bases in the project, nearest first, `foreign` the full names of the bases elsewhere;
    `falling` holds the paths that end without a return, in what it calls too; `unbound` where local names are read that no
    path there has bound; `elsewhere` gives the texts of the project's other files by their paths, or None where they are
    too many to be read; `instance` is what `self` is, with what its constructor leaves on it (None in functions); `facts` keeps
    what rules have worked out of it.
    """

    symbol: str
    ops: tuple[Op, ...]
    unit: Unit
    function: Function | None = None
    owner: str = ""
    parameters: tuple[Value, ...] = ()
    inlined: frozenset[int] = frozenset()
    opaque: frozenset[int] = frozenset()
    lineage: tuple[Base, ...] = ()
    foreign: tuple[str, ...] = ()
    falling: tuple[Falling, ...] = ()
    unbound: tuple[Site, ...] = ()
    instance: Instance | None = None
    elsewhere: Callable[[], Mapping[Path, str] | None] = dict
    facts: dict[Hashable, object] = dataclass_field(default_factory=dict, repr=False)

    def named(self, *names: str) -> Iterator[Op]:
        """The operators with one of these names, in order."""
        by_name = self._by_name
        found = [by_name[name] for name in names if name in by_name]
        numbers = found[0] if len(found) == 1 else sorted(set().union(*found))
        return map(self.ops.__getitem__, numbers)

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, op in enumerate(self.ops):
            found.setdefault(op.origin.name, []).append(number)
        return found

    @cached_property
    def returns(self) -> tuple[Op, ...]:
        """The RETURN operators of the loss itself."""
        return tuple(op for op in self.named(RETURN) if not op.calls)

    @cached_property
    def calls_backward(self) -> bool:
        """Whether the loss uses its gradient itself: what it returns afterwards is for the log."""
        if self.function is None:
            return False
        uses = (".backward(",), ("autograd.grad(", ".grad = ")
        whole = self.unit.text
        likely = [each for each in uses if all(text in whole for text in each)]
        code = self.unit.code(self.function) if likely else ""
        return any(all(text in code for text in each) for each in likely)

    @cached_property
    def is_surely_a_loss(self) -> bool:
        """Whether it can only be meant to be trained by: a function, or a method of a class, that is called a loss.

        The `loss_function` of a model may be evaluated alone; what runs in `inference_mode` or calls `eval()` is;
        and the reference of a test is compared and never differentiated.
        """
        owner, _, name = self.symbol.rpartition(".")
        called = names_a_loss(owner.rpartition(".")[2]) if owner else names_a_loss(name)
        return called and not names_a_copy(self.symbol) and not self._is_evaluation

    @cached_property
    def _is_evaluation(self) -> bool:
        if self.function is None or self.unit.mentions(self.function, ".eval()"):
            return True
        return any(self.unit.mentions(each.decorator, "inference_mode") for each in self.function.decorators)

    @cached_property
    def results(self) -> tuple[Value, ...]:
        """What is returned, and what backward() is called on."""
        return tuple(op.operands[0] for op in (*self.returns, *self.named(BACKWARD)))

    @cached_property
    def returned_keys(self) -> frozenset[int]:
        """The keys of all values that a result is computed from; those of every value in a script."""
        if not self.returns:
            return frozenset(op.value.key for op in self.ops)
        return frozenset(
            value.key for value in ancestors(each for result in self.results for each in losses_in(result))
        )

    def matters(self, value: Value) -> bool:
        """Whether a loss among the results is computed from this one."""
        return value.key in self.returned_keys

    @cached_property
    def differentiated_keys(self) -> frozenset[int]:
        """The keys of the values a gradient flows back to: those behind a detach, an item, an argmax or a shape are not."""
        if not self.returns:
            return self.returned_keys
        return frozenset(differentiated(self.results))

    def differentiates(self, value: Value) -> bool:
        """Whether the gradient of a returned value flows through this one."""
        return value.key in self.differentiated_keys

    def op_of(self, value: Value) -> Op | None:
        """The operator that made a value."""
        return self._makers.get(value.key)

    def uses(self, value: Value) -> tuple[Op, ...]:
        """The operators that take a value, returns included; through joins, literals and unknown calls too."""
        return self._users.get(value.key, ())

    def holders(self, value: Value) -> tuple[Op, ...]:
        """The operators with an operand that is a value, may be it, or is a sequence that holds it."""
        return self._holders.get(value.key, ())

    @cached_property
    def _holders(self) -> dict[int, tuple[Op, ...]]:
        found: dict[int, list[Op]] = {}
        for op in self.ops:
            keys: set[int] = set()
            for operand in op.operands:
                keys.add(operand.key)
                keys.update(each.key for each in operand.alternatives)
                if isinstance(operand.elements, tuple):
                    keys.update(each.key for each in operand.elements)
            for key in keys:
                found.setdefault(key, []).append(op)
        return {key: tuple(ops) for key, ops in found.items()}

    @cached_property
    def _users(self) -> dict[int, tuple[Op, ...]]:
        found: dict[int, list[Op]] = {}
        for op in self.ops:
            for key in self._taken(op.value):
                found.setdefault(key, []).append(op)
        return {key: tuple(ops) for key, ops in found.items()}

    def _taken(self, value: Value) -> set[int]:
        """The keys of what an operator takes: its members, and those of the members that no operator made."""
        makers = self._makers
        found: set[int] = set()
        pending = [*members(value)]
        while pending:
            current = pending.pop()
            key = current.key
            if key not in found:
                found.add(key)
                if key not in makers:
                    pending += members(current)
        return found

    @cached_property
    def _makers(self) -> dict[int, Op]:
        return {op.value.key: op for op in reversed(self.ops) if op.name != RETURN}


def losses_in(result: Value) -> tuple[Value, ...]:
    """The losses among what is returned: of several values those that are named so or carry a gradient, all where none does.

    An accuracy that is returned beside the loss is for the log.
    """
    if isinstance(result.elements, tuple):
        every = result.elements
        chosen = tuple(each for each in every if each.gradient is Gradient.CARRIES)
    elif result.elements:
        every = tuple(result.elements.values())
        named = result.elements.items()
        chosen = tuple(each for name, each in named if "loss" in name.lower() or each.gradient is Gradient.CARRIES)
    else:
        return (result,)
    return chosen if any(each.gradient is Gradient.CARRIES for each in chosen) else every


def differentiated(values: Iterable[Value]) -> set[int]:
    """The keys of the values a gradient flows back to from these."""
    found: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        if value.key not in found and value.gradient not in (Gradient.CUT, Gradient.ZERO):
            found.add(value.key)
            pending.extend(carriers(value))
    return found


def ancestors(values: Iterable[Value]) -> Iterator[Value]:
    """The values and all they are computed from, each once.

    It goes on to their `members`, written out here because rules walk this way more than any other.
    """
    seen: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        if value.key in seen:
            continue
        seen.add(value.key)
        yield value
        pending += value.origin.operands
        pending += value.origin.keywords.values()
        if isinstance(value.elements, tuple):
            pending += value.elements
        elif value.elements is not None:
            pending += value.elements.values()
