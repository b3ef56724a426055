"""kl_div given probabilities where it takes logs, or logs where it takes probabilities

`F.kl_div(input, target)` computes `target * (log(target) - input)`: the input holds log-probabilities, the target
probabilities, or log-probabilities too with `log_target=True`. Anything else gives numbers without a meaning:
negative divergences for probabilities as input, NaN for log-probabilities as target. The first argument is the
prediction, the second what it should be.

## Bad

```python
import torch.nn.functional as F

def distillation_loss(student, teacher):
    return F.kl_div(F.softmax(student, dim=1), F.softmax(teacher, dim=1), reduction="batchmean")
```

## Good

```python
import torch.nn.functional as F

def distillation_loss(student, teacher):
    return F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1), reduction="batchmean")
```

The fix writes log_softmax, adds `log_target=True` or changes the arguments over. It is unsafe: the loss becomes
the one that was meant.

A run confirms it by a divergence below 0, or NaN.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Replacement, Rewrite, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op
from losslint.semantics.values import Site
from losslint_rules.usage.arguments import (
    argument,
    argument_node,
    flag,
    in_log_space,
    made_here,
    unsafe,
    with_argument,
    written,
)
from losslint_rules.usage.meanings import Meaning, Meant, kind_of, meaning_of

RULE = Rule(code="LL704", name="kl-div-operands", severity=Severity.ERROR, confirmed_by=("forward", "saturation"))


@RULE.on_op("kl_div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report an input that holds no logs, and a target that is not what log_target says."""
    prediction, target = _meaning(op, "input"), _meaning(op, "target")
    if not graph.matters(op.value):
        return
    log_target = flag(op, "log_target")
    no_logs = prediction is not None and prediction.meaning is not Meaning.LOG_PROBABILITY
    logs_as_target = target is not None and target.meaning is Meaning.LOG_PROBABILITY and log_target is False
    steps: list[Step] = []
    for meant in (prediction, target):
        steps += made_here(meant.made, f"holds {meant.meaning.value}") if meant is not None else []
    first, second = written(op, "input", 0), written(op, "target", 1)
    message, rewrite = "", None
    if no_logs and logs_as_target:
        message = f"kl_div takes log-probabilities first and probabilities second: `{first}` and `{second}` are swapped"
        rewrite = _swapped(op)
    elif no_logs and prediction is not None:
        message = (
            f"kl_div takes log-probabilities as its input, and `{first}` is the output of a "
            f"{kind_of(prediction.made)}: the divergence means nothing and can be negative; use log_softmax"
        )
        rewrite = unsafe("use log_softmax", in_log_space(graph, op, "input", 0, prediction.made))
    elif logs_as_target:
        message = (
            f"the target `{second}` of kl_div holds log-probabilities, but log_target=True is not given: "
            "the log of a negative number is NaN"
        )
        rewrite = unsafe("say log_target=True", with_argument(op, "log_target=True") if _is_function(op) else None)
    elif target is not None and target.meaning is Meaning.PROBABILITY and log_target is True:
        message = f"log_target=True says that the target of kl_div holds log-probabilities, and `{second}` holds none"
        rewrite = unsafe("use log_softmax", in_log_space(graph, op, "target", 1, target.made))
    if message:
        yield RULE.finding(op.site, message, evidence=with_calls(op, steps), rewrite=rewrite)


def _meaning(op: Op, name: str) -> Meant | None:
    value = argument(op, name)
    return meaning_of(value) if value is not None else None


def _is_function(op: Op) -> bool:
    return op.origin.module is None and "log_target" not in op.keywords


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
