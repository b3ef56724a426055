"""Inputs whose gradient is zero although the loss depends on them: argmax, rounding, thresholds, a cut graph.

gradcheck passes these, since 0 equals 0. Here the loss is looked at over several generic points: an input is dead where
its gradient is zero at all of them while the value changes from one to the other. A hinge or a dropped term is not dead:
wherever its value changes it has a gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..case import Argument, Case, results

POINTS = 8
STEP = 1.0
_UNIT = ("probability", "image", "simplex", "binary", "one-hot")


def measure(case: Case) -> dict[str, Any]:
    """`dead` names the leaves of the arguments that have no gradient and that the value depends on, `cut` those of them
    that no graph leads to, `flat` those without gradient on which nothing depends, `alive` the others."""
    names = list(case.inputs()[1])
    silent: list[str] = []
    cut: list[str] = []
    for name in names:
        gradients = [_gradient(_moved(case, seed, name), name) for seed in range(POINTS)]
        if not any(gradients):
            silent.append(name)
            if all(each is None for each in gradients):
                cut.append(name)
    dead = [name for name in silent if _depends_on(case, name)]
    return {
        "status": "dead" if dead else "ok",
        "dead": dead,
        "cut": [name for name in dead if name in cut],
        "flat": [name for name in silent if name not in dead],
        "alive": [name for name in names if name not in silent],
    }


def _gradient(case: Case, leaf: str) -> float | None:
    """The sum of the gradient's magnitudes, None where no graph leads to the leaf."""
    evaluated = case.evaluate()
    if evaluated.objective is None:
        return None
    (found,) = torch.autograd.grad(evaluated.objective, [evaluated.leaves[leaf]], allow_unused=True)
    return None if found is None else float(found.double().abs().nan_to_num(1.0).sum())


def _moved(case: Case, seed: int, leaf: str) -> Case:
    """The case with one argument elsewhere in its domain; the first point is where it was found."""
    if seed == 0:
        return case
    generator = torch.Generator().manual_seed(seed)

    def move(argument: Argument, tensor: Tensor) -> Tensor:
        if argument.name != leaf.partition("[")[0] or not tensor.is_floating_point():
            return tensor
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float32).to(tensor.dtype)
        if argument.kind in _UNIT:
            moved = (tensor + 0.3 * noise).clamp(0.02, 0.98)
            return moved / moved.sum(1, keepdim=True) if argument.kind == "simplex" and moved.dim() > 1 else moved
        moved = tensor + STEP * noise
        return moved.abs() + 0.01 if argument.kind == "positive" else moved

    return case.mapped(move)


def _depends_on(case: Case, leaf: str) -> bool:
    """Whether the value differs between the points."""
    values = [_value(_moved(case, seed, leaf)) for seed in range(POINTS)]
    known = [each for each in values if each is not None]
    return any(abs(each - known[0]) > 1e-6 * max(1.0, abs(known[0])) for each in known[1:])


def _value(case: Case) -> float | None:
    try:
        with torch.no_grad():
            floats = results(case.evaluate().output)
    except Exception:
        return None
    total = sum(float(each.double().sum()) for each in floats if not each.is_complex())
    return total if floats and total == total and abs(total) != float("inf") else None
