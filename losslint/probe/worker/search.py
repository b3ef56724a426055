"""Finding inputs that a loss runs on: what was written down first, then what is documented, then what is usual."""

from __future__ import annotations

import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from .attempts import Fit, attempt, refined
from .case import SEED, Argument, Case
from .construct import Construction
from .examples import Example
from .kinds_from_use import kind_of
from .loading import first_line
from .missing_modules import MissingDependency
from .parameters import Parameters, parameters_of
from .proposals import proposals
from .roles import role_of
from .specs import Spec, expression

ENOUGH = 6
MOST_TRIALS = 300
SECONDS = 2.0
_ASKS_FOR_SIZE = re.compile(
    r"(?:larger|greater|bigger|at least|exceed|longer|more) (?:than |or equal to )?[^.\d]{0,40}?(\d{2,6})\b"
)
_FLOAT_ONLY = ("prediction", "other")


@dataclass
class Search:
    """What a search found, and the problem of the trial that got furthest into the loss."""

    fits: list[Fit]
    problem: str = ""
    furthest: tuple[int, ...] = ()
    trials: int = 0
    asked_size: int = 0

    def note(self, problem: str, lines: tuple[int, ...] = ()) -> None:
        """Keep the problem of the highest lines, from the loss inwards, and the largest size that a message asks for."""
        if lines > self.furthest or not self.problem:
            self.problem, self.furthest = problem, lines
        asked = _ASKS_FOR_SIZE.search(problem)
        if asked is not None:
            self.asked_size = max(self.asked_size, int(asked.group(1)))


def search(
    construction: Construction,
    examples: list[Example],
    docstrings: list[str],
    module: ModuleType,
    is_users: Callable[[str], bool],
    method: str = "",
) -> Search:
    """All inputs found for one construction, best first."""
    found = Search([])
    started = time.monotonic()
    for example in examples:
        chosen = example.construction or construction
        _try(found, _example_case(example, chosen, is_users, method), chosen, example.source, example.confidence)
    asked = any(fit.source in ("settings", "decorator") for fit in found.fits)
    if asked or any(fit.finite and fit.has_gradient for fit in found.fits):
        return found
    known: set[tuple[str, ...]] = set()
    for optional_ones in (0, 1, 2, 9):
        loss = construction.make()
        parameters = parameters_of(_entry(loss, method), optional_ones)
        if parameters.tensors in known:
            break
        known.add(parameters.tensors)
        found.problem, found.furthest = "", ()
        for specs, source, confidence in proposals(parameters, docstrings, _entry(loss, method)):
            if found.trials >= MOST_TRIALS or time.monotonic() - started > SECONDS or found.problem == "abstract":
                break
            if sum(fit.finite and fit.has_gradient for fit in found.fits) >= ENOUGH:
                break
            case = _spec_case(parameters, specs, construction, module, is_users, method)
            _try(found, case, construction, source, confidence * construction.confidence)
        if any(fit.finite and fit.has_gradient for fit in found.fits):
            break
    if not found.fits and found.asked_size:
        for case in _grown(parameters, found.asked_size, construction, module, is_users, method):
            _try(found, case, construction, "family", 0.4 * construction.confidence)
    _refine(found)
    found.fits.sort(key=lambda fit: fit.rank, reverse=True)
    return found


def _entry(loss: Any, method: str) -> Callable[..., Any]:
    if method:
        return getattr(loss, method)  # type: ignore[no-any-return]
    return loss.forward if isinstance(loss, torch.nn.Module) else loss


def _grown(
    parameters: Parameters,
    size: int,
    construction: Construction,
    module: ModuleType,
    is_users: Callable[[str], bool],
    method: str,
) -> Iterator[Case]:
    """Long signals and large images, where a message asks for a size."""
    enough = str(min(2 * size, 200_000))
    for shape in (("2", "1", enough), ("2", "2", enough), ("2", enough)):
        specs = tuple(Spec(shape, "real") for _ in parameters.tensors)
        yield _spec_case(parameters, specs, construction, module, is_users, method)
    if size <= 1024:
        specs = tuple(Spec(("2", "3", enough, str(min(2 * size, 2048) + 16)), "image") for _ in parameters.tensors)
        yield _spec_case(parameters, specs, construction, module, is_users, method)


