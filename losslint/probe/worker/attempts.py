"""Calling a loss once on given inputs, and what that says of the inputs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .case import SEED, Argument, Case, objective, results
from .construct import Construction
from .kinds_from_use import KindsFromUse, agreement
from .specs import Spec, expression

# What says nothing about the meaning of numbers.
_PLAIN = ("real", "boxes", "image", "embedding", "value", "mask", "positive", "length")


@dataclass(frozen=True)
class Fit:
    """Inputs that a loss runs on, and what came of it. `kinds` is what its operators said of the arguments."""

    case: Case
    construction: Construction
    source: str
    confidence: float
    finite: bool
    has_gradient: bool
    agreed: int
    contradicted: int
    warned: bool

    @property
    def rank(self) -> tuple[int, ...]:
        """Better fits are greater. Where no operator speaks of what the numbers mean, they are plain real numbers."""
        told = self.agreed - self.contradicted
        plain = self.agreed == self.contradicted == 0 and all(each.kind in _PLAIN for each in self.case.arguments)
        return (self.finite, self.has_gradient, not self.warned, told, plain)


def attempt(case: Case, construction: Construction, source: str, confidence: float) -> Fit | None:
    """What comes of one call with its backward; None where it returns no float tensor. Raises what the loss raises."""
    loss = case.fresh()
    values, leaves = case.inputs()
    seen = KindsFromUse(dict(values))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with seen:
            output = case.call(loss, values)
    floats = results(output)
    if not floats:
        return None
    finite = all(bool(torch.isfinite(each).all()) for each in floats)
    agreements = [agreement(each.kind, seen.kinds.get(each.name, set())) for each in case.arguments]
    warned = any("broadcast" in str(each.message) or "target size" in str(each.message) for each in caught)
    return Fit(
        _renamed(case, seen.kinds),
        construction,
        source,
        confidence,
        finite,
        _has_gradient(output, leaves, loss),
        agreements.count(1),
        agreements.count(-1),
        warned,
    )


def _renamed(case: Case, kinds: dict[str, set[str]]) -> Case:
    """Call real numbers what the operators that take them call them."""
    changed = tuple(
        replace(each, kind="logits") if each.kind == "real" and "logits" in kinds.get(each.name, ()) else each
        for each in case.arguments
    )
    return replace(case, arguments=changed)


def _has_gradient(output: Any, leaves: dict[str, Tensor], loss: Any) -> bool:
    """Whether a non-zero gradient reaches an input; where none is asked of inputs, a parameter of the loss."""
    total = objective(output)
    if total is None:
        return False
    wanted = list(leaves.values())
    owner = getattr(loss, "__self__", loss)
    if isinstance(owner, torch.nn.Module):
        wanted += [each for each in owner.parameters() if each.requires_grad]
    if not wanted:
        return False
    gradients = torch.autograd.grad(total, wanted, allow_unused=True)
    return any(each is not None and bool((each != 0).any()) for each in gradients)


def refined(fit: Fit) -> Fit | None:
    loss = fit.case.fresh()
    values, _ = fit.case.inputs()
    seen = KindsFromUse(dict(values))
    with seen:
        fit.case.call(loss, values)
    changed: list[Argument] = []
    different = False
    torch.manual_seed(SEED)
    for each in fit.case.arguments:
        kinds = seen.kinds.get(each.name, set())
        if (
            each.kind == "value"
            or len(kinds) != 1
            or agreement(each.kind, kinds) >= 0
            or not isinstance(each.value, Tensor)
        ):
            changed.append(each)
            continue
        (kind,) = kinds
        if not each.value.is_floating_point() or kind == "index":
            changed.append(each)
            continue
        text = expression(Spec(tuple(map(str, each.value.shape)), kind))
        changed.append(replace(each, kind=kind, text=text))
        different = True
    if not different:
        return None
    torch.manual_seed(SEED)
    remade = tuple(
        replace(each, value=eval(each.text, {"torch": torch})) if each.kind != "value" and each.text else each
        for each in changed
    )
    try:
        better = attempt(replace(fit.case, arguments=remade), fit.construction, fit.source, fit.confidence)
    except Exception:
        return None
    if better is None or better.rank < fit.rank:
        return None
    return replace(better, confidence=max(fit.confidence, 0.7 * fit.construction.confidence))
