"""a name that torch does not have

`nn.L2Loss`, `F.cross_entropy_loss`: Python looks a name up when the line runs, so a loss that is built, or a branch that is
taken, only in the last experiment raises AttributeError only there. Names that torch dropped long ago are among them
(`torch.rfft`): code that was right in 2019.

The names are those of every torch from 1.13 on, private ones and plug-ins aside. What the code asks for with `hasattr` or
`try`, chooses by version, or puts into torch itself, is left alone.

## Bad

```python
import torch.nn as nn
import torch.nn.functional as F

class ReconstructionLoss(nn.Module):
    def forward(self, pred, target):
        return F.l2_loss(pred, target)
```

## Good

```python
import torch.nn as nn
import torch.nn.functional as F

class ReconstructionLoss(nn.Module):
    def forward(self, pred, target):
        return F.mse_loss(pred, target)
```

## Use instead

The name in the message, where one is alike. No fix is offered: a name that is alike need not mean the same.

A run confirms it by the AttributeError.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import cast

import libcst as cst

from losslint.diagnostic import Severity
from losslint.rule import Finding, Rule
from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.liveness import liveness
from losslint.semantics.names import Function, Unit, dotted
from losslint.semantics.operators.torch_names import NAMESPACES, torch_names, torch_versions
from losslint.semantics.syntax_walk import children, nodes_of_kind
from losslint.semantics.values import Site
from losslint_rules.usage.definitions import all_functions

RULE = Rule(code="LL727", name="unknown-torch-name", severity=Severity.ERROR)

_CHOICE = re.compile(r"version|hasattr|available|\bhas_|support|installed|legacy", re.IGNORECASE)
_ASKED = frozenset({cst.Try, cst.TryStar, cst.Annotation, cst.Decorator, cst.ClassDef})
_CHAINS = frozenset({cst.Name, cst.Attribute})
_HOLDERS = frozenset({cst.Attribute, cst.Arg})


@RULE.on_graph
def in_source(graph: Graph) -> Iterator[Finding]:
    """Report chains of names that lead into torch and end nowhere."""
    for _, function in all_functions(graph):
        for node, unknown in _unknown_chains(function, graph.unit):
            if not _chooses(function, graph.unit) and not _is_provided(graph, unknown[1]):
                yield RULE.finding(Site(graph.unit, node), _message(dotted(node) or "", *unknown))


@kept_for_a_file
def _unknown_chains(function: Function, unit: Unit) -> tuple[tuple[cst.BaseExpression, tuple[str, str]], ...]:
    own = _own_names(function)
    named = ((node, _unknown(unit.qualified(node) or "")) for node in _chains(function))
    return tuple(
        (node, unknown) for node, unknown in named if unknown and (dotted(node) or "").partition(".")[0] not in own
    )


def _chooses(function: Function, unit: Unit) -> bool:
    """Whether a function asks what there is: it may never come to the lines for another version."""
    asking: list[cst.If | cst.IfExp | cst.Assert] = nodes_of_kind(function, cst.If, cst.IfExp, cst.Assert)
    return any(_CHOICE.search(unit.code(node.test)) for node in asking)


def _own_names(function: Function) -> set[str]:
    signature = function.params
    every = [*signature.posonly_params, *signature.params, *signature.kwonly_params]
    return {each.name.value for each in every} | {binding.name for binding in liveness(function).bindings}


def _chains(node: cst.CSTNode) -> Iterator[cst.Name | cst.Attribute]:
    """The names and chains of names that are read for certain: not in annotations, or behind a `try`."""
    pending = [node]
    while pending:
        current = pending.pop()
        kind = type(current)
        if kind in _CHAINS and dotted(cast(cst.BaseExpression, current)) is not None:
            yield cast("cst.Name | cst.Attribute", current)
        elif kind in _HOLDERS:
            pending.append(cast("cst.Attribute | cst.Arg", current).value)
        elif kind not in _ASKED:
            pending += reversed(children(current))


def _unknown(qualified: str) -> tuple[str, str] | None:
    """The namespace, and the name it never had."""
    parts = qualified.split(".")
    if parts[0] != "torch":
        return None
    for length in range(len(parts) - 1, 0, -1):
        namespace = ".".join(parts[:length])
        known = torch_names(namespace)
        if known is None:
            continue
        name = parts[length]
        # `torch.npu.empty_cache` belongs to a plug-in that puts its module into torch.
        is_module = length < len(parts) - 1 and not namespace.startswith("torch.nn")
        return None if name in known or name.startswith("_") or is_module else (namespace, name)
    return None


def _is_provided(graph: Graph, name: str) -> bool:
    """Whether the project asks for the name, or puts it into torch."""
    asked = re.compile(rf"""hasattr\([^)]*["']{name}["']|\b(?:torch|nn|F|functional|init|linalg|fft)\.{name}\s*=[^=]""")
    own = graph.unit.text
    return bool(asked.search(own)) or any(
        asked.search(text) for text in (graph.elsewhere() or {}).values() if name in text
    )


def _message(written: str, namespace: str, name: str) -> str:
    versions = torch_versions()
    elsewhere = [f"{each}.{name}" for each in NAMESPACES if name in (torch_names(each) or ())]
    alike = difflib.get_close_matches(name, torch_names(namespace) or (), n=1, cutoff=0.75)
    hint = elsewhere[0] if elsewhere else f"{namespace}.{alike[0]}" if alike else ""
    advice = (
        f"use `{hint}`" if elsewhere else f"is `{hint}` meant?" if hint else "write it yourself, or find its new name"
    )
    return (
        f"`{written}` does not exist in any torch from {versions[0]} to {versions[-1]}, so this line raises "
        f"AttributeError; {advice}"
    )