def _spec_case(
    parameters: Parameters,
    specs: tuple[Spec, ...],
    construction: Construction,
    module: ModuleType,
    is_users: Callable[[str], bool],
    method: str,
) -> Case:
    by_name = dict(zip(parameters.tensors, specs, strict=True))
    torch.manual_seed(SEED)
    arguments: list[Argument] = []
    for name in _in_order(parameters):
        if name in by_name:
            spec = by_name[name]
            text = expression(spec)
            role = role_of(name)
            float_like = spec.kind not in ("index", "binary-index", "mask", "length")
            value = eval(text, {"torch": torch})
            arguments.append(Argument(name, value, role, spec.kind, float_like and role in _FLOAT_ONLY, text))
        else:
            text = parameters.fixed[name]
            value = eval(text, {"torch": torch, **vars(module)})
            arguments.append(Argument(name, value, "other", "value", False, text))
    return _finished(arguments, parameters.by_name, construction, is_users, method)


def _in_order(parameters: Parameters) -> list[str]:
    known = [name for name in parameters.annotations if name in parameters.tensors or name in parameters.fixed]
    return [*known, *(name for name in parameters.tensors if name not in known)]


def _finished(
    arguments: list[Argument],
    by_name: frozenset[str],
    construction: Construction,
    is_users: Callable[[str], bool],
    method: str,
) -> Case:
    """Where no argument looks like a prediction, any float one may be it."""
    if not any(each.differentiable for each in arguments):
        arguments = [
            replace(each, differentiable=_is_float(each.value) and each.role not in ("mask", "length"))
            for each in arguments
        ]
    make = (lambda: getattr(construction.make(), method)) if method else construction.make
    return Case(make, tuple(arguments), is_users, by_name)


def _is_float(value: Any) -> bool:
    return any(isinstance(leaf, Tensor) and leaf.is_floating_point() for leaf in pytree.tree_leaves(value))


def _example_case(example: Example, construction: Construction, is_users: Callable[[str], bool], method: str) -> Case:
    arguments = []
    for name, value in example.values.items():
        role = role_of(name)
        arguments.append(
            Argument(
                name, value, role, kind_of(value), _is_float(value) and role in _FLOAT_ONLY, example.texts.get(name, "")
            )
        )
    return _finished(arguments, frozenset(example.values), construction, is_users, method)


def _try(found: Search, case: Case, construction: Construction, source: str, confidence: float) -> Fit | None:
    """Run a case once; one that passes is kept."""
    found.trials += 1
    try:
        fit = attempt(case, construction, source, confidence)
    except MissingDependency as error:
        found.note(first_line(error))
        return None
    except NotImplementedError as error:
        found.note("abstract" if not str(error) or "forward" in str(error) else first_line(error))
        return None
    except MemoryError:
        raise
    except Exception as error:
        if "can't allocate memory" in str(error):
            raise MemoryError from error
        found.note(f"{type(error).__name__}: {first_line(error)}", _lines_reached(error, case.is_users))
        return None
    if fit is None:
        # It ran, which tells more than why other inputs did not.
        found.problem, found.furthest = "a result that holds no tensor of floating point numbers", (sys.maxsize,)
    else:
        found.fits.append(fit)
    return fit


def _lines_reached(error: BaseException, is_users: Callable[[str], bool]) -> tuple[int, ...]:
    """The lines at which it failed, in the loss and in the user's functions that it was in."""
    frames = traceback.walk_tb(error.__traceback__)
    return tuple(line for frame, line in frames if is_users(frame.f_code.co_filename))


def _refine(found: Search) -> None:
    """Where operators contradict what the numbers were taken for, try the kind that they speak of."""
    for position, fit in enumerate(list(found.fits)):
        if fit.source in ("settings", "decorator", "doctest"):
            continue
        better = refined(fit)
        if better is not None:
            found.fits[position] = better
        elif fit.contradicted:
            found.fits[position] = replace(fit, confidence=min(fit.confidence, 0.3))
        elif fit.agreed:
            found.fits[position] = replace(fit, confidence=max(fit.confidence, 0.75 * fit.construction.confidence))
