"""Finding losses by evidence: what a class inherits, what names and docstrings say, what `.backward()` is called on."""

from __future__ import annotations

import ast
import enum
import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from losslint.semantics.backward_flow import backward_flow
from losslint.semantics.criterion_use import criterion_uses
from losslint.semantics.function_results import Work
from losslint.semantics.kept import forget
from losslint.semantics.loss_classes import ClassReader
from losslint.semantics.loss_functions import FunctionReader
from losslint.semantics.loss_names import is_well_known, names_a_loss, says_loss
from losslint.semantics.metric_paths import is_about_metrics, is_in_metrics
from losslint.semantics.outline import ClassSite, FunctionSite, outline, parameters
from losslint.semantics.passed_on import passed_on
from losslint.semantics.project import Project

SCRIPT = "<module>"
# What any evidence but the settings' needs somewhere in the file, in lower case. Plain searches: one regular expression
# is ten times slower. Of the objectives known by name only those are here that come without the word at times.
_NEEDLES = (
    b"loss",
    b"criterion",
    b"backward(",
    b"training_step",
    b"ssim",
    b"lpips",
    b"infonce",
    b"info_nce",
)


class LossKind(enum.Enum):
    """What kind of code a loss is."""

    MODULE = "module"
    FUNCTION = "function"
    METHOD = "method"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss: its qualified name, the functions of this file to analyse, the row it starts in, and why it is one."""

    symbol: str
    kind: LossKind
    entries: tuple[str, ...]
    row: int
    evidence: tuple[str, ...]


def might_hold_loss(data: bytes, names: Sequence[str] = ()) -> bool:
    """Whether a file is worth parsing, by its bytes. `names` are patterns from the settings."""
    lowered = data.lower()
    for needle in _NEEDLES:
        if needle in lowered:
            return True
    literals = (max(re.split(r"[*?]|\[[^]]*\]", name.rpartition(".")[2]), key=len) for name in names)
    return any(literal.encode() in data for literal in literals)


def find_losses(tree: ast.Module, path: Path, project: Project, names: Sequence[str] = ()) -> tuple[Loss, ...]:
    """The losses of a file in source order. `names` are extra fnmatch patterns of names that are losses."""
    project.remember(path, tree)
    found: dict[str, Loss] = {}
    for loss in _Finder(tree, path, project, names).losses():
        known = found.get(loss.symbol)
        if known is None or (loss.entries and not known.entries):
            found[loss.symbol] = loss
    outer = {symbol for symbol in found if symbol != SCRIPT}
    kept = (loss for loss in found.values() if not _enclosing(loss.symbol) & outer)
    forget()
    return tuple(sorted(kept, key=lambda loss: (loss.row, loss.symbol)))


def _enclosing(symbol: str) -> set[str]:
    """`a` and `a.b` for `a.b.c`: what is defined inside a loss is seen as a part of it."""
    parts = symbol.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


class _Finder:
    def __init__(self, tree: ast.Module, path: Path, project: Project, names: Sequence[str]) -> None:
        self._path = path
        self._names = names
        self._file = outline(tree)
        self._flow = backward_flow(tree, self._file)
        self._uses = criterion_uses(tree, self._file)
        self._classes = ClassReader(project)
        self._functions = FunctionReader(project.bindings(path))

    def losses(self) -> tuple[Loss, ...]:
        """The losses that stand for themselves, and the functions whose result one of them passes on."""
        found = tuple(self._own_losses())
        known = {loss.symbol for loss in found}
        passed = passed_on(self._file, [entry for loss in found for entry in loss.entries], self._functions)
        return found + tuple(
            Loss(symbol, LossKind.FUNCTION, (symbol,), site.node.lineno, (evidence,))
            for symbol, evidence in passed.items()
            if symbol not in known and (site := self._file.function_named(symbol)) is not None
        )

    def _own_losses(self) -> Iterator[Loss]:
        if self._flow.script_row is not None:
            row = self._flow.script_row
            yield Loss(SCRIPT, LossKind.SCRIPT, (SCRIPT,), row, (f"calls .backward() at line {row}",))
        for site in self._file.classes:
            evidence = self._of_class(site)
            if evidence:
                entries = tuple(f"{site.qualname}.{name}" for name in self._entries(site))
                yield Loss(site.qualname, LossKind.MODULE, entries, site.node.lineno, evidence)
        for function in self._file.functions:
            evidence = self._of_function(function)
            if evidence:
                kind = LossKind.FUNCTION if function.owner is None else LossKind.METHOD
                entries = self._functions.entries(function)
                yield Loss(function.qualname, kind, entries, function.node.lineno, evidence)

    def _configured(self, qualname: str) -> tuple[str, ...]:
        last = qualname.rpartition(".")[2]
        if any(fnmatch.fnmatchcase(last, name) or fnmatch.fnmatchcase(qualname, name) for name in self._names):
            return ("named in the settings",)
        return ()

    def _of_class(self, site: ClassSite) -> tuple[str, ...]:
        configured = self._configured(site.qualname)
        if configured:
            return configured
        evidence = list(self._classes.evidence(self._path, site.node))
        is_module = self._classes.is_module(self._path, site.node)
        if is_module and not self._classes.is_no_loss(self._path, site.node):
            evidence += [why for why in (self._flow.classes.get(site.qualname), self._uses.get(site.node.name)) if why]
            if not evidence:
                evidence += self._classes.further_evidence(self._path, site.node)
        return tuple(evidence) if evidence and self._classes.works(self._path, site.node) else ()

    def _entries(self, site: ClassSite) -> tuple[str, ...]:
        flowing = [each.name for each in site.methods if f"{site.qualname}.{each.name}" in self._flow.functions]
        entries = (*self._classes.entries(self._path, site.node), *flowing)
        if not entries and self._configured(site.qualname):
            entries = tuple(each.name for each in site.methods if not each.name.startswith("_"))
        return tuple(dict.fromkeys(entries))

    def _of_function(self, site: FunctionSite) -> tuple[str, ...]:
        configured = self._configured(site.qualname)
        if configured or site.is_test:
            return configured
        result = self._functions.result(site.node)
        if self._is_in_no_loss(site):
            return ()
        flows = self._flow.functions.get(site.qualname)
        evidence = [flows] if flows is not None and not result.is_stub else []
        if site.owner is None or not _keeps_losses(site.owner):
            evidence += self._function_evidence(site)
        used = self._uses.get(site.qualname)
        if used is not None and not result.builds and result.work is Work.COMPUTES:
            evidence.append(used)
        return tuple(evidence)

    def _function_evidence(self, site: FunctionSite) -> Iterator[str]:
        name = site.node.name
        if is_well_known(name) and (is_about_metrics(self._path) or len(parameters(site.node)) < 2):
            return
        # The hinge_loss of a metrics package is a score; one that says so only in its docstring needs no package.
        is_for_metrics = is_in_metrics if says_loss(name) and "criterion" not in name.lower() else is_about_metrics
        if site.owner is None and is_for_metrics(self._path):
            return
        yield from self._functions.evidence(site)
        if site.owner is not None and self._classes.is_module(self._path, site.owner.node):
            yield from self._functions.model_evidence(site.node)

    def _is_in_no_loss(self, site: FunctionSite) -> bool:
        """A method of an optimizer, a record or a test, or a function inside of one."""
        around = _enclosing(site.qualname)
        classes = (each for each in self._file.classes if each.qualname in around)
        return any(self._classes.is_no_loss(self._path, each.node) for each in classes)


def _keeps_losses(owner: ClassSite) -> bool:
    """LossMeter, LossLogger: a class about losses that is none has no loss methods either."""
    return says_loss(owner.node.name) and not names_a_loss(owner.node.name)
