"""an argument passed by position lands in another parameter than the one of its name

`focal_loss(logits, target, alpha, gamma)` calls `def focal_loss(logits, target, gamma, alpha)`, `F.cross_entropy(logits,
target, reduction)` gives its class weights a string: the argument has the name of one parameter and the place of another.
Where the two are numbers nothing fails, and each setting takes the effect of the other.

Reported where an argument is a name, or an attribute, that is exactly the name of another parameter of the function, class
or module that is called, and that parameter gets nothing, or is itself given what belongs elsewhere. Data that changes
places, `kl(q, p)` beside `kl(p, q)`, is silent: only parameters that can be left out and those of constructors count. So are
sizes that are exchanged to undo a layer, `Upsample(dim_out, dim)` for `Downsample(dim, dim_out)`.

## Bad

```python
import torch

def focal_loss(log_pt, gamma=2.0, alpha=0.25):
    return -(alpha * (1 - log_pt.exp()) ** gamma * log_pt).mean()

class FocalLoss(torch.nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, logits, target):
        log_pt = torch.log_softmax(logits, dim=1).gather(1, target[:, None])
        return focal_loss(log_pt, self.alpha, self.gamma)
```

## Good

```python
import torch

def focal_loss(log_pt, gamma=2.0, alpha=0.25):
    return -(alpha * (1 - log_pt.exp()) ** gamma * log_pt).mean()

class FocalLoss(torch.nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, logits, target):
        log_pt = torch.log_softmax(logits, dim=1).gather(1, target[:, None])
        return focal_loss(log_pt, alpha=self.alpha, gamma=self.gamma)
```

## Use instead

Keywords for everything that is a setting. No fix is offered: results so far were made with the settings as they landed.

A run confirms it only where the types differ and torch raises; where both are numbers it cannot know which was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule
from losslint.semantics.graph import Graph
from losslint.semantics.syntax_walk import nodes_of_kind
from losslint_rules.usage.signatures import MadeCall, Slot, made_calls

RULE = Rule(code="LL750", name="misplaced-argument", severity=Severity.WARNING, doubted=True)


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report positional arguments with the name of another parameter."""
    for call in made_calls(graph):
        strayed = _strayed(call)
        if strayed and not _calls_both_ways(call) and not _is_mirrored(call, strayed, graph):
            yield _finding(call, strayed)


def _strayed(call: MadeCall) -> dict[int, int]:
    """The positions of the arguments that have another parameter's name, and that parameter's position."""
    slots, arguments = call.signature.slots, call.node.args
    if any(each.star for each in arguments) or call.within.name.value == call.signature.called:
        return {}
    places = {slot.name: position for position, slot in enumerate(slots)}
    given = [each for each in arguments if each.keyword is None]
    by_keyword = {each.keyword.value for each in arguments if each.keyword is not None}
    found: dict[int, int] = {}
    for position, argument in enumerate(given[: len(slots)]):
        home = places.get(_name_of(argument.value))
        if home is None or home == position or slots[home].name in by_keyword:
            continue
        if call.signature.makes or (slots[home].is_optional and slots[position].is_optional):
            found[position] = home
    while True:
        kept = {here: home for here, home in found.items() if home >= len(given) or home in found}
        if len(kept) == len(found):
            return kept
        found = kept


def _name_of(node: cst.BaseExpression) -> str:
    """The last name of `alpha` and `self.alpha`; empty for what is computed, and for the attributes of anything else."""
    match node:
        case cst.Name(value=name):
            return name
        case cst.Attribute(value=cst.Name(value="self" | "args" | "cfg" | "config" | "opt"), attr=cst.Name(value=name)):
            return name.lstrip("_")
    return ""


def _calls_both_ways(call: MadeCall) -> bool:
    """Whether the same function is called with the names in their own places too: the exchange is meant."""
    code = call.site.unit.code
    for node in nodes_of_kind(call.within, cst.Call):
        if node is not call.node and code(node.func) == code(call.node.func):
            names = [_name_of(each.value) for each in node.args if each.keyword is None]
            slots = [slot.name for slot in call.signature.slots]
            if any(name and name == slot for name, slot in zip(names, slots, strict=False)):
                return True
    return False


_SIZE = re.compile(
    r"(?:^|_)(?:dims?|channels?|chans?|ch|features?|feats?|size|hidden|width|planes|units|in|out|nodes)(?:_|\d|$)"
)
_DIRECTION = re.compile(
    r"(?:Up|Down)(?![a-z])|(?<![a-z])(?:up|down)(?![a-z])|[Uu]psampl|[Dd]ownsampl|[Ee]ncod|[Dd]ecod|[Ii]nverse|[Tt]ranspose"
    r"|[Dd]econv|[Uu]npool|[Rr]everse"
)


def _is_mirrored(call: MadeCall, strayed: dict[int, int], graph: Graph) -> bool:
    """Whether two sizes are exchanged to undo a layer: its name says a direction, or one beside it has them as they are."""
    slots = call.signature.slots
    if any(strayed.get(home) != here for here, home in strayed.items()) or not call.signature.makes:
        return False
    names = {here: slots[here].name for here in strayed}
    if not all(_SIZE.search(name) for name in names.values()):
        return False
    return bool(_DIRECTION.search(call.signature.called)) or any(
        each.within is call.within and each.signature.makes and _has_in_place(each, names) for each in made_calls(graph)
    )


def _has_in_place(call: MadeCall, names: dict[int, str]) -> bool:
    """Whether a call gives names to the parameters of these names, at the same places."""
    given = [_name_of(each.value) if each.keyword is None and not each.star else "" for each in call.node.args]
    slots = [slot.name for slot in call.signature.slots]
    return all(given[here : here + 1] == slots[here : here + 1] == [name] for here, name in names.items())


def _finding(call: MadeCall, strayed: dict[int, int]) -> Finding:
    slots = call.signature.slots
    texts = {here: call.site.unit.code(call.node.args[here].value) for here in strayed}
    what = " and ".join(f"`{texts[here]}` lands in `{slots[here].name}`" for here in list(strayed)[:3])
    return RULE.finding(
        call.site,
        f"{what}: `{call.signature.called}` takes {_order(slots, strayed)} in this order; pass them by keyword",
    )


def _order(slots: tuple[Slot, ...], strayed: dict[int, int]) -> str:
    concerned = sorted({*strayed, *strayed.values()})
    return ", ".join(f"`{slots[each].name}`" for each in concerned)
