"""a reduction that no branch knows

`if reduction == "mean": ... elif reduction == "sum": ...` without an `else` returns None for every other word, and a misspelt
one is only noticed at `backward()`, far away. Worse is a default that no branch compares with: the loss that everybody uses
is not reduced at all.

## Bad

```python
import torch.nn as nn

class ScaledLoss(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        error = (pred - target) ** 2
        if self.reduction == "mean":
            return error.mean()
        elif self.reduction == "sum":
            return error.sum()
```

## Good

```python
import torch.nn as nn

class ScaledLoss(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        error = (pred - target) ** 2
        if self.reduction == "mean":
            return error.mean()
        elif self.reduction == "sum":
            return error.sum()
        raise ValueError(f"unknown reduction {self.reduction!r}")
```

Options that are checked elsewhere (an assert, a `raise`, a Literal) are not reported. No fix is offered: what another word
should do is for the author to say.

A run confirms it: the loss returns None, or something that is not a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule, Step
from losslint.semantics.graph import Condition, Falling, Graph, Op
from losslint.semantics.syntax_walk import nodes_of_kind
from losslint.semantics.values import Reduced, Value
from losslint_rules.usage.interfaces import is_left_alone

RULE = Rule(code="LL721", name="reduction-falls-through", severity=Severity.WARNING, doubted=True)

_REDUCES = frozenset("mean sum avg average batchmean batch_mean elementwise_mean size_average".split())


@dataclass(slots=True)
class Option:
    """A string setting, the words it is compared with, and where."""

    value: Value
    words: dict[str, Condition] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its author calls it."""
        return self.value.origin.label.rpartition(".")[2]


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report options that end without a return, and defaults that are compared with nothing."""
    reported: set[int] = set()
    for path in graph.falling:
        option = _asked_last(path)
        if option is None or not _is_offered(option) or not _returns_values(path) or _is_checked(graph, option.name):
            continue
        reported.add(option.value.key)
        own = bool(graph.owner) and is_left_alone(graph, graph.owner, option.name)
        yield _falls(option, Severity.INFO if own else RULE.severity)
    for option in _options(dict.fromkeys(condition for op in graph.ops for condition in op.conditions)):
        if option.value.key not in reported and _misses_default(graph, option):
            yield _unmatched(option)


def _asked_last(path: Falling) -> Option | None:
    """The option of which the last test on a path is about, if all answers to it were no."""
    (*_, last) = path.conditions or (None,)
    asked = _question(last) if last is not None else None
    if asked is None:
        return None
    option = Option(asked[0])
    for condition in path.conditions:
        question = _question(condition)
        if question is not None and question[0].key == option.value.key:
            if not _is_no(condition):
                return None
            option.words.update(dict.fromkeys(question[1], condition))
    return option


def _is_offered(option: Option) -> bool:
    """Whether it is for the user to choose: a reduction, or an option with a default among several words.

    A `stage` that a trainer passes may well give a loss in training alone.
    """
    if re.search("reduc|averag|aggregat", option.name):
        return True
    return option.value.is_default and isinstance(option.value.constant, str) and len(option.words) > 1


def _options(conditions: Iterable[Condition]) -> Iterable[Option]:
    found: dict[int, Option] = {}
    for condition in conditions:
        question = _question(condition)
        if question is not None:
            option = found.setdefault(question[0].key, Option(question[0]))
            for word in question[1]:
                option.words.setdefault(word, condition)
    return found.values()


def _question(condition: Condition) -> tuple[Value, tuple[str, ...]] | None:
    """The setting and the words of `setting == "mean"` and `setting in ("mean", "sum")`."""
    origin = condition.test.origin
    if origin.name != "compared" or origin.label not in ("eq", "ne", "in", "not in") or not _is_whole(condition):
        return None
    left, right = origin.operands
    if left.origin.name not in ("setting", "parameter", "attribute") or not left.origin.label:
        return None
    members = right.elements if isinstance(right.elements, tuple) else (right,)
    words = tuple(each.constant for each in members if isinstance(each.constant, str) and each.has_constant)
    return (left, words) if words and len(words) == len(members) else None


def _is_whole(condition: Condition) -> bool:
    """Whether nothing else is asked at the same time: `reduction == "mean" and masked` says no for two reasons."""
    asked = condition.site.node if condition.site is not None else None
    return isinstance(asked, cst.If) and isinstance(asked.test, (cst.Comparison, cst.UnaryOperation))


def _is_no(condition: Condition) -> bool:
    return condition.holds is condition.test.origin.label.startswith("n")


def _returns_values(path: Falling) -> bool:
    """Whether other ways through the function give something back."""
    returns = nodes_of_kind(path.function, cst.Return)
    return any(node.value is not None and not _is_none(node.value) for node in returns)


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _is_checked(graph: Graph, name: str) -> bool:
    """Whether the class or the function makes sure of the words: `in`, assert, Literal, an Enum."""
    word = re.escape(name)
    checks = re.compile(
        rf"\b{word}\s+(?:not\s+)?in\b|assert\b[^\n]*\b{word}\b|\b{word}\s*:\s*\S*Literal|\b[A-Z]\w*\((?:self\.)?{word}\)"
        rf"|\b\w*(?:check|valid)\w*\((?:[^()]*\W)?{word}\b"
    )
    codes = [base.unit.code(base.unit.classes[base.name]) for base in graph.lineage]
    codes += [graph.unit.code(graph.function)] if graph.function is not None else []
    return any(checks.search(code) for code in codes)


def _misses_default(graph: Graph, option: Option) -> bool:
    """Whether the default reduces by its name, and the words that are known do not have it."""
    default = option.value.constant
    if not option.value.is_default or default not in _REDUCES or default in option.words or len(option.words) < 2:
        return False
    if any(value.key == option.value.key for op in graph.ops for value in (*op.operands, *op.keywords.values())):
        return False
    return any(_is_unreduced(op.operands[0]) and _answers_no(op, option) for op in graph.returns)


def _is_unreduced(value: Value) -> bool:
    return value.rank != 0 and value.reduction.kind in (Reduced.NONE, Reduced.PARTIAL)


def _answers_no(op: Op, option: Option) -> bool:
    """Whether a path goes past every word."""
    asked: set[str] = set()
    for condition in op.conditions:
        question = _question(condition)
        if question is not None and question[0].key == option.value.key:
            if not _is_no(condition):
                return False
            asked.update(question[1])
    return asked == set(option.words)


def _falls(option: Option, severity: Severity) -> Finding:
    known = _listed(option)
    default = option.value.constant
    lost = f", its default {default!r} included" if isinstance(default, str) and default not in option.words else ""
    first = next(iter(option.words.values()))
    assert first.test.origin.site is not None
    return RULE.finding(
        first.test.origin.site,
        f"where `{option.name}` is none of {known}{lost}, None is returned without a word; raise ValueError at the end",
        severity=severity,
        evidence=_steps(option),
    )


def _unmatched(option: Option) -> Finding:
    first = next(iter(option.words.values()))
    assert first.test.origin.site is not None
    return RULE.finding(
        first.test.origin.site,
        f"the default {option.value.constant!r} of `{option.name}` is none of {_listed(option)}, which it is compared with, "
        "so by default nothing is reduced; compare with the words that are offered",
        evidence=_steps(option),
    )


def _listed(option: Option) -> str:
    return ", ".join(repr(word) for word in option.words)


def _steps(option: Option) -> list[Step]:
    site = option.value.origin.site
    return [Step(site, f"`{option.name}` is chosen by the caller")] if site is not None else []
