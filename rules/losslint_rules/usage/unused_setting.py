"""a setting that is taken and never used

`FocalLoss(gamma=5)`, `loss(pred, target, mask=mask)`: the signature offers a choice, and the code never looks at it. The loss
is worth the same whatever is chosen, and nothing says so.

Looked at are settings whose name says that they change the value: weights and masks, `reduction`, `ignore_index`, `eps`,
`gamma`, `margin`, `temperature` and the like; and flags, save those about logs, files and devices. Reported are parameters
that the body never reads, or replaces before it reads them; arguments of a constructor that nothing is done with; and those
that are stored on `self` where no method of the class, of its bases and descendants, and nobody who holds such a loss reads
the attribute. `extra_repr` does not count.

Where somebody else lays the signature down it is not reported: overrides, functions in a table of losses, `**kwargs`,
stubs, arguments that are documented as unused, and those that a method of the same name in another class of the file leaves
unread as well. Nor is it where the loss is still to be written, and computes nothing from what it is given. Where other
losses beside it take the same argument it is an info.

## Bad

```python
import torch.nn as nn
import torch.nn.functional as F

class SmoothedLoss(nn.Module):
    def __init__(self, label_smoothing=0.1):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, logits, target):
        return F.cross_entropy(logits, target)
```

## Good

```python
import torch.nn as nn
import torch.nn.functional as F

class SmoothedLoss(nn.Module):
    def __init__(self, label_smoothing=0.1):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, logits, target):
        return F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
```

No fix is offered: the setting may be wanted, or its place in the signature be wrong.

A run confirms it: two values of the setting give the same loss.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Graph
from losslint.semantics.liveness import liveness
from losslint.semantics.names import Function
from losslint.semantics.values import Site
from losslint_rules.usage.attribute_use import has_member, is_read
from losslint_rules.usage.definitions import (
    constructors,
    functions,
    is_abstract,
    is_placeholder,
    is_stub,
    is_wrapped,
    owner_of,
    parameters,
    reads_nothing_given,
)
from losslint_rules.usage.interfaces import (
    MANY,
    is_handed_on,
    is_kept_under_another_name,
    is_left_unread_beside,
    others_that_take,
    overrides,
    says_so,
)
from losslint_rules.usage.stored_settings import stored
from losslint_rules.usage.torch_bases import reads_nothing
from losslint_rules.usage.vocabulary import changes_value, says_unused

RULE = Rule(code="LL720", name="unused-setting", severity=Severity.WARNING)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report parameters that functions never read, and arguments of constructors that have no effect."""
    if is_placeholder(graph):
        return
    for name, function in functions(graph):
        if reads_nothing_given(function):
            continue
        owner = owner_of(graph, name)
        for parameter in _settings(graph, function, bool(owner)):
            yield from _unread(graph, name, function, parameter)
    if reads_nothing(graph) and not is_abstract(graph):
        for owner, constructor in constructors(graph):
            for parameter in _settings(graph, constructor, True):
                yield from _without_effect(graph, owner, constructor, parameter)


def _settings(graph: Graph, function: Function, is_method: bool) -> Iterator[cst.Param]:
    """The parameters of a signature of its own that should change what the loss is worth."""
    if is_stub(function) or is_wrapped(function) or function.params.star_kwarg is not None:
        return
    for parameter in parameters(function, is_method):
        if changes_value(parameter) and not parameter.name.value.startswith("_"):
            yield parameter


def _documentation(graph: Graph, function: Function) -> str:
    owner = graph.unit.classes.get(graph.owner)
    return (function.get_docstring() or "") + "\n" + ((owner.get_docstring() or "") if owner is not None else "")


def _unread(graph: Graph, name: str, function: Function, parameter: cst.Param) -> Iterator[Finding]:
    label = parameter.name.value
    fate = liveness(function).fate_of_parameter(label)
    if fate.read or says_unused(_documentation(graph, function), label) or says_so(graph.unit.code(function.params)):
        return
    owner = owner_of(graph, name)
    if overrides(graph, name, label) if owner else is_handed_on(graph, function.name.value):
        return
    if owner and is_left_unread_beside(graph, name, label):
        return
    if fate.rebound and is_kept_under_another_name(graph, function.name.value):
        return  # one of several that take the same, and makes its own of it
    steps = [Step(Site(graph.unit, each.node), "replaced here before anything reads it") for each in fate.rebound]
    what = "replaces it before it reads it" if steps and not fate.leaves else "never reads it"
    yield RULE.finding(
        Site(graph.unit, parameter.name),
        f"`{label}` has no effect: `{function.name.value}` takes it and {what}; use it, or take it out of the signature",
        severity=Severity.INFO if others_that_take(graph, name, label) >= MANY else RULE.severity,
        evidence=steps,
    )


def _without_effect(graph: Graph, owner: str, constructor: Function, parameter: cst.Param) -> Iterator[Finding]:
    label = parameter.name.value
    fate = liveness(constructor).fate_of_parameter(label)
    kept = stored(constructor, label)
    if not fate.read and not fate.rebound:
        if f"self.{label} =" not in graph.unit.code(constructor) and is_read(graph, owner, label):
            return  # stored by what takes all arguments: `store_attr()`, `save_hyperparameters()`
        message = f"`{label}` has no effect: the constructor of `{owner}` does nothing with it; use it, or take it out"
    elif (
        kept.only
        and kept.attributes
        and not any(has_member(graph, owner, each) or is_read(graph, owner, each) for each in kept.attributes)
    ):
        message = f"`{label}` has no effect: it is stored as `self.{kept.attributes[0]}`, which nothing reads"
    else:
        return
    if says_unused(_documentation(graph, constructor), label) or says_so(graph.unit.code(constructor.params)):
        return
    steps = [
        Step(Site(graph.unit, each), f"stored here, and no method of `{owner}` reads it") for each in kept.statements
    ]
    yield RULE.finding(Site(graph.unit, parameter.name), message, evidence=steps)
