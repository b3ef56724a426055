"""a distillation at a temperature without the factor of its square

Softened by a temperature T, the gradient of the divergence between student and teacher shrinks with 1 / T**2. Hinton's
distillation multiplies it by T**2, so that its balance with the cross entropy on the labels stays what the weight says when T
is tuned.

Reported where one temperature, a setting or a number other than 1, divides the logits on both sides of a kl_div or a cross
entropy of soft targets, and nothing the result is multiplied with holds that temperature. Info: a fixed T can be part of the
weight.

## Bad

```python
import torch.nn.functional as F

def distillation_loss(student, teacher, target, temperature: float):
    soft = F.kl_div(
        F.log_softmax(student / temperature, dim=1), F.softmax(teacher / temperature, dim=1), reduction="batchmean"
    )
    return 0.5 * soft + 0.5 * F.cross_entropy(student, target)
```

## Good

```python
import torch.nn.functional as F

def distillation_loss(student, teacher, target, temperature: float):
    soft = F.kl_div(
        F.log_softmax(student / temperature, dim=1), F.softmax(teacher / temperature, dim=1), reduction="batchmean"
    )
    return 0.5 * soft * temperature**2 + 0.5 * F.cross_entropy(student, target)
```

No fix is offered: a tuned weight would have to be tuned again.

A run confirms it by the gradient's share of the term, which falls with T**2.
"""

from __future__ import annotations

from collections.abc import Iterator

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step, with_calls
from losslint.semantics.graph import Graph, Op, ancestors
from losslint.semantics.spelling import excerpt
from losslint.semantics.values import Kind, Role, Value

RULE = Rule(code="LL344", name="distillation-scale", severity=Severity.INFO, preview=True)

_SOFTENED = frozenset({"softmax", "log_softmax", "log_sigmoid", "sigmoid", "log", "detach", "clamp", "add", "float"})


@RULE.on_op("kl_div")
def in_source(op: Op, graph: Graph) -> Iterator[Finding]:
    """Report a kl_div of two softened distributions that is not scaled back."""
    student, teacher = op.operands[0], op.keywords.get("target")
    if teacher is None or not graph.matters(op.value):
        return
    temperature = _temperature(student)
    other = _temperature(teacher)
    if temperature is None or other is None or temperature.key != other.key or _is_scaled_back(op, temperature, graph):
        return
    if not _has_other_terms(op, graph):
        return
    site = student.origin.site
    yield RULE.finding(
        op.site,
        f"both sides are softened by `{excerpt(temperature)}` and the result is not multiplied by its square: the gradient shrinks "
        "with it, against the other terms",
        evidence=with_calls(op, [Step(site, "softened here")] if site is not None else []),
    )


def _temperature(value: Value) -> Value | None:
    """T of `softmax(x / T)`."""
    current = value
    for _ in range(8):
        name, operands = current.origin.name, current.origin.operands
        if name == "div" and len(operands) == 2:
            by = operands[1]
            setting = by.kind is Kind.NUMBER or by.role is Role.CONFIG
            return by if (setting and by.constant not in (1, 1.0)) or (setting and by.is_default) else None
        if name not in _SOFTENED or not operands:
            return None
        current = operands[0]
    return None


def _is_scaled_back(op: Op, temperature: Value, graph: Graph) -> bool:
    """Whether anything that the result is multiplied or divided with holds the temperature, or a number that may be its square."""
    pending, seen = [op.value], set[int]()
    while pending:
        value = pending.pop()
        if value.key in seen:
            continue
        seen.add(value.key)
        for use in graph.uses(value):
            if use.name in ("mul", "div"):
                others = [each for each in use.operands if each.key != value.key]
                if any(part.key == temperature.key for part in ancestors(others)):
                    return True
                square = temperature.constant
                if isinstance(square, (int, float)) and any(
                    isinstance(each.constant, (int, float)) and abs(each.constant - square * square) < 1e-9
                    for each in others
                ):
                    return True
            if use.name.startswith("prim::"):
                continue
            pending.append(use.value)
    return False


def _has_other_terms(op: Op, graph: Graph) -> bool:
    """Whether a result adds something to the divergence: alone, its scale is the learning rate's."""
    return any(
        each.origin.name in ("add", "sub") and any(part.key == op.value.key for part in ancestors([each]))
        for each in ancestors(graph.results)
    )
