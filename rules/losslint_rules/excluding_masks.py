"""Masks that say which elements count at all: not padding, not ignored, not missing."""

from __future__ import annotations

from losslint.semantics.graph import Op, ancestors
from losslint.semantics.loss_names import words
from losslint.semantics.values import DType, Gradient, Kind, Role, Value

_CASTS = frozenset(
    "float double half to type type_as long int bool unsqueeze view reshape expand expand_as contiguous flatten clone "
    "permute transpose squeeze view_as reshape_as detach".split()
)
_TESTS = frozenset("eq ne lt le gt ge".split())
_COMBINES = frozenset("bitwise_and logical_and bitwise_or logical_or mul".split())
_NOTS = frozenset("bitwise_not logical_not".split())
_EXCLUDES = frozenset(
    "ignore ignored ignoring pad padding padded void valid invalid nonpad notpad unlabeled unlabelled missing blank".split()
)
_KNOWN = _EXCLUDES | frozenset({"measured", "observed", "available", "unmeasured", "unobserved"})
_LENGTHS = frozenset("len lens length lengths".split())
_SENTINELS = frozenset({-100, -1, 255, -255, -999})


def bare_mask(value: Value) -> Value:
    """A mask without casts and views."""
    return value.beneath(_CASTS)


def comparison_of(value: Value) -> str:
    """eq, ne, lt... for a comparison of values, tensors or not; else the empty string."""
    name = value.origin.label if value.origin.name == "compared" else value.origin.name
    return name if name in _TESTS and len(value.origin.operands) == 2 else ""


def is_boolean(value: Value) -> bool:
    """Whether the elements of a mask are proven to be true or false."""
    mask = bare_mask(value)
    if comparison_of(mask) or mask.origin.name in ("isnan", "isfinite", "isinf") or mask.dtype is DType.BOOL:
        return True
    if mask.origin.name in _NOTS | _COMBINES:
        return all(is_boolean(each) for each in mask.origin.operands)
    current = value  # `mask.bool().float()`
    while current.origin.name in _CASTS and current.origin.operands:
        if current.origin.name == "bool":
            return True
        current = current.origin.operands[0]
    return False


def excludes(value: Value, op: Op, keeps: bool = True) -> str | None:
    """Why a boolean mask says what counts at all, in words; None where it may as well choose or weigh.

    `op` is where it is used: the names bound to it there are evidence. `keeps` is False for masks that are true where
    elements do not count: `labels == -1` chooses a class where it keeps, and leaves out what is ignored where it drops.
    """
    if not is_boolean(value):
        return None
    mask = bare_mask(value)
    while mask.origin.name in _NOTS:
        mask, keeps = bare_mask(mask.origin.operands[0]), not keeps
    if mask.origin.name in _COMBINES:
        return next((why for each in mask.origin.operands if (why := excludes(each, op, keeps)) is not None), None)
    if comparison_of(mask) and _ends_sequences(mask):
        return "this mask leaves out what is behind the end of each sequence"
    if mask.origin.name == "parameter" and _EXCLUDES & set(words(mask.origin.label)):
        return f"`{mask.origin.label}` says what counts"
    if value.gradient not in (Gradient.NEUTRAL, Gradient.CUT):
        return None  # a comparison of predictions is a margin or a hard negative
    if mask.origin.name == ("isfinite" if keeps else "isnan"):
        return "this mask leaves out values that are missing"
    if comparison_of(mask):
        return _by_comparison(mask, keeps) or _by_name(value, mask, op)
    return None


def _ends_sequences(mask: Value) -> bool:
    """`arange(n) < lengths`, either way round."""
    left, right = mask.origin.operands
    return (_counts_up(left) and _is_length(right)) or (_counts_up(right) and _is_length(left))


def _by_comparison(mask: Value, keeps: bool) -> str | None:
    left, right = mask.origin.operands
    for one, other in ((left, right), (right, left)):
        drops = comparison_of(mask) == ("ne" if keeps else "eq")
        if drops and is_sentinel(other) and one.gradient is Gradient.NEUTRAL:
            return "this mask leaves out what is ignored"
    return None


def is_sentinel(value: Value) -> bool:
    """A number that marks what does not count: a usual one, or a setting so named."""
    if value.has_constant and not value.is_default:
        return value.constant in _SENTINELS
    return is_ignore_setting(value)


def is_ignore_setting(value: Value) -> bool:
    """A setting that is named as what is ignored, padding or void."""
    return value.role is Role.CONFIG and bool(_EXCLUDES & set(words(value.origin.label)))


def _counts_up(value: Value) -> bool:
    return any(each.origin.name == "arange" for each in ancestors([value]))


def _is_length(value: Value) -> bool:
    return any(
        each.origin.name == "parameter" and bool(_LENGTHS & set(words(each.origin.label)))
        for each in ancestors([value])
    )


def _by_name(value: Value, mask: Value, op: Op) -> str | None:
    """A comparison of targets under a name such as `valid_mask`."""
    if any(each.kind is Kind.TENSOR and each.gradient is Gradient.CARRIES for each in ancestors([mask])):
        return None
    for name, bound in op.scope.items():
        if bound.key in (value.key, mask.key) and _KNOWN & set(words(name)):
            return f"`{name}` says what counts"
    return None
