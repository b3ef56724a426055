"""a view that leaves a dimension out

`b, c, h, w = x.shape` and then `x.view(c, h * w)`: the elements of b images do not fit into the matrix of one. The line works
while the batch holds a single sample, and raises for every other.

Reported where the shape before and the shape after are known dimension by dimension, and the one after is the product of all
sizes but some. `-1` takes up what is left over and is silent, and so is code that tests the size that is left out, or gives it
no name.

## Bad

```python
def style_loss(features, target):
    b, c, h, w = features.shape
    flat = features.view(c, h * w)
    return ((flat @ flat.t() / (c * h * w) - target) ** 2).mean()
```

## Good

```python
def style_loss(features, target):
    b, c, h, w = features.shape
    flat = features.view(b, c, h * w)
    return ((flat @ flat.transpose(1, 2) / (c * h * w) - target) ** 2).mean()
```

No fix is offered: what follows has one dimension more.

A run confirms it by the error for two samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.measures import sizes_of
from losslint.semantics.sizes import Size, Sizes, is_pack
from losslint.semantics.spelling import excerpt
from losslint_rules.shapes.shape_words import size_names

RULE = Rule(code="LL409", name="view-leaves-out", severity=Severity.WARNING, doubted=True)

_TESTS = frozenset("eq ne lt le gt ge compared".split())


@RULE.on_op("view", "reshape")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report views into fewer elements than there are."""
    before = sizes_of(op.operands[0]) if op.operands else None
    after = op.value.shape
    if before is None or after is None or not graph.matters(op.value):
        return
    have, take = _factors(before), _factors(after)
    if have is None or take is None or take[1] != have[1] or not take[0]:
        return
    missing = have[0] - take[0]
    if not missing or take[0] - have[0] or _is_tested(op, graph):
        return
    named = size_names({name: value for name, value in op.scope.items() if not name.startswith("_")})
    positions = [at for at, size in enumerate(before) if size in missing and size in named]
    if not positions:
        return
    which = ", ".join(map(str, positions))
    site = op.operands[0].origin.site
    yield RULE.finding(
        op.site,
        f"`{excerpt(op.value)}` has no room for dimension {which} of `{excerpt(op.operands[0])}`: it raises unless its size is 1; "
        "keep the dimension",
        evidence=with_calls(op, [Step(site, "this has the dimension")] if site is not None else []),
    )


def _factors(sizes: Sizes) -> tuple[Counter[Size], int] | None:
    """The symbols and the number whose product a shape has elements; None where a size is not known."""
    symbols: Counter[Size] = Counter()
    number = 1
    for size in sizes:
        if size == "" or is_pack(size):
            return None
        for part in str(size).split("·"):
            if part.lstrip("-").isdigit():
                if int(part) <= 0:
                    return None
                number *= int(part)
            else:
                symbols[part] += 1
    return symbols, number


def _is_tested(op: Op, graph: Graph) -> bool:
    """Whether a test of a size decides the path, or an assertion holds one against a number."""
    tests = [condition.test for condition in op.conditions]
    if any(each.origin.name in ("size", "shape", "dim", "len") for each in ancestors(tests)):
        return True
    return any(
        any(each.origin.name in ("size", "shape") for each in ancestors(branch.operands))
        for branch in graph.ops
        if branch.detail == "assert"
    )
