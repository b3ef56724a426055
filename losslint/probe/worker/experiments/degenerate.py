"""Batches that occur in training and that tests forget: one sample, nothing to count, a perfect prediction, none at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..case import Argument, Case
from ..observed import Observer
from ..outcome import outcome

Change = Callable[[Argument, Tensor], Tensor]


def measure(case: Case, observer: Observer) -> dict[str, Any]:
    """`batches` are outcomes; `texts` gives, by argument, how it was changed ("{0}" is the argument before, "{name}" another
    argument)."""
    batches = []
    for name, texts, changed in _batches(case):
        found = outcome(changed, name, observer)
        batches.append({**found, "texts": texts})
    return {"status": "ok", "batches": batches}


def _batches(case: Case) -> Iterator[tuple[str, dict[str, str], Case]]:
    tensors = {each.name: each for each in case.arguments if isinstance(each.value, Tensor)}
    predictions = [each for each in tensors.values() if each.differentiable]
    sizes = {each.value.shape[0] for each in tensors.values() if each.value.dim()}
    if len(sizes) == 1:
        yield "one sample", dict.fromkeys(tensors, "{0}[:1]"), _sliced(case, 1)
        yield "an empty batch", dict.fromkeys(tensors, "{0}[:0]"), _sliced(case, 0)
    for each in tensors.values():
        yield from _constant(case, each)
    for prediction in predictions:
        zeros = torch.zeros_like(prediction.value)
        if prediction.kind in ("logits", "real", "embedding", "image"):
            yield (
                f"{prediction.name} is all zero",
                {prediction.name: "torch.zeros_like({0})"},
                case.with_values({prediction.name: zeros}),
            )
        for other in tensors.values():
            alike = other is not prediction and other.value.shape == prediction.value.shape
            if alike and other.value.is_floating_point() and prediction.kind != "logits":
                equal = case.with_values({prediction.name: other.value.detach().clone()})
                yield f"{prediction.name} equals {other.name}", {prediction.name: f"{{{other.name}}}.clone()"}, equal
        if prediction.kind in ("real", "embedding") and prediction.value.dim() > 1 and prediction.value.shape[0] > 1:
            repeated = prediction.value.detach().clone()
            repeated[1] = repeated[0]
            text = "torch.cat([{0}[:1], {0}[:1], {0}[2:]])"
            yield (
                f"two equal samples in {prediction.name}",
                {prediction.name: text},
                case.with_values({prediction.name: repeated}),
            )


def _constant(case: Case, each: Argument) -> Iterator[tuple[str, dict[str, str], Case]]:
    """Targets and masks in which something is missing altogether."""
    if each.kind in ("mask", "binary", "binary-index") and not each.differentiable:
        said = (
            ("selects nothing", "selects everything") if each.kind == "mask" else ("is 0 everywhere", "is 1 everywhere")
        )
        for number, what in enumerate(said):
            yield _filled(case, each, what, number)
    if each.kind == "index":
        yield _filled(case, each, "holds one class only", 0)
        ignored = _ignored_index(case)
        if ignored is not None:
            yield _filled(case, each, "is ignored everywhere", ignored)
        if each.value.dim() == 1 and each.value.shape[0] > 1:
            distinct = case.with_values({each.name: torch.arange(each.value.shape[0])})
            yield f"{each.name} holds no class twice", {each.name: "torch.arange({0}.shape[0])"}, distinct


def _filled(case: Case, each: Argument, what: str, number: int) -> tuple[str, dict[str, str], Case]:
    texts = {each.name: f"torch.full_like({{0}}, {number})"}
    return f"{each.name} {what}", texts, case.with_values({each.name: torch.full_like(each.value, number)})


def _ignored_index(case: Case) -> int | None:
    """The index a loss says it ignores."""
    loss = case.fresh()
    owner = getattr(loss, "__self__", loss)
    for name in ("ignore_index", "ignore_label", "padding_idx", "pad_index"):
        value = getattr(owner, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _sliced(case: Case, count: int) -> Case:
    return case.mapped(lambda argument, tensor: tensor[:count] if tensor.dim() else tensor)
