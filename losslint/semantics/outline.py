"""Where the classes and functions of a file stand: what encloses each, and whether it belongs to a test."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from losslint.semantics.bindings import defined_in, dotted_name

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, eq=False)
class ClassSite:
    """A class and where it stands."""

    node: ast.ClassDef
    qualname: str

    @property
    def methods(self) -> tuple[Function, ...]:
        """Its own methods."""
        return tuple(each for each in defined_in(self.node.body) if isinstance(each, Function))


@dataclass(frozen=True, slots=True, eq=False)
class FunctionSite:
    """A function and where it stands: `owner` is the class it is a method of."""

    node: Function
    qualname: str
    owner: ClassSite | None = None

    @property
    def is_test(self) -> bool:
        """Whether this asserts about code instead of being used by it."""
        if self.node.name.startswith("test_") or "fixture" in decorators(self.node):
            return True
        return self.owner is not None and _is_test_class(self.owner.node)


@dataclass(frozen=True, slots=True)
class Outline:
    """All classes and functions of a file, outer ones before inner ones."""

    classes: tuple[ClassSite, ...]
    functions: tuple[FunctionSite, ...]

    @property
    def sites(self) -> tuple[ClassSite | FunctionSite, ...]:
        """All of them."""
        return (*self.classes, *self.functions)

    def class_named(self, name: str) -> ClassSite | None:
        """The class of this simple or qualified name."""
        return next((each for each in self.classes if name in (each.qualname, each.node.name)), None)

    def function_named(self, qualname: str) -> FunctionSite | None:
        """The function of this qualified name."""
        return next((each for each in self.functions if each.qualname == qualname), None)


def outline(tree: ast.Module) -> Outline:
    """Read the outline of a file."""
    sites = list(_inside(tree.body, "", None))
    return Outline(
        tuple(each for each in sites if isinstance(each, ClassSite)),
        tuple(each for each in sites if isinstance(each, FunctionSite)),
    )


def _inside(body: Iterable[ast.stmt], prefix: str, owner: ClassSite | None) -> Iterator[ClassSite | FunctionSite]:
    for node in defined_in(body):
        qualname = prefix + node.name
        if isinstance(node, ast.ClassDef):
            site = ClassSite(node, qualname)
            yield site
            yield from _inside(node.body, f"{qualname}.", site)
        else:
            yield FunctionSite(node, qualname, owner)
            yield from _inside(node.body, f"{qualname}.", None)


def decorators(node: ast.ClassDef | Function) -> tuple[str, ...]:
    """The last part of each decorator's name: `functools.cached_property` is cached_property."""
    named = (each.func if isinstance(each, ast.Call) else each for each in node.decorator_list)
    return tuple(name.rpartition(".")[2] for each in named if (name := dotted_name(each)))


def parameters(function: Function) -> tuple[str, ...]:
    """The names of the parameters in order, without the first one of a method."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    if names and names[0] in ("self", "cls", "ctx"):
        names = names[1:]
    names += [each.arg for each in arguments.kwonlyargs]
    names += [each.arg for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return tuple(names)


def _is_test_class(node: ast.ClassDef) -> bool:
    bases = [dotted_name(base) or "" for base in node.bases]
    return node.name.startswith("Test") or any(base.endswith(("TestCase", "BaseTester")) for base in bases)
