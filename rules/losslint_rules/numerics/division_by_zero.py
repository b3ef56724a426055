"""division by a value that can be exactly zero

A mask that selects nothing, a batch without positives, two equal vectors: the divisor is 0 and the loss inf
or NaN. One such batch is enough to ruin a run, and it comes late, when nobody looks.

A finding names where the zero comes from. Counts of masks and comparisons, norms, sums of ReLU outputs are
warnings; a tensor parameter nothing is known of is info. So is an argument that is called `mask` or `src_mask`, and a mask that
compares positions with lengths, and what counts the rows of one that hold anything: most masks tell sequences from their
padding or are drawn with a fixed share.
`valid_mask`, `pos_mask` and what compares data are warnings. Python numbers from the configuration and sizes of tensors
are not reported.

## Bad

```python
import torch

def masked_l1_loss(pred, target):
    mask = target > 0
    return (torch.abs(pred - target) * mask).sum() / mask.sum()
```

## Good

```python
import torch

def masked_l1_loss(pred, target):
    mask = target > 0
    return (torch.abs(pred - target) * mask).sum() / mask.sum().clamp(min=1)
```

## Use instead

`.clamp(min=1)` for counts of 0/1 masks, `.clamp(min=eps)` for fractional weights, an early return that keeps
the graph (`pred.sum() * 0`) for empty batches. No fix is offered: which is right depends on what the mask
holds.

A run confirms it by feeding an empty mask, all-ignored targets or equal inputs.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.measurements import Measurements
from losslint.rule import Finding, Precondition, Rule, RunFinding, Step, with_calls, zero_path
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.guards import chain, closure
from losslint.semantics.length_masks import marks_positions
from losslint.semantics.selections import deciding_index, index_of, matched_pair, picks_by_name, selected_by
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Certainty, DType, Gradient, Kind, Reduced, Role, Value
from losslint_rules.numerics.asked_afterwards import is_asked_afterwards, is_only_compared
from losslint_rules.numerics.choices import is_left_out
from losslint_rules.numerics.domains import Edge
from losslint_rules.numerics.epsilons import eps_after
from losslint_rules.numerics.indicators import counted_indicator
from losslint_rules.numerics.underflows import underflows
from losslint_rules.runs import NonFinite, findings

RULE = Rule(
    code="LL206",
    name="division-by-zero",
    severity=Severity.WARNING,
    doubted=True,
    confirmed_by=("degenerate", "saturation"),
    precondition=Precondition.ZERO,
)

_SEVERITY = {
    Certainty.PROVEN: Severity.WARNING,
    Certainty.LIKELY: Severity.WARNING,
    Certainty.POSSIBLE: Severity.INFO,
}

_IN_RUN = frozenset({"div", "reciprocal", "true_divide", "mean"})


@RULE.on_op("div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a divisor with a zero witness that no comparison on this path excludes."""
    if len(op.operands) < 2:
        return
    divisor = op.operands[1]
    zero = divisor.zero
    if zero is None or divisor.role is Role.CONFIG or not graph.matters(op.value):
        return
    if op.is_guarded(chain(divisor)) or _cancels(op.operands[0], divisor):
        return
    if is_left_out(graph, op, Edge(divisor, 0.0)) or is_only_compared(graph, op):
        return  # the value is right; where-nan-gradient looks at the gradient
    if zero.is_named and eps_after(op, graph) is not None:
        return  # misplaced-eps reports it
    if zero.is_named and is_asked_afterwards(graph, op):
        return
    in_python = op.value.kind is Kind.NUMBER and not any(each.is_tensor for each in op.operands)
    yield RULE.finding(
        op.site,
        f"`{excerpt(divisor)}` can be exactly 0, and the division then {_raises_or_gives(in_python)}: {zero.reason}",
        severity=Severity.INFO if in_python or _is_remote(zero.source) else _SEVERITY[zero.certainty],
        evidence=with_calls(op, zero_path(divisor)),
    )


def _is_remote(source: Value) -> bool:
    """Whether only an underflow, or two tensors that are equal in all elements, would make the zero."""
    return underflows(source) or _is_square_of_difference(source)


