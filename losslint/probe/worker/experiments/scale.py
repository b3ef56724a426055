"""The loss over the magnitude of its inputs, and at the ends of the domain that they have.

A measurement, not a verdict: many sound losses overflow at 1e6. `magnitude` lets the judge keep to what real inputs reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..case import Argument, Case
from ..observed import Observer
from ..outcome import outcome

MAGNITUDES = (1e-6, 1e-4, 1e-2, 1e-1, 1.0, 3.0, 10.0, 30.0, 1e2, 1e3, 1e4, 1e6)
_UNBOUNDED = ("logits", "real", "embedding")
_UNIT = ("probability", "simplex", "binary")


def measure(case: Case, observer: Observer) -> dict[str, Any]:
    """`points` are outcomes with the argument that was changed, its largest magnitude, and how it was changed."""
    points: list[dict[str, Any]] = []
    for name, magnitude, change, changed in [*_scaled(case), *_saturated(case)]:
        point = outcome(changed, name, observer)
        point |= {"argument": change[0], "magnitude": magnitude, "change": change[1]}
        points.append(point)
    return {"status": "ok", "points": points}


def _scaled(case: Case) -> Iterator[tuple[str, float, tuple[str, str], Case]]:
    """All differentiable unbounded arguments together, so that their largest number has the magnitude."""
    names = [each.name for each in case.arguments if each.differentiable and each.kind in _UNBOUNDED]
    if not names:
        return
    for magnitude in MAGNITUDES:

        def scale(argument: Argument, tensor: Tensor, magnitude: float = magnitude) -> Tensor:
            if argument.name not in names or not tensor.is_floating_point() or not tensor.numel():
                return tensor
            largest = float(tensor.abs().max()) or 1.0
            return tensor * (magnitude / largest)

        text = f"{{0}} * ({magnitude:g} / {{0}}.abs().max())"
        yield f"largest |{names[0]}| = {magnitude:g}", magnitude, (",".join(names), text), case.mapped(scale)


def _saturated(case: Case) -> Iterator[tuple[str, float, tuple[str, str], Case]]:
    """Probabilities at 0 and at 1: what a sigmoid or softmax gives in float32 once it is sure."""
    for each in case.arguments:
        if not each.differentiable or each.kind not in _UNIT or not isinstance(each.value, Tensor):
            continue
        for label, rounded, text in (
            ("all of {0} certain: 0 or 1", True, "{0}.round()"),
            (
                "one number of {0} is 0",
                False,
                "torch.cat([{0}.flatten()[:1] * 0, {0}.flatten()[1:]]).reshape({0}.shape)",
            ),
        ):
            value = _certain(each) if rounded else _first_zero(each.value)
            yield label.format(each.name), 1.0, (each.name, text), case.with_values({each.name: value})


def _certain(argument: Argument) -> Tensor:
    value: Tensor = argument.value
    if argument.kind == "simplex" and value.dim() > 1:
        return torch.zeros_like(value).scatter_(1, value.argmax(1, keepdim=True), 1.0)
    return value.round()


def _first_zero(value: Tensor) -> Tensor:
    flat = value.detach().clone().flatten()
    if flat.numel():
        flat[0] = 0
    return flat.reshape(value.shape)
