"""What Python surely refuses, so that a path ends there: a call that does not fit, a name that nothing binds."""

from __future__ import annotations

import ast
import builtins
import re
from typing import TYPE_CHECKING

import libcst as cst

from losslint.semantics.kept import kept_with_unit
from losslint.semantics.names import Function, Unit
from losslint.semantics.quiet_parse import quietly_parsed
from losslint.semantics.syntax_walk import nodes_of_kind

if TYPE_CHECKING:
    from losslint.semantics.calls import Arguments
    from losslint.semantics.machine import Machine
    from losslint.semantics.members import Base

_MODULE = (
    "__file__ __name__ __doc__ __package__ __spec__ __loader__ __path__ __builtins__ __class__ __annotations__".split()
)
# Names of older Pythons, of notebooks and of translations: there are files in which somebody else binds them.
_ELSEWHERE = (
    "unicode long xrange basestring raw_input reduce unichr file cmp reload execfile apply buffer intern coerce "
    "get_ipython display _ reveal_type reveal_locals profile WindowsError"
).split()
_NOT_FREE = frozenset({*dir(builtins), *_MODULE, *_ELSEWHERE})
_BINDS_UNSEEN = re.compile(r"^\s*from\s+\S+\s+import\s*\(?\s*\*|\bglobals\(\)|\bexec\(|\bbuiltins\b", re.MULTILINE)


def does_not_fit(function: Function, given: Arguments, skip_self: bool) -> bool:
    """Whether a call of a plain function is a TypeError: an argument too many, one missing, or one of an unknown name.

    Nothing is said of `f(**options)`: the options may have changed since they were written.
    """
    if function.decorators or given.spread or not given.complete:
        return False
    declared = function.params
    first = [*declared.posonly_params, *declared.params][skip_self:]
    by_position = {parameter.name.value for parameter in first[: len(given.positional)]}
    only_by_position = {parameter.name.value for parameter in declared.posonly_params}
    known = {parameter.name.value for parameter in (*first, *declared.kwonly_params)} - only_by_position
    if len(given.positional) > len(first) and not isinstance(declared.star_arg, cst.Param):
        return True
    if declared.star_kwarg is None and not given.named.keys() <= known:
        return True
    if by_position & (given.named.keys() & known):
        return True
    needed = (parameter for parameter in (*first, *declared.kwonly_params) if parameter.default is None)
    return any(each.name.value not in by_position and each.name.value not in given.named for each in needed)


def runs_when_called(function: Function) -> bool:
    """Whether a call runs the body: of a generator it does not, and decorators may do anything."""
    runs = not function.decorators and function.asynchronous is None
    return runs and not nodes_of_kind(function, cst.Yield)


@kept_with_unit
def is_defined_once(unit: Unit, name: str) -> bool:
    """Whether a name of a file means one definition: none for another Python or another library beside it."""
    last = re.escape(name.rpartition(".")[2])
    return len(re.findall(rf"\b(?:def|class)\s+{last}\b|^\s*{last}\s*=[^=]", unit.text, re.MULTILINE)) == 1


def constructs_surely(lineage: tuple[Base, ...], owner: Base) -> bool:
    """Whether objects of a class are made by the `__init__` of `owner`: one base each leads there, none of them decorated."""
    for base in lineage:
        node = base.unit.classes[base.name]
        if node.decorators or node.keywords or not is_defined_once(base.unit, base.name):
            return False
        if base is owner:
            constructors = [
                each for each in node.body.body if isinstance(each, cst.FunctionDef) and each.name.value == "__init__"
            ]
            return len(constructors) == 1 and ".__init__ =" not in base.unit.text
        if len(node.bases) != 1:
            return False
    return False


def is_unbound(machine: Machine, unit: Unit, name: str) -> bool:
    """Whether reading a global name is a NameError: nothing in the file binds it, and the file is part of a project.

    Of a file that imports nothing of a project nothing is said: it may be an excerpt.
    """
    defined = name in unit.imports or name in unit.functions or name in unit.classes or name in unit.constants
    if defined or name in _NOT_FREE or unit.path.suffix != ".py":
        return False
    bound = _bound_names(unit)
    if bound is None or name in bound:
        return False
    return any(machine.resolve(unit, imported) is not None for imported in unit.imports)


@kept_with_unit
def _bound_names(unit: Unit) -> frozenset[str] | None:
    """Every name that is bound in some scope of a file; None where that is not known."""
    if _BINDS_UNSEEN.search(unit.text):
        return None
    try:
        tree = quietly_parsed(unit.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=bound, ctx=ast.Store() | ast.Del()) | ast.arg(arg=bound):
                found.add(bound)
            case ast.FunctionDef(name=bound) | ast.AsyncFunctionDef(name=bound) | ast.ClassDef(name=bound):
                found.add(bound)
            case ast.alias(name=imported, asname=bound):
                found.add(bound or imported.partition(".")[0])
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.update(names)
            case ast.ExceptHandler(name=str(bound)) | ast.MatchAs(name=str(bound)) | ast.MatchStar(name=str(bound)):
                found.add(bound)
            case ast.MatchMapping(rest=str(bound)):
                found.add(bound)
    return frozenset(found)
