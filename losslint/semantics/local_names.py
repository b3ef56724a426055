"""Which names a function binds itself, in ways that the interpreter follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import libcst as cst

from losslint.semantics.kept import kept_for_a_file
from losslint.semantics.names import Function
from losslint.semantics.syntax_walk import children

_OWN_SCOPE = frozenset((cst.Lambda, cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp))
_DEFINITIONS = frozenset((cst.FunctionDef, cst.ClassDef))
_UNFOLLOWED = (cst.Try, cst.TryStar, cst.Match, cst.Global, cst.Nonlocal, cst.Del)
_BINDING = frozenset(
    (
        *_UNFOLLOWED,
        *(cst.Assign, cst.AnnAssign, cst.AugAssign, cst.For, cst.NamedExpr, cst.WithItem),
        *(cst.FunctionDef, cst.ClassDef, cst.Import, cst.ImportFrom),
    )
)


@kept_for_a_file
def local_names(function: Function) -> frozenset[str]:
    """The names bound by assignments, loops and `with` alone; none where a function does what is not followed."""
    bound: set[str] = set()
    others = {parameter.name.value for parameter in _parameters(function.params)}
    for node in _below(function.body):
        if type(node) not in _BINDING:
            continue
        match node:
            case cst.Assign(targets=targets):
                for target in targets:
                    bound.update(_targets(target.target))
            case cst.AnnAssign(target=target, value=value) if value is not None:
                bound.update(_targets(target))
            case cst.AugAssign(target=target) | cst.For(target=target) | cst.NamedExpr(target=target):
                bound.update(_targets(target))
            case cst.WithItem(asname=cst.AsName(name=name)):
                bound.update(_targets(name))
            case cst.FunctionDef(name=name) | cst.ClassDef(name=name):
                others.add(name.value)
            case cst.Import(names=names) | cst.ImportFrom(names=[*names]):
                others.update(_imported(names))
            case _ if isinstance(node, _UNFOLLOWED):
                return frozenset()
    return frozenset(bound - others)


def _below(suite: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Everything in a function's body, without what has a scope of its own."""
    pending = children(suite)
    while pending:
        node = pending.pop()
        if type(node) in _OWN_SCOPE:
            continue
        yield node
        if type(node) not in _DEFINITIONS:
            pending += children(node)


def _targets(node: cst.CSTNode) -> Iterator[str]:
    match node:
        case cst.Name(value=value):
            yield value
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            for element in elements:
                yield from _targets(element.value)


def _parameters(declared: cst.Parameters) -> Iterator[cst.Param]:
    yield from (*declared.posonly_params, *declared.params, *declared.kwonly_params)
    yield from (each for each in (declared.star_arg, declared.star_kwarg) if isinstance(each, cst.Param))


def _imported(names: Iterable[cst.ImportAlias]) -> Iterator[str]:
    for alias in names:
        name = alias.asname.name if alias.asname is not None else alias.name
        while isinstance(name, cst.Attribute):
            name = name.value  # type: ignore[assignment]
        if isinstance(name, cst.Name):
            yield name.value