def _is_square_of_difference(value: Value) -> bool:
    if value.origin.name not in ("square", "pow", "mul"):
        return False
    base = value.origin.operands[0]
    if base.origin.name != "sub" or len(base.origin.operands) != 2:
        return False
    return base.origin.operands[1].origin.name != "mean"  # x - x.mean() is 0 where x is constant


def _raises_or_gives(in_python: bool) -> str:
    """What a division by 0 does; numbers of Python are a score, or a count that fails loudly."""
    return "raises ZeroDivisionError" if in_python else "gives inf or NaN"


@RULE.on_op("div")
def by_count_of_indicator(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report `(x * event).sum() / event.sum()`: a batch without events has none to divide by."""
    if len(op.operands) < 2 or op.operands[1].zero is not None or not graph.matters(op.value):
        return
    divisor = op.operands[1]
    indicator = counted_indicator(graph, op.operands[0], divisor)
    if indicator is None or op.is_guarded([*ancestors([divisor])]):
        return
    steps = [Step(indicator.origin.site, "zeros and ones, as it is used")] if indicator.origin.site else []
    yield RULE.finding(
        op.site,
        f"`{excerpt(divisor)}` counts the ones of `{excerpt(indicator)}`, and a batch without any divides 0 by 0",
        evidence=with_calls(op, steps),
    )


_AVERAGES = (
    "mean",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "cross_entropy_loss",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)


@RULE.on_op(*_AVERAGES)
def mean_in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a mean over what a mask selects, which may be nothing: 0 / 0."""
    if op.value.reduction.kind is not Reduced.MEAN or op.value.rank != 0 or not graph.matters(op.value):
        return
    selection = selected_by(op.operands[0])
    if selection is None:
        return
    mask = deciding_index(selection) or selection
    if mask.dtype is DType.BOOL and mask.zero is None:
        return
    certainty = Certainty.LIKELY if mask.zero is None else mask.zero.certainty
    asked = [each for each in ancestors([mask]) if each.key in closure(mask)]
    chosen_by_prediction = mask.gradient is Gradient.CARRIES and not picks_by_name(mask)
    if op.is_guarded([selection, *asked]) or chosen_by_prediction or is_asked_afterwards(graph, op):
        return
    site = selection.origin.site
    yield RULE.finding(
        op.site,
        f"the mean of what `{excerpt(mask)}` selects is 0 / 0, NaN, when it selects nothing",
        severity=Severity.INFO if marks_positions(mask) else _SEVERITY[certainty],
        evidence=with_calls(
            op, [Step(site, f"how many elements are left depends on `{excerpt(mask)}`")] if site else []
        ),
    )


@RULE.on_op(*_AVERAGES)
def mean_of_matched(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a mean, in a loop over samples, over what a matching pairs, which pairs nothing in a sample without targets."""
    if op.value.reduction.kind is not Reduced.MEAN or op.value.rank != 0 or not graph.matters(op.value):
        return
    pair = matched_pair(op.operands[:2]) if op.in_loop else None
    if pair is None:
        return
    first, second = (excerpt(each) for each in pair)
    beneath = [each for part in pair for each in (part, *index_of(part))]
    if op.is_guarded([*beneath, *(each for value in op.operands[:2] for each in ancestors([value]))]):
        return
    steps = [Step(each.origin.site, "a part that the matching picks") for each in pair if each.origin.site is not None]
    yield RULE.finding(
        op.site,
        f"`{first}` and `{second}` are as long as their matching, and the mean of a sample in which nothing is matched is "
        "0 / 0, NaN",
        evidence=with_calls(op, steps),
    )


def _cancels(dividend: Value, divisor: Value) -> bool:
    """`x / x.detach()` scales by 1; nothing new can go wrong in it that is not wrong in x."""
    return divisor.origin.name == "detach" and divisor.origin.operands[0].key == dividend.key


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report what a run showed at such an operator."""
    return findings(RULE, m, _IN_RUN, _why)


def _why(found: NonFinite) -> str:
    return "a mean of no elements is 0 / 0" if found.operator == "mean" else "a denominator is 0"
