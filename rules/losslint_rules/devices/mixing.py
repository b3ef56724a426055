"""Where a tensor on the CPU meets one on the device of the inputs, in an operator that CUDA refuses to run then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from losslint.semantics.carriers import members
from losslint.semantics.devices import follows_another, is_on_cpu, is_on_input, placing
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.kept import kept_with_graph
from losslint.semantics.operators import Shape, operators
from losslint.semantics.syntax_walk import holds
from losslint.semantics.values import Device, Value
from losslint_rules.devices.device_tests import asks_for_device, names_a_device

_KEEPS_APART = frozenset({Shape.VIEW, Shape.CAST, Shape.FACTORY, Shape.META, Shape.RESHAPE_COPY})
# Torch itself takes the targets of a CTC loss to where the log-probabilities are.
_TAKES_ALONG = frozenset({"ctc_loss"})
# What these index or multiply has a dimension, whatever is known of it; so have the class weights of these losses.
_INDEXES = frozenset({"gather", "index_select", "take_along_dim"})
_MOVES = frozenset({"to", "type", "type_as", "cuda", "cpu"})
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "mv", "dot", "outer"})
_WEIGHS_CLASSES = frozenset({"cross_entropy_loss", "nll_loss"})


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """An operator with a CPU tensor and one on the device of the inputs; `source` made the first, or moved it there."""

    op: Op
    on_cpu: Value
    on_input: Value
    source: Value


def mixtures(graph: Graph) -> Iterator[Mixture]:
    """Every operator that fails on a GPU since a factory made an operand on the CPU, where no test of the device decides."""
    return _mixtures(graph, _is_made)


def moved_mixtures(graph: Graph) -> Iterator[Mixture]:
    """Every operator that fails on a GPU since an operand was moved to the CPU."""
    return _mixtures(graph, _is_moved)


def _mixtures(graph: Graph, is_source: Callable[[Value], bool]) -> Iterator[Mixture]:
    if _stays_on_cpu(graph):
        return
    for op, pair in _pairs(graph):
        source = _source(pair[0], is_source)
        if source is not None and not asks_for_device(op) and not _is_moved_by_choice(graph, op, pair[0]):
            yield Mixture(op, *pair, source)


def _is_moved_by_choice(graph: Graph, op: Op, on_cpu: Value) -> bool:
    """Whether a setting that does not hold where the operator runs takes the CPU tensor away: `if use_gpu: r = r.cuda()`."""
    moves = _moves(graph)
    if not moves:
        return False
    holding = {(each.test.key, each.holds) for each in op.conditions}
    stays = {each.key for each in ancestors([on_cpu]) if each.device is Device.DEFAULT}
    return any(
        move.operands[0].key in stays
        and any(
            (each.is_configuration or names_a_device(each)) and (each.test.key, each.holds) not in holding
            for each in move.conditions
        )
        for move in moves
    )


@kept_with_graph
def _moves(graph: Graph) -> Sequence[Op]:
    """What takes a tensor of the CPU to where the caller wants it."""
    return [
        op
        for op in graph.ops
        if op.name in _MOVES and op.operands[0].device is Device.DEFAULT and op.value.device is not Device.DEFAULT
    ]


@kept_with_graph
def _pairs(graph: Graph) -> Sequence[tuple[Op, tuple[Value, Value]]]:
    return [(op, pair) for op in graph.ops if (pair := _pair(op)) is not None]


def _stays_on_cpu(graph: Graph) -> bool:
    """Whether a file chooses the device of every tensor, or trains a model without ever speaking of devices."""
    code = graph.unit.text
    if "set_default_device(" in code or "set_default_tensor_type(" in code:
        return True
    return graph.calls_backward and "cuda" not in code and "device" not in code


def _pair(op: Op) -> tuple[Value, Value] | None:
    if op.name == "getitem":
        return _indexed(op.operands[0], op.operands[1:])
    if op.name == "index_put":
        receiver, value, *indices = op.operands
        copies = not any(each.is_tensor and each.rank != 0 for each in indices)  # `x[1:3] = y` works between devices
        stays = (value,) if is_on_cpu(value) and not copies else ()
        return _met((receiver,), stays)  # an index of any device is brought to the receiver here, unlike in reading
    row = operators().get(op.name)
    if row is None or row.shape in _KEEPS_APART or row.name in _TAKES_ALONG:
        return None
    operands = placing(op.value)
    return _met(operands, tuple(each for each in operands if is_on_cpu(each) or _has_to_have_dimensions(op, each)))


def _has_to_have_dimensions(op: Op, value: Value) -> bool:
    """Whether the operator takes a CPU tensor only if it has a dimension."""
    if value.device is not Device.DEFAULT or not value.is_tensor:
        return False
    weight = op.keywords.get("weight")
    return (
        op.name in _PRODUCTS
        or (op.name in _INDEXES and value is op.operands[0])
        or (op.name in _WEIGHS_CLASSES and value is weight)
    )


def _indexed(receiver: Value, indices: tuple[Value, ...]) -> tuple[Value, Value] | None:
    """A CPU tensor cannot be indexed by a GPU one; the other way round is fine."""
    if receiver.device is not Device.DEFAULT or not receiver.is_tensor:
        return None
    index = next((each for each in indices if each.rank != 0 and is_on_input(each)), None)
    return None if index is None else (receiver, index)


def _met(operands: tuple[Value, ...], on_cpu: tuple[Value, ...]) -> tuple[Value, Value] | None:
    stays = next(iter(on_cpu), None)
    placed = next((each for each in operands if is_on_input(each)), None)
    return None if stays is None or placed is None else (stays, placed)


def _is_made(value: Value) -> bool:
    row = operators().get(value.origin.name)
    return row is not None and row.shape is Shape.FACTORY and not follows_another(value)


def _is_moved(value: Value) -> bool:
    return value.origin.name in ("cpu", "to", "type") and is_on_input(value.origin.operands[0])


def _source(value: Value, is_source: Callable[[Value], bool]) -> Value | None:
    """Where a CPU tensor comes from."""
    pending, seen = [value], 0
    while pending and seen < 60:
        current = pending.pop(0)
        seen += 1
        if current.device is Device.DEFAULT and is_source(current):
            return current if current.origin.site is not None else None
        # what has no dimension mixes with everything, and so brings nothing to the CPU
        pending.extend(each for each in placing(current) if each.device is Device.DEFAULT and not each.is_scalar)
    return None


def meets_input(graph: Graph, moved: Value) -> bool:
    """Whether a result of the loss is made of a tensor together with one on the device of the inputs, neither moved before."""
    reached: dict[int, bool] = {moved.key: True}
    for value in sorted(ancestors(graph.results), key=lambda each: each.key):  # what is made later has a larger key
        row = operators().get(value.origin.name)
        if value.key in reached or (row is not None and row.shape in (Shape.FACTORY, Shape.META)):
            continue
        if value.origin.name in _MOVES:
            continue
        reached[value.key] = any(reached.get(each.key, False) for each in members(value))
        if reached[value.key] and any(
            is_on_input(each) and not reached.get(each.key, False) for each in value.origin.operands
        ):
            return True
    return False


def is_constant(source: Value) -> bool:
    """Whether a tensor is made at the top of a module, once for all losses."""
    site = source.origin.site
    return site is not None and any(holds(constant, site.node) for constant in site.unit.constants.values())
