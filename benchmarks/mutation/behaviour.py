"""How the runs of a loss and of its mutant differ, on the same inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from losslint.measurements import Measurements, Number, Outcome

VALUE = 1e-3
GRADIENT = 1e-2
"""Relative; float32 is held to less where numbers are large."""
ORDINARY = 30.0
"""The largest numbers at which values are compared, and not just whether they are finite."""
REACHED = 1e3
_FOR_A_GPU = ("CUDA", "NVIDIA", "cuda")
_LEAF = "leaf Variable that requires grad"
"""What torch says where an input is written to that the run asks a gradient of; in training it is no leaf."""


def is_loud(mutant: Measurements) -> bool:
    """Whether the mutant does not run on the inputs of the original, for another reason than that it wants a GPU."""
    if _wants_gpu(mutant) or _LEAF in mutant.reason:
        return False
    return mutant.status != "ok" or mutant.input_source != "settings"


def _wants_gpu(m: Measurements) -> bool:
    return m.input_source != "settings" and any(word in m.reason for word in _FOR_A_GPU)


def differences(original: Measurements, mutant: Measurements) -> frozenset[str]:
    """Names of what differs, of mutants.ANY and mutants.UNSAFE."""
    if _wants_gpu(mutant):
        return frozenset({"device"})
    if _LEAF in mutant.reason:
        return frozenset({"mutated"})
    return frozenset(_differences(original, mutant))


def _differences(original: Measurements, mutant: Measurements) -> Iterator[str]:
    known = {(experiment, each.name): each for experiment, each in original.outcomes()}
    for experiment, each in mutant.outcomes():
        before = known.get((experiment, each.name))
        if before is None or before.status != "ok" or (each.magnitude or 0) > REACHED:
            continue
        if experiment == "half":
            if each.status in ("value", "gradient"):
                yield "half"
            continue
        yield from _between(before, each)
    for part, name, bad in (
        ("device", "device", "mismatch"),
        ("second_step", "second step", "failed"),
        ("mutation", "mutated", "mutated"),
        ("dead_gradient", "dead", "dead"),
    ):
        before, after = getattr(original, part), getattr(mutant, part)
        if before is not None and after is not None and after.status == bad != before.status:
            yield name
    if original.forward is not None and mutant.forward is not None:
        if original.forward.shapes != mutant.forward.shapes:
            yield "shape"
        if original.forward.requires_grad and not mutant.forward.requires_grad:
            yield "gradient lost"


def _between(before: Outcome, after: Outcome) -> Iterator[str]:
    if after.status == "error":
        yield "raises"
    elif after.status != "ok":
        yield "not finite"
    elif (after.magnitude or 0) <= ORDINARY:
        if not _is_near(before.value, after.value, VALUE):
            yield "value"
        largest = max((abs(_number(each)) for each in before.gradients.values()), default=0.0)
        for leaf, norm in before.gradients.items():
            now = after.gradients.get(leaf)
            if (norm is None) != (now is None) or not _is_near(norm, now, GRADIENT, largest):
                yield "gradient"
            if _number(norm) and not _number(now):
                yield "gradient lost"


def _number(value: Number) -> float:
    return float(value) if value is not None else 0.0


def _is_near(first: Number, second: Number, tolerance: float, scale: float = 0.0) -> bool:
    return math.isclose(_number(first), _number(second), rel_tol=tolerance, abs_tol=max(1e-6, tolerance * 1e-2 * scale))
