"""Masks that may select nothing: comparisons that no element passes, and how sure it is that this happens."""

from __future__ import annotations

from losslint.semantics.length_masks import holds_in_each_row, is_not_padding, says_choice
from losslint.semantics.nonempty import holds_somewhere, is_drawn_to_match
from losslint.semantics.operators import operators
from losslint.semantics.values import Certainty, Kind, Role, Value, ZeroWitness


def comparison_witness(name: str, operands: list[Value], made: Value) -> ZeroWitness | None:
    """A mask selects nothing where no element passes, unless a tensor is compared with itself."""
    tensors = [value for value in operands if value.kind is not Kind.NUMBER or not value.has_constant]
    if len(tensors) == 2 and name == "eq" and _same_root(tensors[0], tensors[1]):
        return None  # a pairwise comparison of a tensor with itself is true on its diagonal
    if len(operands) == 2 and (holds_somewhere(name, *operands) or any(map(is_drawn_to_match, operands))):
        return None
    if name == "eq" and len(operands) == 2 and (_is_at_extreme(*operands) or _is_at_extreme(*operands[::-1])):
        return None  # x == x.max() and x - x.min() == 0 always hold somewhere
    if not any(depends_on_input(value) for value in operands):
        return None  # a fixed pattern, `~torch.eye(n)`, is what its author saw
    is_rare = holds_in_each_row(made) or is_not_padding(name, operands) or any(_is_drawn(each) for each in operands)
    certainty = Certainty.POSSIBLE if is_rare else Certainty.PROVEN
    return ZeroWitness(
        made, "the mask selects nothing when no element passes the test", min(certainty, _certainty(name, operands))
    )


def _certainty(name: str, operands: list[Value]) -> Certainty:
    """How sure a zero is of a test for more than 0: as sure as that of what is tested, `mask.sum(dim=1) > 0`.

    The opposite of what is given or unknown, `~mask`, is empty where that is full, which nothing says; and what is added to
    a mask that ones were written to leaves them there.
    """
    if name in _ORS and any(map(_is_written, operands)):
        return Certainty.POSSIBLE
    if name in _NOTS and operands:
        return Certainty.POSSIBLE if _is_unsaid(operands[0]) else Certainty.PROVEN
    if name not in ("gt", "ne") or len(operands) != 2 or not _is_zero(operands[1]):
        return Certainty.PROVEN
    counted = operands[0]
    return counted.zero.certainty if counted.zero is not None and counted.interval.low >= 0 else Certainty.PROVEN


def _is_drawn(value: Value) -> bool:
    """Whether a tensor is drawn at random: `torch.rand_like(x) > share` leaves a share of many elements."""
    row = operators().get(value.beneath(_VIEWS).origin.name)
    return row is not None and row.random


def _is_unsaid(mask: Value) -> bool:
    """Whether nothing says what a mask holds: the result of an unknown call, or an argument that is called a mask."""
    given = mask.beneath(_VIEWS)
    if given.origin.name == "phi":
        return all(map(_is_unsaid, given.alternatives))
    if given.origin.name == "parameter":
        return given.role is Role.MASK and not says_choice(given.origin.label)
    return given.origin.name == "unknown"


def _is_written(value: Value) -> bool:
    """Whether ones were written to places of a mask: `mask = torch.zeros(n, n); mask[:, k:].fill_diagonal_(1)`."""
    for _ in range(20):
        name, operands = value.origin.name, value.origin.operands
        if name == "index_put" and len(operands) > 1 and operands[1].has_constant and operands[1].constant:
            return not any(index.is_tensor or index.kind is Kind.UNKNOWN for index in operands[2:])
        if name not in _VIEWS - {"getitem"} | {"index_put"}:
            return False
        value = operands[0]
    return False


_ARRANGES = frozenset(
    "view reshape unsqueeze squeeze expand expand_as transpose t permute contiguous flatten clone".split()
)
_NOTS = frozenset({"logical_not", "bitwise_not"})
_ORS = frozenset({"logical_or", "bitwise_or"})
_VIEWS = frozenset(
    "view reshape unsqueeze squeeze expand expand_as to float long int bool type type_as cuda cpu contiguous detach getitem".split()
)


def _is_zero(value: Value) -> bool:
    """0, or `torch.tensor(0.0)`."""
    return value.interval.low == 0 == value.interval.high


def _is_at_extreme(value: Value, other: Value) -> bool:
    if other.origin.name in _EXTREMES and other.origin.operands:
        return other.origin.operands[0].key == value.key
    if other.has_constant and other.constant == 0 and value.origin.name == "sub" and len(value.origin.operands) == 2:
        return _is_at_extreme(*value.origin.operands)
    return value.origin.name == "phi" and any(_is_at_extreme(each, other) for each in value.alternatives)


_EXTREMES = frozenset("max min amax amin".split())


def depends_on_input(value: Value) -> bool:
    """Whether a value is computed from more than constants and the shapes of tensors."""
    pending, budget = [value], 60
    while pending and budget:
        budget -= 1
        current = pending.pop()
        name = current.origin.name
        if name in _FIXED or current.has_constant:
            continue
        if not current.origin.operands and name not in ("constant", "setting", "loop_index"):
            return True
        pending.extend(current.origin.operands)
    return False


_FIXED = frozenset(
    "eye ones zeros arange full linspace ones_like zeros_like full_like size shape len numel dim range device dtype".split()
)


def _same_root(left: Value, right: Value) -> bool:
    return bool(left.alias & right.alias) or left.beneath(_ARRANGES).key == right.beneath(_ARRANGES).key
