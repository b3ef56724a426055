"""Whether the dimension of the classes, the second one, provably has size 1."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.values import Kind, Value

_KEEPS = frozenset("contiguous clone detach float double half bfloat16 to type type_as cpu cuda requires_grad_".split())
_SCALES = frozenset({"mul", "div", "neg"})
_REDUCES = frozenset({"sum", "mean", "amax", "amin", "logsumexp", "norm", "linalg_vector_norm"})
_LINEAR = frozenset({"torch.nn.Linear()", "torch.nn.LazyLinear()"})
_CONVOLUTIONS = frozenset(f"torch.nn.{name}()" for name in ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d"))


def has_one_class(value: Value) -> Value | None:
    """The value that made dimension 1 a single number, through casts and scaling; None where it is not proven to be."""
    name, operands = value.origin.name, value.origin.operands
    if name == "unknown" and value.origin.label in _LINEAR | _CONVOLUTIONS:
        return value if _outputs(operands[-1], value.origin.label) == 1 else None
    if not operands:
        return None
    if name in _KEEPS or (name in _SCALES and all(each.kind is Kind.NUMBER for each in operands[1:])):
        return has_one_class(operands[0])
    if name == "unsqueeze":
        return value if _is_second(value, value.origin.keywords.get("dim"), value.rank) else None
    if name in ("view", "reshape"):
        sizes = [each for key, each in value.origin.keywords.items() if key not in ("input", "self")]
        if len(sizes) == 1 and isinstance(sizes[0].elements, tuple):
            sizes = list(sizes[0].elements)
        return value if len(sizes) > 1 and _is_one(sizes[1]) else None
    if name in _REDUCES:
        kept = value.origin.keywords.get("keepdim")
        keeps = kept is not None and kept.constant is True
        return value if keeps and _is_second(value, value.origin.keywords.get("dim"), value.rank) else None
    if name == "getitem" and value.origin.site is not None:
        return value if _selects_one(value.origin.site.node) else None
    return None


def _is_one(size: Value) -> bool:
    return size.has_constant and not size.is_default and size.constant == 1


def _is_second(value: Value, dim: Value | None, rank: int | None) -> bool:
    if dim is None or not dim.has_constant or dim.is_default or not isinstance(dim.constant, int):
        return False
    return dim.constant == 1 or (rank is not None and rank > 1 and dim.constant == 1 - rank)


def _outputs(module: Value, label: str) -> object:
    """The written number of outputs of a layer; a default that a caller may replace is none."""
    arguments = module.origin.operands
    keyword = "out_features" if "Linear" in label else "out_channels"
    position = 0 if "Lazy" in label else 1
    size = module.origin.keywords.get(keyword)
    if size is None and position < len(arguments):
        size = arguments[position]
    return size.constant if size is not None and size.has_constant and not size.is_default else None


def _selects_one(node: cst.CSTNode) -> bool:
    """`x[:, None]`, `x[:, 0:1]` and `x[:, :1]`, with further full slices behind."""
    if not isinstance(node, cst.Subscript) or len(node.slice) < 2:
        return False
    first, second = node.slice[0].slice, node.slice[1].slice
    if not isinstance(first, cst.Slice):
        return False
    if isinstance(second, cst.Index):
        return isinstance(second.value, cst.Name) and second.value.value == "None"
    assert isinstance(second, cst.Slice)
    low, high = _integer(second.lower), _integer(second.upper)
    return (
        second.step is None
        and high is not None
        and high - (low or 0) == 1
        and (second.lower is None or low is not None)
    )


def _integer(node: cst.BaseExpression | None) -> int | None:
    return int(node.value) if isinstance(node, cst.Integer) and node.value.isdecimal() else None
