"""Masks that mark positions: `torch.arange(n) < lengths[:, None]`, and what their names say of arguments.

A sequence has an element, so such a mask selects something in each row, and in a whole batch all the more. Nothing in the code
proves it, so a zero of it stays possible, and is no more than that.
"""

from __future__ import annotations

from losslint.semantics.loss_names import words
from losslint.semantics.values import Value

_ORDERS = frozenset({"lt", "le", "gt", "ge"})
_COMBINES = frozenset(
    {"logical_not", "bitwise_not", "logical_and", "bitwise_and", "logical_or", "bitwise_or", "mul", "phi"}
)
_KEEPS = frozenset(
    (
        "view reshape unsqueeze squeeze getitem expand expand_as to repeat float long int type type_as bool cuda cpu "
        "contiguous transpose permute new_tensor detach clone flatten broadcast_to"
    ).split()
)
_FILLED = frozenset({"ones", "ones_like"})
_CHOOSES = frozenset(
    (
        "valid matched foreground fg pos positive positives negative negatives neg keep kept selected visible observed event "
        "events labeled labelled annotated hard active"
    ).split()
)


def marks_positions(value: Value) -> bool:
    """Whether a mask is made of comparisons of positions with lengths alone."""
    return _is_made_of_lengths(value, shortened=True)


def holds_in_each_row(value: Value) -> bool:
    """Whether a mask compares positions with the lengths of sequences as they are, not with `lengths - 1`."""
    return _is_made_of_lengths(value, shortened=False)


def says_choice(name: str) -> bool:
    """Whether a mask's name says that the data choose what it selects: `valid_mask`, `pos_mask`.

    Of a `mask`, a `src_mask` or an `attention_mask` nobody knows here whether it can be empty, and mostly it cannot: it
    tells a sequence from its padding, or was drawn with a fixed share.
    """
    return bool(_CHOOSES & set(words(name)))


def is_not_padding(name: str, operands: list[Value]) -> bool:
    """Whether a mask holds what is no padding, by what it is compared with: `tokens != self.pad_id`."""
    return name == "ne" and any(
        {"pad", "padding", "padded", "null"} & set(words(each.origin.label)) for each in operands[1:]
    )


def _is_made_of_lengths(mask: Value, shortened: bool) -> bool:
    pending, seen = [mask], 0
    while pending:
        current = pending.pop()
        name, operands = current.origin.name, current.origin.operands
        seen += 1
        if name in _FILLED:
            continue
        if seen > 30 or not operands:
            return False
        if name in _COMBINES or name in _KEEPS:
            pending.extend(operands if name in _COMBINES else operands[:1])
        elif name in _ORDERS and len(operands) == 2:
            positions = [_is_positions(each) for each in operands]
            if not any(positions):
                return False
            if not shortened and not all(positions) and _is_shortened(operands[positions.index(False)]):
                return False  # positions compared with each other are a triangle, of which `triangle[lengths - 1]` takes rows
        else:
            return False
    return True


def _is_positions(value: Value) -> bool:
    value = value.beneath(_KEEPS)
    return value.origin.name in ("arange", "argsort", "randperm")


def _is_shortened(lengths: Value) -> bool:
    pending, seen = [lengths], 0
    while pending and seen < 40:
        current = pending.pop()
        seen += 1
        if current.origin.name == "sub":
            return True
        pending.extend(current.origin.operands)
    return False
