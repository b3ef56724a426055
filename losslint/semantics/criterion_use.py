"""What a file uses as its criterion: `criterion = SSIM()`, `self.loss = InfoNCE()`, `Trainer(loss=Dice())`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from losslint.semantics.bindings import dotted_name
from losslint.semantics.loss_names import says_loss, words
from losslint.semantics.outline import Function, Outline
from losslint.semantics.tree_walk import own_nodes

_HOLDERS = frozenset({"modulelist", "moduledict", "dataparallel", "distributeddataparallel", "partial"})
_KEEPS = frozenset({"loss", "losses", "criterion", "criterions", "fn", "func", "function", "module", "modules", "net"})


def criterion_uses(tree: ast.Module, file: Outline) -> dict[str, str]:
    """Names that an instance, or a function itself, is bound to a criterion's name by, each with the reason."""
    uses: dict[str, str] = {}
    bodies: list[ast.Module | ast.ClassDef | Function] = [tree]
    bodies += [site.node for site in file.classes]
    bodies += [site.node for site in file.functions]
    for label, value in (each for body in bodies for node in own_nodes(body) for each in _bound(node)):
        if _names_a_criterion(label):
            for used in _used(value):
                uses.setdefault(used, f"used as `{label}` at line {value.lineno}")
    return uses


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield (dotted_name(target) or "").rpartition(".")[2], value
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield (dotted_name(target) or "").rpartition(".")[2], value
        case ast.keyword(arg=str() as label, value=value):
            yield label, value


def _names_a_criterion(label: str) -> bool:
    """`loss_weight = Weight()` is none; what a loss is kept as ends in loss, criterion, loss_fn or a number."""
    parts = [word for word in words(label) if not word.isdigit()]
    return bool(parts) and says_loss(label) and (parts[-1] in _KEEPS or says_loss(parts[-1]))


def _used(value: ast.expr) -> Iterator[str]:
    """`X` of X(), X().to(device), [X(), Y()], nn.ModuleList([X()]), a dict of them, and of a bare function's name."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Call() as inner, attr="to" | "cuda" | "eval" | "double" | "float")):
            yield from _used(inner)
        case ast.Call(func=callee, args=arguments):
            name = dotted_name(callee) or ""
            last = name.rpartition(".")[2]
            if last.lower() in _HOLDERS and arguments:
                yield from _used(arguments[0])
            elif last.lstrip("_")[:1].isupper():
                yield name
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for each in elements:
                yield from _used(each)
        case ast.Dict(values=members):
            for each in members:
                yield from _used(each)
        case ast.Name(id=name):
            yield name
