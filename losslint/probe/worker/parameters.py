"""What a loss wants to be given, as its signature tells."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .construct import guess_value
from .roles import is_tensor_like


@dataclass(frozen=True)
class Parameters:
    """What a loss takes: the tensor-like parameters, those with other fixed values, and those passed by name."""

    tensors: tuple[str, ...]
    fixed: dict[str, str]
    by_name: frozenset[str]
    annotations: dict[str, str]


def parameters_of(function: Callable[..., Any], optional_ones: int = 0) -> Parameters:
    """The parameters that must be given, and the first `optional_ones` tensor-like ones whose default is None."""
    tensors: list[str] = []
    fixed: dict[str, str] = {}
    by_name: set[str] = set()
    annotations: dict[str, str] = {}
    every = inspect.signature(function).parameters.values()
    for each in every:
        annotation = _written(each.annotation)
        annotations[each.name] = annotation
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue
        optional = each.default is not each.empty
        tensor_like = is_tensor_like(each.name, annotation)
        if optional:
            if not (optional_ones > 0 and each.default is None and tensor_like):
                continue
            optional_ones -= 1
        if optional or each.kind is each.KEYWORD_ONLY:
            by_name.add(each.name)
        if tensor_like:
            tensors.append(each.name)
        else:
            fixed[each.name] = guess_value(each.name, annotation)
    if not fixed and len(tensors) < 2 and any(each.kind is each.VAR_POSITIONAL for each in every):
        tensors = ["input", "target"] if not tensors else [*tensors, "target"]
    return Parameters(tuple(tensors), fixed, frozenset(by_name), annotations)


def _written(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "") or str(annotation)
