"""the target passed first and the prediction second

torch's losses take the prediction first. `F.binary_cross_entropy(target, p)` runs: it takes the log of the labels,
cut off at -100, and its gradient with respect to p has the wrong size and no minimum at the target.
`F.cross_entropy(labels, logits)` and `F.nll_loss` raise, or, with one-hot labels, minimise something without a lower
bound. For `mse_loss` the order does not matter.

Reported where the kind of both is proven: a comparison, one_hot, argmax or integers first, and the output of an activation or a
layer second; and where inputs of the loss are passed on as they are, the one first that is named as a target or label, and
the one second that is named as logits or a prediction and comes first in the signature of the loss.

## Bad

```python
import torch
import torch.nn.functional as F

def mask_loss(scores, truth):
    return F.binary_cross_entropy((truth > 0).float(), torch.sigmoid(scores).clamp(1e-6, 1 - 1e-6))
```

## Good

```python
import torch
import torch.nn.functional as F

def mask_loss(scores, truth):
    return F.binary_cross_entropy(torch.sigmoid(scores).clamp(1e-6, 1 - 1e-6), (truth > 0).float())
```

The fix changes the arguments over. It is unsafe: the loss becomes the one that was meant.

A run confirms it by a loss that is not least where the prediction equals the target.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.loss_names import words
from losslint.semantics.values import DType, Gradient, Site, Value
from losslint_rules.usage.arguments import argument, argument_node, made_here, unsafe, written
from losslint_rules.usage.meanings import meaning_of, through_views
from losslint_rules.usage.value_sets import numbers_of

RULE = Rule(code="LL718", name="swapped-loss-arguments", severity=Severity.WARNING, doubted=True)


@RULE.on_op("cross_entropy_loss", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report labels as the input and a prediction as the target."""
    first, second = argument(op, "input"), argument(op, "target")
    if first is None or second is None or not graph.matters(op.value):
        return
    named = _named(op, graph, first, second)
    if named is not None:
        yield _finding_by_name(op, *named)
        return
    if not _are_labels(first):
        return
    meant = meaning_of(second)
    if meant is None or second.gradient is not Gradient.CARRIES:
        return
    shown, other = written(op, "input", 0), written(op, "target", 1)
    name = "cross_entropy" if op.name == "cross_entropy_loss" else op.name
    steps = [*made_here(first, "holds labels"), *made_here(meant.made, f"holds {meant.meaning.value}")]
    yield RULE.finding(
        op.site,
        f"{name} takes the prediction first, and `{shown}` holds labels while `{other}` holds {meant.meaning.value}: "
        "change them over",
        evidence=with_calls(op, steps),
        rewrite=_swapped(op),
    )


def _named(op: Op, graph: Graph, first: Value, second: Value) -> tuple[str, str] | None:
    """The names of two inputs of the loss of which the first is a target and the second, before it in the loss's own
    signature, a prediction."""
    labels, prediction = _resampled(first), _resampled(second)
    order = [each.key for each in graph.parameters]
    if labels.key not in order or prediction.key not in order or order.index(labels.key) < order.index(prediction.key):
        return None
    name, other = labels.origin.label, prediction.origin.label
    parts, others = set(words(name)), set(words(other))
    if parts & _PREDICTIONS or not others & _PREDICTIONS or others & _TARGETS:
        return None
    are_no_labels = op.name.startswith("binary") and {"logit", "logits"} & others and not parts & _OUTPUTS
    if not parts & _TARGETS and not are_no_labels:
        return None
    return (name, other) if second.gradient is not Gradient.CUT else None


def _resampled(value: Value) -> Value:
    """The input behind views, a pooling or resizing, and the turns of a loop that do it again."""
    current = through_views(value)
    for _ in range(12):
        if (current.origin.name == "phi" and current.origin.label == "loop head") or (
            current.origin.name in _RESIZES and current.origin.operands
        ):
            current = through_views(current.origin.operands[0])
        else:
            break
    return current


_RESIZES = frozenset("avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d interpolate upsample".split())
_TARGETS = frozenset("target targets label labels gt truth onehot".split())
_OUTPUTS = frozenset("output outputs out score scores student recon reconstruction prob probs".split())
_PREDICTIONS = frozenset("logit logits pred preds prediction predictions predicted".split())


def _finding_by_name(op: Op, name: str, other: str) -> Finding:
    function = "cross_entropy" if op.name == "cross_entropy_loss" else op.name
    return RULE.finding(
        op.site,
        f"{function} takes the prediction first, and is given `{name}` first and `{other}` as the target: change them over",
        evidence=with_calls(op, ()),
        rewrite=_swapped(op),
    )


def _are_labels(value: Value) -> bool:
    """Whether a value provably holds zeros and ones or class indices, without a gradient to a prediction."""
    base = through_views(value)
    if value.gradient is Gradient.CARRIES or not value.is_tensor:
        return False
    if value.dtype in (DType.INT, DType.BOOL) or base.origin.name in ("argmax", "argmin", "one_hot"):
        return True
    numbers = numbers_of(value)
    return numbers is not None and numbers == {0, 1}


def _swapped(op: Op) -> Rewrite | None:
    first, second = argument_node(op, "input", 0), argument_node(op, "target", 1)
    if first is None or second is None:
        return None
    unit = op.site.unit
    return unsafe(
        "change the arguments over",
        Replacement(Site(unit, first), unit.code(second)),
        Replacement(Site(unit, second), unit.code(first)),
    )
