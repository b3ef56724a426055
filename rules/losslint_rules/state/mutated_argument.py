"""the loss changes a tensor that it was given

An in-place operator on an argument, or on a view of it, changes the caller's tensor: the next loss, the metric or the
log sees other numbers, and where the tensor was needed for the backward pass, autograd raises or computes with the
changed values.

Reported is what provably shares its memory with a parameter: the parameter itself, slices, `view`, `detach()`, `.data`.
Silent are tensors of one's own: results of arithmetic, clones, masks (`x[mask]` copies), `.float()` and `.to(...)`,
which copy unless the dtype is the same already; and functions whose name or docstring says that they work in place.
In a model's forward it is an info: its trainer makes a batch for it alone and seldom reads it again.

## Bad

```python
import torch.nn.functional as F

def clipped_loss(pred, target):
    target.clamp_(0, 1)
    return F.mse_loss(pred, target)
```

## Good

```python
import torch.nn.functional as F

def clipped_loss(pred, target):
    return F.mse_loss(pred, target.clamp(0, 1))
```

No fix is offered. A run confirms it: it compares every argument before and after the call.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.measurements import Measurements, UserLine
from losslint.rule import Finding, Rule, RunFinding, Step, Symptom, with_calls
from losslint.semantics.graph import IN_PLACE, Graph, Op
from losslint.semantics.guards import COMPARISONS
from losslint.semantics.loss_names import names_a_loss, words
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Value
from losslint.semantics.views import shared_parameter

RULE = Rule(code="LL601", name="mutated-argument", severity=Severity.WARNING, doubted=True, confirmed_by=("mutation",))

# What is given to be changed: state that the caller keeps, gradients, a total that is added to.
_TO_BE_CHANGED = frozenset(
    "out output_buffer buffer cache queue bank memory ema running state states ctx grad grads loss losses total".split()
)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report, once a parameter, the in-place operator on what shares its memory."""
    if graph.function is None or graph.calls_backward or _says_in_place(graph):
        return
    seen: set[int] = set()
    for op in graph.ops:
        changed = _changed(op)
        parameter = shared_parameter(changed) if changed is not None else None
        if changed is None or parameter is None or parameter.key in seen:
            continue
        if not _TO_BE_CHANGED & set(words(parameter.origin.label)):
            seen.add(parameter.key)
            certain = _is_loss(graph) and not _replaces_a_marker(op)
            yield _finding(op, changed, parameter, Severity.WARNING if certain else Severity.INFO)


def _is_loss(graph: Graph) -> bool:
    """Whether this is a loss, which anybody may call, and no model that is given a batch of its own by its trainer."""
    if graph.instance is None or names_a_loss(graph.owner.rpartition(".")[2]):
        return True
    return all(each.kind not in (Kind.MODULE, Kind.UNKNOWN) for each in graph.instance.attributes.values())


def _changed(op: Op) -> Value | None:
    """The tensor that an operator changes."""
    flag = op.keywords.get("inplace")
    asked = flag is not None and flag.constant is True and not flag.is_default
    if not (op.detail == IN_PLACE or asked) or not op.operands:
        return None
    receiver = op.operands[0]
    return receiver if receiver.kind is Kind.TENSOR else None


def _says_in_place(graph: Graph) -> bool:
    function = graph.function
    assert isinstance(function, cst.FunctionDef)
    name, text = function.name.value, (function.get_docstring() or "").lower()
    own_batch = name.endswith(("_step", "_epoch"))
    return (
        own_batch
        or name.endswith("_")
        or name == "backward"
        or "hook" in name
        or "in-place" in text
        or "inplace" in text
    )


def _replaces_a_marker(op: Op) -> bool:
    """`labels[labels == -1] = -100`: a constant for a constant, which changes nothing when it is done again."""
    if op.name != "index_put" or len(op.operands) != 3 or not op.operands[1].has_constant:
        return False
    receiver, _, index = op.operands
    if index.origin.name not in COMPARISONS or not index.origin.operands:
        return False
    return index.origin.operands[0].key == receiver.key and all(
        each.has_constant and not each.is_default for each in index.origin.operands[1:]
    )


def _finding(op: Op, changed: Value, parameter: Value, severity: Severity) -> Finding:
    name = parameter.origin.label
    shared = changed.key != parameter.key
    steps = (
        [Step(changed.origin.site, f"`{excerpt(changed)}` is a view of `{name}`")]
        if shared and changed.origin.site
        else []
    )
    return RULE.finding(
        op.site,
        f"this changes the caller's tensor `{name}` in place"
        + (f": `{excerpt(changed)}` shares its memory" if shared else "")
        + "; work on a copy, or use the operator that returns its result",
        severity=severity,
        evidence=with_calls(op, steps),
    )


@RULE.on_probe
def in_run(m: Measurements) -> Iterator[RunFinding]:
    """Report the arguments that differ after the call."""
    found = m.mutation
    if found is None or found.status != "mutated":
        return
    yield RULE.run_finding(
        f"the call changes its argument{'s' * (len(found.arguments) > 1)} {', '.join(found.arguments)} in place",
        Symptom.MUTATION,
        1.0,
        line=UserLine(found.filename, found.line) if found.filename else None,
        names=found.arguments,
    )
