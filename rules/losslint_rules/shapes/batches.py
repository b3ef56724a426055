"""Where the first dimension of a value is the batch of an input."""

from __future__ import annotations

from losslint.semantics.measures import literal_ints, sizes_of
from losslint.semantics.values import Kind, Role, Value

_SAME = frozenset(
    (
        "sigmoid tanh relu softplus exp log log_sigmoid log1p abs neg pow square sqrt clamp clamp_min clamp_max softmax "
        "log_softmax normalize float long int double half bool to type type_as cpu cuda detach clone contiguous flatten gather "
        "data dropout one_hot linear conv1d conv2d interpolate avg_pool2d max_pool2d"
    ).split()
)
_PAIRS = frozenset("add sub mul div eq ne lt le gt ge maximum minimum bmm".split())
_REDUCED = frozenset(
    "sum mean amax amin max min logsumexp std var norm linalg_vector_norm argmax argmin any all cosine_similarity".split()
)


def batch_source(value: Value) -> Value | None:
    """The input (or the selection) that decides the size of a value's first dimension, None where that is not known."""
    for _ in range(40):
        name, operands = value.origin.name, value.origin.operands
        if name == "parameter":
            return value if _is_input(value) else None
        if name in ("nonzero", "argwhere") and value.rank != 0:
            return value  # a row for every element that is selected
        following: Value | None = None
        if name in _SAME or (
            name == "unknown" and value.is_tensor
        ):  # what is known to be a tensor there is a layer's result
            following = operands[0] if operands else None
        elif name in _PAIRS:
            following = next((each for each in operands if batch_source(each) is not None), None)
        elif name in _REDUCED:
            dims = literal_ints(value.origin.keywords.get("dim"))
            if name == "cosine_similarity" or (dims and all(each not in (0, -2) and each > -3 for each in dims)):
                following = operands[0]
        elif name == "unsqueeze":
            following = None if literal_ints(value.origin.keywords.get("dim")) in ((0,), None) else operands[0]
        elif name in ("view", "reshape", "permute", "transpose", "getitem", "narrow"):
            following = operands[0] if _keeps_first(value, operands[0]) else None
        if following is None:
            return None
        value = following
    return None


def _is_input(value: Value) -> bool:
    return (
        value.origin.frame == 0
        and value.role not in (Role.CONFIG, Role.WEIGHT)
        and value.kind in (Kind.TENSOR, Kind.UNKNOWN)
    )


def _keeps_first(made: Value, before: Value) -> bool:
    after, old = sizes_of(made), sizes_of(before)
    if not after or not old:
        return False
    first = f"{before.key}[0]"
    return after[0] == old[0] or after[0] == first
