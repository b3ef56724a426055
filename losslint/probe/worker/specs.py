"""What an argument should look like, and an expression that makes one. Sizes are distinct, so that an accidental
broadcast fails; values are generic: no zeros, no ties, nothing saturated."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

SIZES = {"N": 4, "C": 5, "D": 8, "Z": 7, "H": 16, "W": 12, "T": 11, "K": 6}
OTHER_SIZE = 9


@dataclass(frozen=True)
class Spec:
    """A shape of named or literal sizes and what the numbers mean; see `Argument.kind` for the kinds.

    `keys` makes it a dict of such tensors, `length` a list of so many.
    """

    shape: tuple[str, ...]
    kind: str
    length: int = 0
    keys: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape in numbers."""
        return tuple(size_of(name) for name in self.shape)


def size_of(name: str) -> int:
    """The size of a dimension: a number means itself, a known letter has its own, any other name a shared one."""
    return int(name) if name.isdigit() else SIZES.get(name, OTHER_SIZE)


def expression(spec: Spec) -> str:
    """Python source that makes the argument, given `torch`; the same values every time after `torch.manual_seed`."""
    one = _tensor(spec)
    if spec.keys:
        return "{" + ", ".join(f"{key!r}: {one}" for key in spec.keys) + "}"
    return f"[{', '.join([one] * spec.length)}]" if spec.length else one


def _tensor(spec: Spec) -> str:
    shape = _written(spec.sizes)
    match spec.kind:
        case "index":
            return _whole_numbers(spec.sizes, SIZES["C"])
        case "binary-index":
            return _whole_numbers(spec.sizes, 2)
        case "binary":
            return f"({_whole_numbers(spec.sizes, 2)}).float()"
        case "mask":
            return f"({_whole_numbers(spec.sizes, 2)}).bool()"
        case "signs":
            return f"({_whole_numbers(spec.sizes, 2)}).float() * 2 - 1"
        case "one-hot":
            # Scattered rather than F.one_hot: the class dimension is the second.
            chosen = _whole_numbers((*spec.sizes[:1], 1, *spec.sizes[2:]), spec.sizes[1] if len(spec.sizes) > 1 else 1)
            return f"torch.zeros({shape}).scatter_(1, {chosen}, 1.0)"
        case "probability" | "image":
            return f"torch.rand({shape}) * 0.9 + 0.05"
        case "simplex":
            return f"torch.randn({shape}).softmax({_class_dim(spec)})"
        case "log-probability":
            return f"torch.randn({shape}).log_softmax({_class_dim(spec)})"
        case "boxes" if spec.sizes[-1:] == (4,):
            # Corners x1, y1, x2, y2 of boxes that overlap.
            return f"torch.rand({shape}) * 0.4 + torch.tensor([0.0, 0.0, 0.5, 0.5])"
        case "positive":
            return f"torch.rand({shape}) + 0.5"
        case "length":
            return f"torch.full({shape}, {SIZES['T'] - 1})"
        case _:
            return f"torch.randn({shape})"


def _written(sizes: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, sizes)) + ("," if len(sizes) == 1 else "") + ")"


def _whole_numbers(sizes: tuple[int, ...], below: int) -> str:
    """Whole numbers, each about as often. In one dimension they come in pairs, for losses that need two of a kind."""
    if len(sizes) == 1 and below > 2:
        return f"torch.arange({sizes[0]}) // 2 % {below}"
    return f"torch.randperm({prod(sizes)}).reshape({_written(sizes)}) % {below}"


def _class_dim(spec: Spec) -> int:
    return 1 if len(spec.shape) > 1 else 0
