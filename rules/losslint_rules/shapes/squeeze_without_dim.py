"""squeeze() without a dimension drops the batch where it has one sample

`x.squeeze()` takes away every dimension of size 1. The last batch of an epoch often has one sample: then the batch dimension
goes too, (1, 1, H, W) becomes (H, W), (1, 1) a scalar. What comes next fails: binary_cross_entropy and cross_entropy want
equal batches, `dim=1` is out of range or means another dimension, a 0-dim tensor has no length. `squeeze(1)` says what is meant.

The same happens to `mask.nonzero().squeeze()` where one element is selected.

A finding names the input whose batch it is and the operator that no longer fits. Where the result is only used element by
element, as in mse_loss, a batch of one broadcasts back and nothing is reported, nor where both operands collapse alike.

## Bad

```python
import torch.nn.functional as F

def mask_loss(logits, target):
    return F.cross_entropy(logits, target.squeeze().long())
```

## Good

```python
import torch.nn.functional as F

def mask_loss(logits, target):
    return F.cross_entropy(logits, target.squeeze(1).long())
```

The fix names the dimension where exactly one is known to be 1. It is unsafe: other dimensions of size 1 stay.

A run confirms it by a batch of one sample, which fails at this line or behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Applicability, Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.measures import sizes_of
from losslint.semantics.sizes import pack_position
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint_rules.shapes.batch_needs import harmed_by_collapse
from losslint_rules.shapes.batches import batch_source

RULE = Rule(code="LL402", name="squeeze-without-dim", severity=Severity.WARNING, doubted=True)


@RULE.on_op("squeeze")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report squeeze() of something with a batch dimension whose result an operator takes that needs it."""
    dim = op.keywords.get("dim")
    if (dim is not None and dim.kind is not Kind.NONE) or not op.operands:
        return
    squeezed = op.operands[0]
    source = batch_source(squeezed)
    if source is None or _cannot_collapse(squeezed):
        return
    found = harmed_by_collapse(op.value, graph, {squeezed.key, op.value.key, source.key})
    if found is None:
        return
    harmed, why = found
    selected = source.origin.name != "parameter"
    whose = "selects a single element" if selected else "has one sample in some batches"
    evidence = [
        Step(each.origin.site, message)
        for each, message in ((source, f"`{excerpt(source)}` {whose}"), (harmed.value, why))
        if each.origin.site is not None
    ]
    yield RULE.finding(
        op.site,
        f"`{excerpt(op.value)}` drops the "
        + (
            "dimension of what is selected where that is one element"
            if selected
            else "batch dimension too where the batch has one sample"
        )
        + f", and {why}; name the dimension that is meant",
        evidence=with_calls(op, evidence),
        rewrite=_rewrite(op, squeezed),
    )


def _cannot_collapse(value: Value) -> bool:
    sizes = sizes_of(value)
    return sizes is None or not sizes or isinstance(sizes[0], int)


def _rewrite(op: Op, squeezed: Value) -> Rewrite | None:
    sizes, node = sizes_of(squeezed) or (), op.site.node
    ones = [position for position, size in enumerate(sizes) if size == 1]
    hidden = pack_position(sizes)
    if len(ones) != 1 or not isinstance(node, cst.Call):
        return None
    dim = ones[0] if hidden is None or ones[0] < hidden else ones[0] - len(sizes)
    if dim == len(sizes) - 1:
        dim = -1
    called = op.site.unit.code(node.func)
    written = ", ".join(op.site.unit.code(argument.value) for argument in node.args)
    content = f"{called}({written + ', ' if written else ''}{dim})"
    return Rewrite(Applicability.UNSAFE, f"use `{content}`", (Replacement(op.site, content),))
