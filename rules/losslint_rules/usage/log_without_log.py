"""a name says log-probabilities, and the value is probabilities

`log_probs = F.softmax(logits, dim=-1)` is one letter group short of `F.log_softmax`. What follows is written for logarithms:
minus the picked value is a loss between -1 and 0 that hardly punishes a confident error, `log_probs.exp()` is no probability,
and an entropy of it none either. Nothing raises.

Reported where a softmax or sigmoid is bound to a name that begins with `log` (`log_p`, `log_probs`, `logp`), the loss is
computed of it, and no logarithm of it is taken afterwards. What goes into nll_loss or kl_div is left to
nll-without-log-softmax (LL703) and kl-div-operands (LL704).

## Bad

```python
import torch.nn.functional as F

def smoothed_loss(logits, target):
    log_p = F.softmax(logits, dim=-1)
    return -log_p.gather(-1, target.unsqueeze(-1)).mean()
```

## Good

```python
import torch.nn.functional as F

def smoothed_loss(logits, target):
    log_p = F.log_softmax(logits, dim=-1)
    return -log_p.gather(-1, target.unsqueeze(-1)).mean()
```

No fix is offered: it may be the name that is wrong.

A run confirms it by a loss that stays bounded when a prediction is confidently wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.loss_names import words
from losslint.semantics.syntax_walk import nodes_of_kind
from losslint.semantics.values import Gradient, Value
from losslint_rules.usage.meanings import SELECTIONS, VIEWS

RULE = Rule(code="LL790", name="log-without-log", severity=Severity.WARNING, doubted=True)

_LOGGED = frozenset({"logp", "logpt", "logps", "logprob", "logprobs", "logsoftmax", "logsigmoid"})
_RECORDS = frozenset(
    "dict data info str string msg file name path vars var entry entries output outputs loss losses value values".split()
)
_LOGS = frozenset(
    "log log2 log10 log1p xlogy logit nll_loss kl_div binary_cross_entropy cross_entropy_loss ctc_loss".split()
)
_THROUGH = (
    VIEWS
    | SELECTIONS
    | frozenset("clamp clamp_min clamp_max add sub mul div where masked_fill sum mean pow maximum minimum".split())
)


@RULE.on_op("softmax", "sigmoid")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report probabilities under the name of a logarithm."""
    name = _name_of(op)
    if (
        name is None
        or op.value.gradient is Gradient.NEUTRAL
        or not graph.matters(op.value)
        or _is_logged(graph, op.value)
    ):
        return
    yield RULE.finding(
        op.site,
        f"`{name}` is named as a logarithm and holds probabilities: take log_{op.name} of the logits, or name it for what it is",
        evidence=with_calls(op, ()),
    )


def _name_of(op: Op) -> str | None:
    """The name of a logarithm that the operator's result, as it is, is assigned to."""
    for name in chain.from_iterable(_assigned(piece.module).get(op.site.node, ()) for piece in op.site.unit.parsed):
        parts = words(name)
        is_logarithm = bool(parts) and (parts[0] in _LOGGED or (parts[0] == "log" and len(parts) > 1))
        if is_logarithm and not _RECORDS & set(parts):
            return name
    return None


@kept_for_a_file
def _assigned(module: cst.Module) -> Mapping[cst.CSTNode, tuple[str, ...]]:
    """The names that each value is assigned to, of a file or a part of it."""
    return {
        node.value: tuple(each.target.value for each in node.targets if isinstance(each.target, cst.Name))
        for node in nodes_of_kind(module, cst.Assign)
    }


def _is_logged(graph: Graph, value: Value) -> bool:
    """Whether a logarithm of a value is taken later, or another loss takes it that wants to be told itself."""
    pending, seen = [value], {value.key}
    while pending and len(seen) < 60:
        for op in graph.uses(pending.pop()):
            if op.name in _LOGS:
                return True
            if op.name in _THROUGH and op.value.key not in seen:
                seen.add(op.value.key)
                pending.append(op.value)
    return False
