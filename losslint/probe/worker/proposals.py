"""What to try for the tensors of a loss: what its docstring says, then what losses like it take, then containers of it."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .declared_shapes import Declared, declared
from .families import candidates
from .parameters import Parameters
from .roles import role_of, says
from .specs import Spec

MOST_COMBINATIONS = 60

Proposal = tuple[tuple[Spec, ...], str, float]


def proposals(parameters: Parameters, docstrings: list[str], function: Callable[..., Any]) -> Iterator[Proposal]:
    """Specs for the tensor parameters, with where they come from and how sure that is."""
    names = parameters.tensors
    documented = {each.name: each for each in declared(names, docstrings, parameters.annotations) if each.name in names}
    yield from _documented(names, documented)
    typed = {name: each.kind for name, each in documented.items() if each.kind}
    for specs in candidates(names):
        sure = 0.6 if all(role_of(name) != "other" for name in names) else 0.4
        yield (
            tuple(_as_documented(spec, typed.get(name)) for name, spec in zip(names, specs, strict=True)),
            "family",
            sure,
        )
    yield from _containers(names, parameters, function)


def _documented(names: tuple[str, ...], documented: dict[str, Declared]) -> Iterator[Proposal]:
    """Combinations of the documented shapes; a parameter nothing is said of takes after the first that has one."""
    if not any(each.shapes for each in documented.values()):
        return
    first = next(each.shapes[0] for each in documented.values() if each.shapes)
    shapes = [each.shapes if (each := documented.get(name)) and each.shapes else (first,) for name in names]
    kinds = [_kinds(name, documented.get(name), len(names)) for name in names]
    complete = all(name in documented and documented[name].shapes for name in names)
    known: set[tuple[Spec, ...]] = set()
    for rest, channels in itertools.product(_rests(names, shapes), _channels(shapes)):
        per_name = [
            [Spec(_concrete(shape, rest, channels), kind) for shape in alternatives for kind in allowed]
            for alternatives, allowed in zip(shapes, kinds, strict=True)
        ]
        for specs in itertools.islice(itertools.product(*per_name), MOST_COMBINATIONS):
            if specs not in known:
                known.add(specs)
                yield specs, "docstring", 0.85 if complete else 0.7


def _rests(names: tuple[str, ...], shapes: list[tuple[tuple[str, ...], ...]]) -> tuple[tuple[str, ...], ...]:
    """What `*` may stand for, the same in all shapes: two further dimensions, one, or none."""
    every = [shape for alternatives in shapes for shape in alternatives]
    if not any("*" in shape for shape in every):
        return ((),)
    if ("*",) in every and not any(says(name, "image") for name in names):
        return (("D",), ("H", "W"), ())
    return (("H", "W"), ("D",), ())


def _channels(shapes: list[tuple[tuple[str, ...], ...]]) -> tuple[str, ...]:
    """What a C beside further dimensions may be: classes, colours, grey."""
    is_spatial = any("C" in shape and len(shape) > 2 for alternatives in shapes for shape in alternatives)
    return ("C", "3", "1") if is_spatial else ("C",)


def _concrete(shape: tuple[str, ...], rest: tuple[str, ...], channels: str) -> tuple[str, ...]:
    """A shape without `*`; alone, `*` is any shape."""
    if shape == ("*",):
        return ("N", "3", *rest) if len(rest) > 1 else ("N", *rest)
    filled = itertools.chain.from_iterable(rest if dim == "*" else (dim,) for dim in shape)
    return tuple(channels if dim == "C" else dim for dim in filled)


def _kinds(name: str, each: Declared | None, count: int) -> tuple[str, ...]:
    said = each.kind if each is not None else None
    dtype = each.dtype if each is not None else None
    rank = len(each.shapes[0]) if each is not None and each.shapes else 2
    if said == "probability" and role_of(name) == "prediction" and rank > 1:
        return ("probability", "simplex")
    if said == "binary" and role_of(name) == "prediction":
        return ("probability", "logits", "real")
    if said is not None:
        return (said,)
    if dtype == "bool":
        return ("mask",)
    if dtype == "int":
        return ("index", "binary-index")
    match role_of(name):
        case "mask":
            return ("mask", "binary")
        case "weight":
            return ("positive",)
        case "length":
            return ("length",)
        case "target" if count > 1:
            if dtype == "float":
                return ("binary", "real", "probability")
            return (
                ("index", "binary", "real", "probability") if rank != 2 else ("binary", "index", "real", "probability")
            )
        case _:
            if says(name, "image") and each is None:
                return ("image", "real")
            return ("logits", "probability") if says(name, "logits") else ("real", "probability")


def _as_documented(spec: Spec, kind: str | None) -> Spec:
    return (
        spec
        if kind is None or spec.kind in ("index", "mask") or kind in ("index", "mask")
        else replace(spec, kind=kind)
    )


def _containers(names: tuple[str, ...], parameters: Parameters, function: Callable[..., Any]) -> Iterator[Proposal]:
    """Lists of tensors, and dicts with the keys the code asks for."""
    keys = {name: _keys_asked(name, function) for name in names}
    shapes = (("N", "D"), ("N", "C", "H", "W"), ("N", "3", "H", "W"), ("N", "1", "T"), ("N", "C"))
    if any(keys.values()):
        for shape in shapes:
            yield tuple(Spec(shape, "real", keys=keys[name]) for name in names), "guess", 0.3
    for shape in shapes:
        yield tuple(Spec(shape, "real", length=2) for _ in names), "guess", 0.3
        if len(names) > 1:
            listed = [Spec(shape, "real", length=2 if _is_list(name, parameters) else 0) for name in names]
            yield tuple(listed), "guess", 0.3


def _is_list(name: str, parameters: Parameters) -> bool:
    annotation = parameters.annotations.get(name, "").lower()
    return name.endswith("s") or re.search(r"list|tuple|sequence", annotation) is not None


def _keys_asked(name: str, function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        return ()
    return tuple(dict.fromkeys(re.findall(rf"\b{re.escape(name)}(?:\[|\.get\()['\"](\w+)['\"]", source)))
