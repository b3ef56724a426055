"""Which functions and methods are losses, by name, docstring and what they return."""

from __future__ import annotations

from collections.abc import Iterator

from losslint.semantics.bindings import Bindings
from losslint.semantics.function_results import FunctionResult, Work
from losslint.semantics.loss_docstrings import documented_as_loss
from losslint.semantics.loss_names import (
    is_loss_value,
    is_well_known,
    may_only_handle,
    names_a_loss,
    names_a_score,
    says_loss,
    words,
)
from losslint.semantics.outline import Function, FunctionSite, decorators, parameters
from losslint.semantics.role_names import role_by_name
from losslint.semantics.values import Role

_STEPS = ("training_step",)
_PROPERTIES = {"property", "cached_property"}
_NEVER = {"setter", "deleter", "overload"}
_WITHOUT_GRADIENT = {"no_grad", "inference_mode"}
_ADJECTIVES = frozenset({"log", "scale", "average", "sum", "return", "combine", "set"})
"""Verbs that are as often parts of a name: log_cosh_loss, scale_invariant_loss."""
_OTHER_FRAMEWORKS = frozenset(
    "tensorflow keras jax flax mxnet paddle mindspore theano chainer cupy numpy sklearn mlx tinygrad".split()
)


class FunctionReader:
    """Reads the functions of one file."""

    def __init__(self, bindings: Bindings) -> None:
        self._bindings = bindings
        self._results: dict[int, FunctionResult] = {}
        heads = {
            each.module.partition(".")[0] for each in (*bindings.imports.values(), *bindings.stars) if not each.level
        }
        self._is_foreign = bool(heads & _OTHER_FRAMEWORKS) and not any("torch" in head for head in heads)

    def result(self, function: Function) -> FunctionResult:
        """What a function returns."""
        known = self._results.get(id(function))
        if known is None:
            known = self._results[id(function)] = FunctionResult(function, self._bindings)
        return known

    def evidence(self, site: FunctionSite) -> Iterator[str]:
        """Why a function or method is a loss by what is written at it."""
        node = site.node
        if self._is_foreign or _NEVER & set(decorators(node)) or self.result(node).is_stub:
            return
        if site.owner is not None and node.name in _STEPS:
            yield "a training_step"
        elif self._is_named(node) or (site.owner is not None and self._stores(node)):
            yield f"named {node.name}"
        elif site.owner is None and self._may_be_unnamed(node):
            if is_well_known(node.name):
                yield f"{node.name} is a well-known objective"
            elif documented_as_loss(node):
                yield "its docstring says that it computes a loss"
            elif self.result(node).returns_its_loss:
                yield "returns what it computes as a loss"

    def model_evidence(self, node: Function) -> Iterator[str]:
        """Why the `forward` of a model is a loss: it returns one that it computes."""
        result = self.result(node)
        if node.name == "forward" and not self._is_foreign and not handles(node) and result.returns_its_loss:
            yield "returns what it computes as a loss"

    def entries(self, site: FunctionSite) -> tuple[str, ...]:
        """The function itself, or those it defines and returns."""
        inner = [each for each in self.result(site.node).inner if self.result(each).work is not Work.NOTHING]
        return tuple(f"{site.qualname}.{each.name}" for each in inner) or (site.qualname,)

    def _stores(self, node: Function) -> bool:
        """A trainer's `compute_loss` that puts what it computes in `self.losses`."""
        if not names_a_loss(node.name) or may_only_handle(node.name) or handles(node):
            return False
        return not self.result(node).values and self.result(node).stored_work is Work.COMPUTES

    def _is_named(self, node: Function) -> bool:
        if not names_a_loss(node.name) or handles(node):
            return False
        # `estimate_loss` under no_grad watches a training; a `dice_loss` or `log_cosh_loss` there is a mistake to be found.
        if _WITHOUT_GRADIENT & set(decorators(node)) and may_only_handle(node.name) and not _compares(node):
            return False
        result = self.result(node)
        if result.inner:
            return any(not handles(each) and self.result(each).work is Work.COMPUTES for each in result.inner)
        if result.builds:
            return False
        given = parameters(node)
        is_doubtful = may_only_handle(node.name) or (bool(given) and says_loss(given[0]))
        is_doubtful = is_doubtful or bool(_PROPERTIES & set(decorators(node)))
        return result.work >= (Work.COMPUTES if is_doubtful else Work.PASSES_ON)

    def _may_be_unnamed(self, node: Function) -> bool:
        """Whether a function without the word in its name may be one, given further evidence."""
        name = node.name
        if says_loss(name) or may_only_handle(name) or names_a_score(name) or name.startswith("__"):
            return False
        result = self.result(node)
        return self.works_on(node) and result.work is Work.COMPUTES and not result.only_evaluates

    def works_on(self, node: Function) -> bool:
        """Whether a function makes something of what it is given, other than a loss or an object."""
        result = self.result(node)
        return bool(parameters(node)) and not result.builds and result.work is not Work.NOTHING and not handles(node)


def _compares(node: Function) -> bool:
    """Whether a function whose first word may be a verb (log, scale) takes a prediction and a target, to no other end."""
    roles = {role_by_name(each) for each in parameters(node)}
    return words(node.name)[0] in _ADJECTIVES and {Role.PREDICTION, Role.TARGET} <= roles


def handles(node: Function) -> bool:
    """Whether it is given a loss that is computed already."""
    given = parameters(node)
    return bool(given) and is_loss_value(given[0])
