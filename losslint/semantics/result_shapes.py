"""The shape of an operator's result, from the shapes of its operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from losslint.semantics.measures import all_sizes, listed_sizes, literal_int, literal_ints, size_of, sizes_of
from losslint.semantics.operators import Operator, Shape
from losslint.semantics.sizes import (
    Size,
    Sizes,
    broadcast,
    broadcast_all,
    canonical,
    exposed,
    inserted,
    pack_position,
    replaced,
)
from losslint.semantics.sizes import without as without_dim
from losslint.semantics.values import Kind, Value
from losslint.semantics.view_shapes import viewed

Arguments = Mapping[str, Value]


def result_sizes(operator: Operator, arguments: Arguments, positional: Sequence[Value]) -> Sizes | None:
    """The shape of the result, for several outputs of each; None where nothing is known."""
    first = next(iter(arguments.values()), None)
    if "**" in arguments:
        return None  # a dim, a keepdim or a reduction may be among them
    if operator.shape is Shape.FACTORY:
        return _made(operator.name, arguments, positional)
    if first is None:
        return None
    match operator.shape:
        case Shape.POINTWISE:
            return pointwise(operator.name, arguments)
        case Shape.SOFTMAX_LIKE | Shape.CAST:
            return sizes_of(first)
        case Shape.REDUCTION:
            return _reduced(operator.name, arguments, first)
        case Shape.VIEW | Shape.RESHAPE_COPY:
            return viewed(operator.name, arguments, positional, first)
        case Shape.PREDICATE:
            return ()
        case Shape.LOSS:
            return _loss(operator.name, arguments, first)
        case Shape.DISTANCE:
            return _distance(operator.name, arguments)
        case Shape.SELECT:
            return _selected(operator.name, arguments, first)
        case Shape.MATMUL:
            return _multiplied(operator.name, arguments, first)
        case Shape.JOIN:
            return _joined(operator.name, arguments, first)
        case Shape.OTHER:
            return _other(operator.name, arguments, first)
    return None


def pointwise(name: str, arguments: Arguments) -> Sizes | None:
    """Element by element: all tensors broadcast; numbers take any shape."""
    if name == "isin":
        return sizes_of(next(iter(arguments.values())))
    taking_part = [value for value in arguments.values() if value.kind in (Kind.TENSOR, Kind.UNKNOWN)]
    if name == "where" and len(arguments) == 1:
        return None
    return broadcast_all(all_sizes(taking_part))


def _reduced(name: str, arguments: Arguments, first: Value) -> Sizes | None:
    sizes, dim = sizes_of(first), arguments.get("dim")
    if name in ("quantile", "nanquantile") and arguments["q"].kind is not Kind.NUMBER:
        return None
    if dim is None or dim.kind is Kind.NONE:
        if name == "mode":
            return None if sizes is None else without_dim(sizes, -1)
        keeps = "keepdim" in arguments and arguments["keepdim"].constant is not False
        return None if keeps else ()
    if sizes is None:
        return None
    return reduced_over(sizes, dim, arguments.get("keepdim"))


def reduced_over(sizes: Sizes, dim: Value, keepdim: Value | None) -> Sizes | None:
    """The shape without the dimensions in `dim`, or with a 1 in their place."""
    keeps = False if keepdim is None else keepdim.constant
    dims = literal_ints(dim)
    if not isinstance(keeps, bool) or (keepdim is not None and keepdim.is_default):
        return None
    if dims is None:
        countable = dim.kind is Kind.NUMBER and pack_position(sizes) is None
        return ("",) * (len(sizes) - (0 if keeps else 1)) if countable and sizes else None
    if sizes == () and set(dims) <= {0, -1}:
        return ()
    marked: Sizes | None = sizes
    for each in dims:
        marked = None if marked is None else _opened(marked, each)
    if marked is None:
        return None
    found = [exposed(marked, each) for each in dims]
    gone = {each[1] for each in found if each is not None}
    kept = [1 if at in gone else size for at, size in enumerate(marked) if keeps or at not in gone]
    return canonical(tuple(kept))


def _opened(sizes: Sizes, dim: int) -> Sizes | None:
    found = exposed(sizes, dim)
    return None if found is None else found[0]


def _loss(name: str, arguments: Arguments, first: Value) -> Sizes | None:
    """() where it is reduced; without reduction element by element, or one element a sample."""
    legacy = [arguments[each] for each in ("reduce", "size_average") if each in arguments]
    if any(value.kind is not Kind.NONE for value in legacy):
        return None
    reduction = arguments.get("reduction")
    if reduction is None or reduction.constant in ("mean", "sum", "batchmean"):
        return ()
    if reduction.constant != "none":
        return None
    target = arguments.get("target")
    if name in ("cross_entropy_loss", "nll_loss"):
        sizes = sizes_of(first)
        if sizes is not None and (pack_position(sizes) is not None or len(sizes) > 1):
            return without_dim(sizes, 1)  # a batch: logits of one sample alone have one dimension
        return () if sizes is not None else None
    if name in ("cosine_embedding_loss", "multi_margin_loss"):
        return sizes_of(target) if target is not None else None
    if name in ("triplet_margin_loss", "triplet_margin_with_distance_loss"):
        sizes = sizes_of(first)
        return None if sizes is None else without_dim(sizes, -1)
    if name in ("binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss"):
        return sizes_of(first)
    if name in ("multilabel_margin_loss", "multilabel_soft_margin_loss", "ctc_loss"):
        return None
    return broadcast_all([sizes_of(arguments[each]) for each in ("input", "input1", "target") if each in arguments])


def _distance(name: str, arguments: Arguments) -> Sizes | None:
    both = broadcast_all([sizes_of(arguments[each]) for each in ("x1", "x2") if each in arguments])
    if both is None:
        return None
    if name == "pairwise_distance":
        keeps = "keepdim" in arguments and arguments["keepdim"].constant is True
        return replaced(both, -1, 1) if keeps else without_dim(both, -1)
    dim = literal_int(arguments["dim"]) if "dim" in arguments else 1
    return None if dim is None else without_dim(both, dim)


_LIKE_INPUT = frozenset("scatter scatter_add index_add index_fill sort argsort cummax cummin bucketize".split())


def _selected(name: str, arguments: Arguments, first: Value) -> Sizes | None:
    sizes, index = sizes_of(first), arguments.get("index")
    if name in _LIKE_INPUT:
        return sizes
    if name in ("gather", "take"):
        return None if index is None else sizes_of(index)
    if name == "searchsorted":
        return sizes_of(arguments["input"]) if "input" in arguments else None
    if name == "take_along_dim":
        indices = arguments.get("indices")
        chosen = sizes_of(indices) if indices is not None and "dim" in arguments else None
        return None if chosen is None or 1 in chosen else chosen
    if name == "masked_select":
        return ("",)
    if name == "nonzero":
        rank = "" if sizes is None or pack_position(sizes) is not None else len(sizes)
        return ("", rank) if "as_tuple" not in arguments else None
    if name == "diag" and sizes is not None and pack_position(sizes) is None and len(sizes) in (1, 2):
        return (*sizes, *sizes) if len(sizes) == 1 and len(arguments) == 1 else ("",) * (3 - len(sizes))
    if name == "unique":
        return ("",) if len(arguments) == 1 else None
    dim = literal_int(arguments["dim"]) if "dim" in arguments else -1
    if sizes is None or dim is None:
        return None
    if name == "topk":
        return replaced(sizes, dim, size_of(arguments["k"]) if "k" in arguments else "")
    if name == "kthvalue":
        return reduced_over(sizes, arguments["dim"], arguments.get("keepdim")) if "dim" in arguments else None
    if name == "index_select":
        chosen = sizes_of(index) if index is not None else None
        return replaced(sizes, dim, chosen[0] if chosen is not None and len(chosen) == 1 else "")
    return None


def _multiplied(name: str, arguments: Arguments, first: Value) -> Sizes | None:
    if name == "einsum":
        return _einsum(arguments, first)
    known = {"mm": 2, "bmm": 3, "addmm": 2, "baddbmm": 3, "outer": 2, "mv": 1, "dot": 0}
    values = list(arguments.values())
    if name in ("addmm", "baddbmm"):
        values = values[1:]
    if len(values) < 2:
        return None
    left, right = sizes_of(values[0]), sizes_of(values[1])
    if name == "linear":
        out = None if right is None or pack_position(right) is not None or len(right) != 2 else right[0]
        return None if left is None else replaced(left, -1, "" if out is None else out)
    if name == "outer":
        return (*_single(left), *_single(right))
    if left is not None and right is not None and pack_position(left) is None and pack_position(right) is None:
        product = _matrix_product(left, right)
        if product is not None:
            return product
    return ("",) * known[name] if name in known else None


def _single(sizes: Sizes | None) -> Sizes:
    return sizes if sizes is not None and len(sizes) == 1 and pack_position(sizes) is None else ("",)


def _matrix_product(left: Sizes, right: Sizes) -> Sizes | None:
    if not left or not right:
        return None
    if len(left) == 1:
        return (*right[:-2], *right[-1:]) if len(right) > 1 else ()
    if len(right) == 1:
        return left[:-1]
    batch = broadcast(left[:-2], right[:-2])
    return None if batch is None else (*batch, left[-2], right[-1])


def _einsum(arguments: Arguments, equation: Value) -> Sizes | None:
    """One size a letter behind the arrow, taken from the operands whose ranks are known."""
    text = equation.constant
    if not isinstance(text, str) or "->" not in text or "." in text:
        return None
    inputs, _, output = text.replace(" ", "").partition("->")
    letters: dict[str, Size] = {}
    operands = [value for name, value in arguments.items() if name != "equation"]
    for names, value in zip(inputs.split(","), operands, strict=False):
        sizes = sizes_of(value)
        if sizes is not None and pack_position(sizes) is None and len(sizes) == len(names):
            for letter, size in zip(names, sizes, strict=True):
                if letters.get(letter, 1) == 1:
                    letters[letter] = size
    return tuple(letters.get(letter, "") for letter in output)


def members_of(tensors: Value) -> tuple[Sequence[Value], bool]:
    """The members of a list of tensors, and whether these are all; of a comprehension the element of a turn."""
    if isinstance(tensors.elements, tuple):
        return tensors.elements, True
    if tensors.origin.name == "comprehension":
        return tensors.origin.operands[:1], False
    return (), False


def _joined(name: str, arguments: Arguments, tensors: Value) -> Sizes | None:
    members, complete = members_of(tensors)
    dim = literal_int(arguments["dim"]) if "dim" in arguments else 0
    shapes = all_sizes(members)
    known = [sizes for sizes in shapes if sizes is not None]
    if dim is None or not known or len(known) != len(shapes):
        return None
    if name == "stack":
        member = _agreed(known)
        return None if member is None else inserted(member, dim, len(members) if complete else "")
    opened = [exposed(sizes, dim) for sizes in known]
    along = [found[0][found[1]] for found in opened if found is not None]
    if len(along) != len(known):
        return None
    total: Size = ""
    numbers = [size for size in along if isinstance(size, int)]
    if complete and len(numbers) == len(along):
        total = sum(numbers)
    elif complete and len(along) == 1:
        total = along[0]
    rest = [replaced(sizes, dim, "") for sizes in known]
    common = _agreed([sizes for sizes in rest if sizes is not None])
    return None if common is None else replaced(common, dim, total)


def _agreed(shapes: Sequence[Sizes]) -> Sizes | None:
    """The shape that all have, with unknown sizes where they differ; None where their ranks do, or may."""
    first = shapes[0]
    if all(sizes == first for sizes in shapes):
        return first
    if any(pack_position(sizes) is not None or len(sizes) != len(first) for sizes in shapes):
        return None
    return tuple(column[0] if all(size == column[0] for size in column) else "" for column in zip(*shapes, strict=True))


def _other(name: str, arguments: Arguments, first: Value) -> Sizes | None:
    sizes = sizes_of(first)
    if sizes is None or name in ("det", "logdet"):
        return None
    match name:
        case "one_hot":
            count = arguments.get("num_classes")
            return (*sizes, "" if count is None or literal_int(count) == -1 else size_of(count))
        case "bincount" | "histc":
            return ("",)
        case "inverse" | "cholesky":
            return sizes
        case "cdist":
            other = sizes_of(arguments["x2"]) if "x2" in arguments else None
            return _cdist(sizes, other)
        case "pdist":
            return ("",)
        case "conv2d" | "conv1d" if pack_position(sizes) is None and len(sizes) > 1:
            weight = sizes_of(arguments["weight"]) if "weight" in arguments else None
            channels = weight[0] if weight is not None and pack_position(weight) is None and weight else ""
            spatial = 2 if name == "conv2d" else 1
            return (*sizes[: -spatial - 1], channels, *("",) * spatial) if len(sizes) > spatial else None
        case "avg_pool2d" | "max_pool2d" | "interpolate" if pack_position(sizes) is None and len(sizes) > 2:
            kept = 2 if name == "interpolate" else len(sizes) - 2
            return (*sizes[:kept], *("",) * (len(sizes) - kept))
        case "pad" if pack_position(sizes) is None:
            return ("",) * len(sizes)
    return None


def _cdist(left: Sizes, right: Sizes | None) -> Sizes | None:
    if right is None or pack_position(left) is not None or pack_position(right) is not None:
        return None
    if len(left) < 2 or len(right) < 2:
        return None
    batch = broadcast(left[:-2], right[:-2])
    return None if batch is None else (*batch, left[-2], right[-2])


def _made(name: str, arguments: Arguments, positional: Sequence[Value]) -> Sizes | None:
    """The shape of a factory: sizes as numbers or as a tuple, or the shape of the tensor it is like."""
    first = next(iter(arguments.values()), None)
    if first is None:
        return None
    if name.endswith("_like"):
        return sizes_of(first)
    if name.startswith("new_"):
        sized = positional[1:] if name != "new_full" else positional[1:2]
        return listed_sizes(sized) if name != "new_tensor" and sized else None
    if name == "full":
        return listed_sizes(positional[:1])
    if name in ("zeros", "ones", "rand", "randn", "empty"):
        return listed_sizes(positional) if positional else None
    if name in ("arange", "randperm"):
        counted = [value for value in positional if value.kind is Kind.NUMBER]
        if len(counted) == 2 and literal_int(counted[0]) == 0:
            counted = counted[1:]
        plain = len(counted) == 1 and "step" not in arguments and (len(positional) > 1 or "end" not in arguments)
        return (size_of(counted[0]) if plain else "",)
    if name == "linspace":
        return (size_of(arguments["steps"]) if "steps" in arguments else "",)
    if name == "eye":
        other = arguments.get("m", first)
        return (size_of(first), size_of(other))
    if name == "randint":
        size = arguments.get("size")
        return None if size is None else listed_sizes((size,))
    return None
