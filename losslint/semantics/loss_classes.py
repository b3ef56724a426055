"""Which classes are losses, and which of their methods hold the computation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from losslint.semantics.bindings import Defined, defined_in
from losslint.semantics.function_results import FunctionResult, Work
from losslint.semantics.loss_docstrings import documented_as_loss
from losslint.semantics.loss_names import (
    is_loss_value,
    is_well_known,
    names_a_loss,
    names_an_accuracy,
    says_loss,
    words,
)
from losslint.semantics.metric_paths import is_about_metrics
from losslint.semantics.outline import Function, decorators, parameters
from losslint.semantics.project import Definition, Project
from losslint.semantics.role_names import role_by_name
from losslint.semantics.tree_walk import own_nodes
from losslint.semantics.values import Role

_CALLED = ("forward", "__call__")
_MODULE = re.compile(
    r"(^|\.)(Module|LightningModule|ScriptModule|PreTrainedModel)$|^torch\.nn\.(?!functional|init|utils)"
)
_NO_LOSSES = re.compile(
    r"(^|\.)(\w*Enum|NamedTuple|TypedDict|Protocol|BaseModel|\w*Exception|\w*Error|\w*Warning|Optimizer|\w*LRScheduler"
    r"|\w*Callback|Dataset|\w*DataModule|Metric|Function|TestCase|InplaceFunction)$"
)
_PROPERTIES = {"property", "cached_property", "setter", "deleter"}


_LOSS_PACKAGES = frozenset({"loss", "losses", "criterion", "criterions", "criteria"})


class ClassReader:
    """Reads the classes of a project: their ancestors, whether they are losses, what they compute."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._evidence: dict[ast.ClassDef, tuple[str, ...]] = {}
        self._lineages: dict[ast.ClassDef, tuple[Definition | str, ...]] = {}

    def evidence(self, path: Path, cls: ast.ClassDef) -> tuple[str, ...]:
        """Why a class is a loss by its name and ancestors; nothing if it is none."""
        known = self._evidence.get(cls)
        if known is None:
            # Classes that lead back to themselves are no losses on the way there.
            self._evidence[cls] = ()
            known = self._evidence[cls] = tuple(self._reasons(path, cls))
        return known

    def _lineage(self, path: Path, cls: ast.ClassDef) -> tuple[Definition | str, ...]:
        known = self._lineages.get(cls)
        if known is None:
            known = self._lineages[cls] = self._project.lineage(path, cls)
        return known

    def _reasons(self, path: Path, cls: ast.ClassDef) -> Iterator[str]:
        lineage = self._lineage(path, cls)
        if self.is_no_loss(path, cls) or names_an_accuracy(cls.name):
            return
        named = names_a_loss(cls.name)
        is_called = any(name in self._methods(path, cls) for name in _CALLED)
        is_module = self.is_module(path, cls)
        if named and (is_module or self._computes_when_called(path, cls)):
            yield f"named {cls.name}" + (f", {self._through(path, lineage)}" if is_module else "")
        for ancestor in lineage:
            if isinstance(ancestor, str):
                if _is_foreign_loss(ancestor):
                    yield f"inherits {ancestor}"
                    return
            elif isinstance(ancestor.node, ast.ClassDef) and self._is_base(ancestor, is_module and is_called):
                yield f"inherits {self._project.dotted(ancestor)}"
                return

    def _is_base(self, ancestor: Definition, is_module: bool) -> bool:
        """Whether a class of the project makes those below it losses; an abstract base does."""
        assert isinstance(ancestor.node, ast.ClassDef)
        if self.evidence(ancestor.path, ancestor.node):
            return True
        parts = words(ancestor.node.name)
        is_mixin = parts[-1] in ("mixin", "mixins")
        return is_module and not is_mixin and says_loss(ancestor.node.name)

    def _through(self, path: Path, lineage: tuple[Definition | str, ...]) -> str:
        bases = [each for each in lineage if isinstance(each, Definition) and each.path != path]
        return f"an nn.Module through {self._project.module_name(bases[0].path)}" if bases else "an nn.Module"

    def is_no_loss(self, path: Path, cls: ast.ClassDef) -> bool:
        """Whether a class is something that never is a loss: an enum, a record, an optimizer, a test."""
        names = (each if isinstance(each, str) else each.qualname for each in self._lineage(path, cls))
        return any(_NO_LOSSES.search(name) for name in names)

    def is_module(self, path: Path, cls: ast.ClassDef) -> bool:
        """Whether a class descends from nn.Module."""
        return any(isinstance(each, str) and _MODULE.search(each) for each in self._lineage(path, cls))

    def _methods(self, path: Path, cls: Defined) -> dict[str, tuple[Path, Function]]:
        """The methods of a class and of its ancestors in the project, the nearest of each name."""
        assert isinstance(cls, ast.ClassDef)
        lineage = self._lineage(path, cls)
        classes = [(path, cls), *((each.path, each.node) for each in lineage if isinstance(each, Definition))]
        found: dict[str, tuple[Path, Function]] = {}
        for where, each in classes:
            for method in defined_in(each.body):
                if isinstance(method, Function):
                    found.setdefault(method.name, (where, method))
        return found

    def result(self, path: Path, method: Function) -> FunctionResult:
        """A function of a file, to be asked what it returns."""
        return FunctionResult(method, self._project.bindings(path))

    def _computes_when_called(self, path: Path, cls: ast.ClassDef) -> bool:
        found = [each for name in _CALLED if (each := self._methods(path, cls).get(name)) is not None]
        return any(self.result(where, method).work is Work.COMPUTES for where, method in found)

    def works(self, path: Path, cls: ast.ClassDef) -> bool:
        """Whether calling the class does something: a forward or loss method that is no stub, or one from outside."""
        if any(isinstance(each, str) and _is_foreign_loss(each) for each in self._lineage(path, cls)):
            return True
        methods = self._methods(path, cls)
        if any(self._does_something(where, method) for where, method in methods.values()):
            return True
        return names_a_loss(cls.name) and any(self._gives_a_loss(*found) for found in methods.values())

    def _does_something(self, path: Path, method: Function) -> bool:
        result = self.result(path, method)
        if result.is_stub:
            return False
        return method.name in _CALLED or (names_a_loss(method.name) and result.work is not Work.NOTHING)

    def _gives_a_loss(self, path: Path, method: Function) -> bool:
        """Whether a public method of a class without `forward` returns what it computes as a loss: `Losses.generator`."""
        result = self.result(path, method)
        is_open = not method.name.startswith("_") and not _PROPERTIES & set(decorators(method))
        return is_open and result.work is Work.COMPUTES and (result.uses_torch_loss or result.returns_its_loss)

    def documented(self, path: Path, cls: ast.ClassDef) -> bool:
        """Whether the class, or the `forward` or `__init__` it defines, is documented as a loss."""
        own = [each for each in defined_in(cls.body) if each.name in _CALLED or each.name == "__init__"]
        return any(documented_as_loss(each) for each in (cls, *own))

    def further_evidence(self, path: Path, cls: ast.ClassDef) -> Iterator[str]:
        """Why a module without the word in its name or ancestors is a loss all the same."""
        if names_an_accuracy(cls.name):
            return
        home = self._exported_by(path, cls)
        if self.documented(path, cls):
            yield "an nn.Module whose docstring says that it is a loss"
        elif home is not None:
            yield f"an nn.Module that {home} exports"
        elif self._judges_by_torch(path, cls):
            yield "an nn.Module that returns what a loss function of torch makes of its target"
        elif is_well_known(cls.name) and self._compares(path, cls) and not is_about_metrics(path):
            yield f"{cls.name} is a well-known objective"

    def _exported_by(self, path: Path, cls: ast.ClassDef) -> str | None:
        """The package of losses around the file that names the class among what it offers."""
        for folder in list(path.parents)[:3]:
            if folder.name in _LOSS_PACKAGES:
                offered = self._project.bindings(folder / "__init__.py")
                is_called = any(name in self._methods(path, cls) for name in _CALLED)
                return folder.name if cls.name in offered.imports and is_called else None
        return None

    def _judges_by_torch(self, path: Path, cls: ast.ClassDef) -> bool:
        """Whether `forward` must be given a target, and returns a loss that torch computes from it alone."""
        found = self._methods(path, cls).get("forward")
        if found is None:
            return False
        where, method = found
        arguments = method.args
        required = arguments.args[1 : len(arguments.args) - len(arguments.defaults)]
        judges = len(required) > 1 and any(role_by_name(each.arg) is Role.TARGET for each in required)
        result = self.result(where, method)
        is_single = all(not isinstance(value, ast.Tuple | ast.Dict) for value in result.values)
        return judges and is_single and result.uses_torch_loss

    def _compares(self, path: Path, cls: ast.ClassDef) -> bool:
        found = [each for name in _CALLED if (each := self._methods(path, cls).get(name)) is not None]
        return any(len(parameters(method)) > 1 for _, method in found)

    def entries(self, path: Path, cls: ast.ClassDef) -> tuple[str, ...]:
        """The class's own methods that compute: those called from outside, those that say loss, and filled-in hooks."""
        own = [each for each in defined_in(cls.body) if isinstance(each, Function)]
        live = [each for each in own if not self.result(path, each).is_stub and not _PROPERTIES & set(decorators(each))]
        chosen = [each for each in live if each.name in _CALLED or self.is_loss_method(path, each)]
        if not any(each.name in _CALLED for each in chosen):
            hooks = self._hooks(path, cls)
            chosen = [each for each in live if each in chosen or (each.name in hooks and self._computes(path, each))]
        if not chosen and names_a_loss(cls.name):
            chosen = [each for each in live if self._gives_a_loss(path, each)]
        return tuple(dict.fromkeys(each.name for each in chosen))

    def _computes(self, path: Path, method: Function) -> bool:
        return self.result(path, method).work is Work.COMPUTES

    def is_loss_method(self, path: Path, method: Function) -> bool:
        """Whether a method of a loss computes (a part of) it, rather than handling one that is given."""
        given = parameters(method)
        handles = bool(given) and is_loss_value(given[0])
        return names_a_loss(method.name) and not handles and self.result(path, method).work is not Work.NOTHING

    def _hooks(self, path: Path, cls: ast.ClassDef) -> set[str]:
        """The methods that the ancestors in the project call on `self`."""
        called: set[str] = set()
        for ancestor in self._lineage(path, cls):
            if isinstance(ancestor, Definition) and isinstance(ancestor.node, ast.ClassDef):
                for method in defined_in(ancestor.node.body):
                    if isinstance(method, Function) and method.name != "__init__":
                        called.update(_called_on_self(method))
        return called


def _called_on_self(method: Function) -> Iterator[str]:
    for node in own_nodes(method):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                yield name


def _is_foreign_loss(name: str) -> bool:
    """torch.nn.CrossEntropyLoss, torch.nn.modules.loss._Loss, another package's losses.Dice."""
    package, _, last = name.rpartition(".")
    parts = [word for word in words(last) if word not in ("function", "base", "module")]
    if says_loss(last):
        return bool(parts) and says_loss(parts[-1])
    return last[:1].isupper() and bool({"loss", "losses", "criterion", "criterions"} & set(package.split(".")))
