"""One loss from its name to its measurements. Every part is sent as soon as it is known, so that a crash loses nothing."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from .attempts import Fit
from .case import Argument, Case
from .construct import Construction, NotConstructed, constructions, evaluate
from .device_process import DeviceProcess, Rebuild
from .examples import Example, attached_example, doctest_example, written_examples
from .experiments import (
    behaviour,
    dead_gradient,
    degenerate,
    forward,
    gradient_check,
    half_precision,
    scale,
    terms,
    trace,
)
from .loading import first_line
from .observed import Observer
from .request import Request, Target
from .search import Search, search

Emit = Callable[[dict[str, Any]], None]


class NoSuchLoss(Exception):
    """The module does not have what was asked for."""


def probe(target: Target, module: ModuleType, request: Request, emit: Emit) -> None:
    """Run one loss and send its measurements."""
    started = time.monotonic()
    device: DeviceProcess | None = None
    try:
        entry = resolve(module, target)
        if request.fork and request.device != "cpu":
            device = DeviceProcess(request.device, _rebuilder(module, entry, request))
        found = _find(target, module, entry, request)
    except (NotConstructed, NoSuchLoss) as error:
        emit({"status": "not-constructed", "reason": str(error), "advice": _advice(target)})
        if device is not None:
            device.end()
        return
    emit({"search_seconds": round(time.monotonic() - started, 4), "trials": found.trials})
    if not found.fits:
        emit(_no_inputs(found, target, entry.function))
        if device is not None:
            device.end()
        return
    fit = found.fits[0]
    emit(_described(fit, found.fits, _call_text(target, entry, fit)))
    _experiments(fit, device, emit, started + request.loss_seconds * 0.6)
    emit({"complete": True, "seconds": time.monotonic() - started})


@dataclass(frozen=True)
class Entry:
    """What is run: the class to construct (or None), the function entered, and the method where it is not the call."""

    owner: Any
    function: Callable[..., Any]
    method: str = ""


def _rebuilder(module: ModuleType, entry: Entry, request: Request) -> Rebuild:
    def rebuild(text: str, arguments: tuple[Argument, ...], by_name: frozenset[str]) -> Case:
        def make() -> Callable[..., Any]:
            if entry.owner is None:
                return entry.function
            loss = evaluate(text, entry.owner, module)
            return getattr(loss, entry.method) if entry.method else loss  # type: ignore[no-any-return]

        return Case(make, arguments, request.is_users, by_name)

    return rebuild


def resolve(module: ModuleType, target: Target) -> Entry:
    """The loss of a target in its imported module. Raises NoSuchLoss."""
    parts = target.symbol.split(".")
    found: Any = module
    owner = None
    for part in parts:
        if isinstance(found, type):
            owner = found
        try:
            static = inspect.getattr_static(found, part)
            found = getattr(found, part)
        except AttributeError:
            raise NoSuchLoss(f"{module.__name__} has no `{target.symbol}` once it is imported") from None
    if isinstance(found, type):
        return Entry(found, *_entry_of(found, target))
    if owner is None or isinstance(static, (staticmethod, classmethod)):
        return Entry(None, found)
    return Entry(owner, found, parts[-1])


def _entry_of(owner: type, target: Target) -> tuple[Callable[..., Any], str]:
    named = [entry.rpartition(".")[2] for entry in target.entries]
    defined = getattr(owner, "forward", None)
    if issubclass(owner, torch.nn.Module) and defined is not None and not _is_unimplemented(defined):
        return defined, ""
    for name in (*named, "__call__", "compute_loss", "loss"):
        if name not in ("__init__", "forward") and callable(getattr(owner, name, None)) and hasattr(owner, name):
            if name == "__call__" and issubclass(owner, torch.nn.Module):
                continue
            return getattr(owner, name), "" if name == "__call__" else name
    if defined is None:
        raise NoSuchLoss(f"`{target.symbol}` has neither forward, __call__ nor a method that returns a loss")
    return defined, "" if issubclass(owner, torch.nn.Module) else "forward"


def _is_unimplemented(method: Any) -> bool:
    return getattr(method, "__name__", "") == "_forward_unimplemented"


def _find(target: Target, module: ModuleType, entry: Entry, request: Request) -> Search:
    """Inputs over all ways to construct the loss; the search of the first way that works well is the answer."""
    owner, function, method = entry.owner, entry.function, entry.method
    examples = _examples(target, module, owner, function, request.doctests)
    best: Search | None = None
    ways = _ways(owner, function, module, examples)
    docstrings = [text for text in (inspect.getdoc(function), inspect.getdoc(owner) if owner else None) if text]
    for construction in ways:
        found = search(construction, examples, docstrings, module, request.is_users, method)
        if best is None or _quality(found) > _quality(best):
            found.trials += best.trials if best is not None else 0
            best = found
        if _quality(best) == (True, True):
            break
    assert best is not None
    return best


def _quality(found: Search) -> tuple[bool, bool]:
    return (any(fit.finite for fit in found.fits), any(fit.finite and fit.has_gradient for fit in found.fits))


def _ways(owner: Any, function: Callable[..., Any], module: ModuleType, examples: list[Example]) -> list[Construction]:
    if owner is None:
        return [Construction(lambda: function, function.__name__, "function", 1.0)]
    given = [each.construction for each in examples if each.construction is not None]
    if given:
        return given[:1]
    return list(constructions(owner, module))


def _examples(
    target: Target, module: ModuleType, owner: Any, function: Callable[..., Any], doctests: bool
) -> list[Example]:
    written = list(written_examples(list(target.examples), owner, function, module))
    attached = list(attached_example(owner if owner is not None else function, function))
    if written or attached:
        return [*written, *attached]
    run = doctest_example(owner, function, module) if doctests else None
    return [run] if run is not None else []


def _advice(target: Target) -> str:
    where = f'[tool.losslint.probe."{target.module}:{target.symbol}"]'
    return f'say in pyproject.toml how it is made: {where} construct = "...", inputs = "..."'


def _no_inputs(found: Search, target: Target, function: Callable[..., Any]) -> dict[str, Any]:
    names = ", ".join(name for name in inspect.signature(function).parameters if name != "self")
    if found.problem == "abstract":
        reason = "its forward is not implemented: it is a base for other losses"
    else:
        last = f"; the one that got furthest ended with {found.problem}" if found.problem else ""
        reason = f"none of {found.trials} guesses for ({names}) ran{last}"
    where = f'[tool.losslint.probe."{target.module}:{target.symbol}"]'
    advice = f'give an example in pyproject.toml: {where} inputs = "torch.randn(4, 5), ..."'
    return {"status": "no-inputs", "reason": reason, "advice": advice}


def _call_text(target: Target, entry: Entry, fit: Fit) -> str:
    """The expression of what is called."""
    if entry.owner is None:
        return target.symbol
    text = fit.construction.text
    return f"{text}.{entry.method}" if text and entry.method else text


def _described(fit: Fit, fits: list[Fit], call: str) -> dict[str, Any]:
    return {
        "status": "ok",
        "finite": fit.finite,
        "has_gradient": fit.has_gradient,
        "construction": {
            "text": fit.construction.text,
            "source": fit.construction.source,
            "confidence": fit.construction.confidence,
            "call": call,
        },
        "inputs": _inputs(fit.case),
        "input_source": fit.source,
        "input_confidence": round(fit.confidence, 3),
        "other_inputs": [
            {"source": each.source, "confidence": round(each.confidence, 3), "inputs": _inputs(each.case)}
            for each in fits[1:]
        ],
    }


def _inputs(case: Case) -> list[dict[str, Any]]:
    described = []
    for each in case.arguments:
        tensors = [leaf for leaf in pytree.tree_leaves(each.value) if isinstance(leaf, Tensor)]
        first = tensors[0] if tensors else None
        described.append(
            {
                "name": each.name,
                "shape": list(first.shape) if first is not None else None,
                "dtype": str(first.dtype).removeprefix("torch.") if first is not None else type(each.value).__name__,
                "kind": each.kind,
                "role": each.role,
                "differentiable": each.differentiable,
                "by_name": each.name in case.by_name,
                "text": each.text,
                "low": _number(first.min()) if first is not None and first.numel() and not first.is_complex() else None,
                "high": _number(first.max())
                if first is not None and first.numel() and not first.is_complex()
                else None,
            }
        )
    return described


def _number(value: Tensor) -> float | None:
    number = float(value)
    return number if number == number and abs(number) != float("inf") else None


def _experiments(fit: Fit, device: DeviceProcess | None, emit: Emit, deadline: float) -> None:
    """All experiments, the cheap and telling ones first; what the time does not suffice for is named."""
    case = fit.case
    if device is not None:
        device.start(fit.construction.text, case)
    observer = Observer(case.is_users)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "forward": lambda: forward.measure(case, observer),
        "dead_gradient": lambda: dead_gradient.measure(case),
        "degenerate": lambda: degenerate.measure(case, observer),
        "scale": lambda: scale.measure(case, observer),
        "half": lambda: half_precision.measure(case, observer),
        "trace": lambda: trace.measure(case),
        "terms": lambda: terms.measure(case),
        "mutation": lambda: behaviour.input_mutation(case),
        "second_step": lambda: behaviour.second_step(case),
        "determinism": lambda: behaviour.determinism(case),
        "gradient_check": lambda: gradient_check.measure(case),
    }
    for name, measure in parts.items():
        if time.monotonic() > deadline:
            emit({name: {"status": "skipped", "reason": "there was no time left"}})
            continue
        begun = time.monotonic()
        try:
            found = measure()
        except Exception as error:
            found = {"status": "skipped", "reason": f"{type(error).__name__}: {first_line(error)}"}
        emit({name: {**found, "seconds": round(time.monotonic() - begun, 4)}})
    emit({"observed": observer.as_data()})
    if device is not None:
        emit({"device": device.result()})
    else:
        emit({"device": {"status": "skipped", "reason": "this platform cannot fork"}})
