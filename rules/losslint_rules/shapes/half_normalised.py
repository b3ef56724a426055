"""a cosine of which only one side has unit length

An inner product is a cosine where both vectors have unit length. Where only one was normalised, it grows with the length of
the other: an arc cosine of it is of something else, `1 - x` is no distance in [0, 2], a margin in angles means nothing, and
logits beside those of two unit vectors are of another scale.

Reported where one operand was normalised and the other is an input, or a learned tensor, as it is, and the product is proven
to be meant as a cosine: its arc cosine is taken, it is subtracted from 1 (or twice it from 2), it is named as one, it stands in
one `cat` beside a product of two normalised vectors, or it gives the logits of two inputs that are both trained. And where two
inputs go through the same steps and are compared, but only one is normalised at the end. Targets, which may have unit
length from the start, hinges, classifiers with free weights and buffers, which are normalised where they are filled, are silent.

## Bad

```python
import torch.nn.functional as F

def similarity_loss(prediction, projection):
    p = F.normalize(prediction, dim=1)
    return 2 - 2 * (p * projection.detach()).sum(dim=1).mean()
```

## Good

```python
import torch.nn.functional as F

def similarity_loss(prediction, projection):
    p = F.normalize(prediction, dim=1)
    z = F.normalize(projection.detach(), dim=1)
    return 2 - 2 * (p * z).sum(dim=1).mean()
```

No fix is offered: the other side may be normalised by the caller, and the name or the formula may be what is wrong.

A run confirms it by a loss that changes as one input is scaled.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.cosines import is_normalized
from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import literal_ints
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Gradient, Kind, Role, Value
from losslint_rules.shapes.cosine_use import meant_as_cosine

RULE = Rule(code="LL421", name="half-normalised", severity=Severity.WARNING, doubted=True)

_PRODUCTS = ("matmul", "mm", "bmm", "sum", "linear", "einsum")
_PLACED = frozenset(
    "transpose t permute detach view reshape unsqueeze squeeze contiguous clone expand float to data".split()
)
_LOGITS = frozenset({"cross_entropy_loss", "log_softmax", "logsumexp"})


@RULE.on_op(*_PRODUCTS)
def products_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report products of a normalised vector and a free one that are meant as cosines."""
    found = _half(op.value)
    if found is None or not graph.matters(op.value):
        return
    unit, free = found
    why = meant_as_cosine(op.value, graph) or _are_twins(unit, free, op.value, graph)
    if why:
        yield _finding(op, unit, free, f"the product is no cosine, though {why}")


@RULE.on_op("sub", "mse_loss", "l1_loss", "smooth_l1_loss")
def comparisons_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report two inputs that are compared after the same steps, of which only one is normalised."""
    if len(op.operands) < 2 or not graph.matters(op.value):
        return
    for unit, free in (op.operands[:2], op.operands[1::-1]):
        normalised = _placed(unit)
        if normalised.origin.name != "normalize":
            continue
        steps, other = _steps(normalised.origin.operands[0]), _steps(free)
        if steps is not None and other is not None and steps[0] and steps[0] == other[0] and steps[1] != other[1]:
            yield _finding(op, unit, free, "they went through the same steps, and are compared at two scales")
            return


def _half(product: Value) -> tuple[Value, Value] | None:
    """The normalised and the free operand of an inner product, where it has one of each."""
    name, operands = product.origin.name, product.origin.operands
    if name == "sum":
        inner = operands[0].origin
        if inner.name != "mul" or literal_ints(product.origin.keywords.get("dim")) is None:
            return None
        sides = inner.operands
    elif name == "einsum":
        sides = operands[1:]
    else:
        sides = operands[:2] if "bias" not in product.origin.keywords else ()
    if len(sides) != 2:
        return None
    for unit, free in (sides, sides[::-1]):
        if is_normalized(unit) and _is_euclidean(unit) and not is_normalized(free) and _is_free(free):
            return unit, free
    return None


def _is_euclidean(unit: Value) -> bool:
    """Whether a vector was normalised by its length, not to a sum of 1."""
    power = _placed(unit).origin.keywords.get("p")
    return power is None or power.constant in (2, 2.0)


def _is_free(value: Value) -> bool:
    """Whether a value is an input or a learned tensor as it is; no target, and no mask or weight of elements."""
    current = _placed(value)
    if current.origin.name == "parameter":
        return current.role not in (Role.TARGET, Role.MASK, Role.CONFIG) and current.kind in (Kind.TENSOR, Kind.UNKNOWN)
    return current.origin.name == "parameter_tensor" and current.gradient is Gradient.CARRIES


def _placed(value: Value) -> Value:
    return value.beneath(_PLACED)


def _are_twins(unit: Value, free: Value, product: Value, graph: Graph) -> str:
    """Whether both are inputs that are trained, of which each should draw the other, and the product gives logits."""
    normalised, bare = _placed(unit), _placed(free)
    source = _placed(normalised.origin.operands[0]) if normalised.origin.name == "normalize" else normalised
    if source.origin.name != "parameter" or bare.origin.name != "parameter" or source.key == bare.key:
        return ""
    if any(each.gradient is not Gradient.CARRIES or each.role is Role.WEIGHT for each in (source, free, bare)):
        return ""
    pending, seen = [product], {product.key}
    while pending and len(seen) < 20:
        for later in graph.uses(pending.pop()):
            if later.name in _LOGITS:
                return "both are trained to be alike"
            if later.name in ("div", "mul", "masked_fill", "cat") and later.value.key not in seen:
                seen.add(later.value.key)
                pending.append(later.value)
    return ""


def _steps(value: Value) -> tuple[list[tuple[str, object]], int] | None:
    """The operators between an input and a value that is made of it alone, with their dimensions, and the input."""
    found: list[tuple[str, object]] = []
    current = value
    while current.origin.operands:
        name, operands = current.origin.name, current.origin.operands
        if any(each.is_tensor and each.rank != 0 for each in operands[1:]) or name in ("normalize", "div"):
            return None
        if name not in ("detach", "float", "to", "clone", "contiguous", "data"):
            found.append((name, tuple(each.constant for each in operands[1:] if each.has_constant)))
        current = operands[0]
    return (found, current.key) if current.origin.name == "parameter" else None


def _finding(op: Op, unit: Value, free: Value, effect: str) -> Finding:
    site = unit.origin.site
    return RULE.finding(
        op.site,
        f"`{excerpt(unit)}` has unit length and `{excerpt(free)}` does not: {effect}; normalise both",
        evidence=with_calls(op, [Step(site, "normalised here")] if site is not None else []),
    )
