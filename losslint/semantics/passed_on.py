"""The functions whose result a loss hands on as its own: `return focal(x, y)`, `return reduce_loss(focal(x, y))`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from losslint.semantics.bindings import dotted_name
from losslint.semantics.loss_functions import FunctionReader, handles
from losslint.semantics.outline import FunctionSite, Outline, parameters
from losslint.semantics.value_flow import results


def passed_on(file: Outline, entries: Iterable[str], functions: FunctionReader) -> dict[str, str]:
    """The module-level functions of a file whose result its losses return, each with the reason."""
    known = {site.qualname: site for site in file.functions}
    found: dict[str, str] = {}
    pending = list(entries)
    while pending:
        site = known.get(pending.pop())
        if site is None:
            continue
        for callee in _returned_calls(site, known, functions):
            if callee not in found and functions.works_on(known[callee].node):
                found[callee] = f"{site.qualname} returns its result"
                pending.append(callee)
    return found


def _returned_calls(site: FunctionSite, known: dict[str, FunctionSite], functions: FunctionReader) -> Iterator[str]:
    """The functions whose result this one returns as it is, of the parameters it has."""
    result = functions.result(site.node)
    given = set(parameters(site.node))
    pending = list(result.values)
    seen: set[int] = set()
    while pending:
        for value, is_direct in results(pending.pop(), result.assignments):
            if not isinstance(value, ast.Call) or not value.args or id(value) in seen:
                continue
            seen.add(id(value))  # `loss = reduce_loss(loss)` leads back to itself
            callee = known.get(dotted_name(value.func) or "")
            if callee is None or callee.owner is not None:
                continue
            if handles(callee.node):
                # What is given to a parameter called `loss` is one.
                pending.append(value.args[0])
            elif is_direct and _root(value.args[0]) in given:
                yield callee.qualname


def _root(node: ast.expr) -> str:
    """The name an expression such as `x.view(-1, 1)[0]` starts from."""
    while True:
        if isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        else:
            return node.id if isinstance(node, ast.Name) else ""
