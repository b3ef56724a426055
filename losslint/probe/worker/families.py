"""Inputs that losses of the usual kinds take, in the order in which they are tried.

The order decides what a loss that runs on several of them is taken for: whole-number targets come before float ones,
and small shapes before large ones. Which of them fit is asked of the loss itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from .roles import role_of, says
from .specs import Spec

_IMAGES = (("N", "3", "H", "W"), ("N", "1", "H", "W"), ("N", "3", "48", "40"), ("2", "3", "192", "176"))
_SIGNALS = (("N", "1", "T"), ("N", "2", "T"), ("2", "1", "9000"), ("2", "2", "9000"))
_PAIRS: tuple[tuple[tuple[str, ...], str, tuple[str, ...], str], ...] = (
    (("N", "C"), "logits", ("N",), "index"),
    (("N", "C", "H", "W"), "logits", ("N", "H", "W"), "index"),
    (("N", "C"), "logits", ("N", "C"), "binary"),
    (("N", "D"), "real", ("N", "D"), "real"),
    (("N", "1", "H", "W"), "logits", ("N", "H", "W"), "binary-index"),
    (("N", "C", "H", "W"), "logits", ("N", "1", "H", "W"), "index"),
    (("N", "1", "H", "W"), "logits", ("N", "1", "H", "W"), "binary"),
    (("N", "C", "H", "W"), "logits", ("N", "C", "H", "W"), "one-hot"),
    (("N", "1", "H", "W"), "logits", ("N", "1", "H", "W"), "binary-index"),
    (("N",), "logits", ("N",), "binary"),
    (("N",), "real", ("N",), "real"),
    (("N", "C"), "probability", ("N", "C"), "binary"),
    (("N", "1", "H", "W"), "probability", ("N", "1", "H", "W"), "binary"),
    (("N", "C"), "simplex", ("N",), "index"),
    (("N", "C"), "simplex", ("N", "C"), "simplex"),
    (("N", "C", "T"), "logits", ("N", "T"), "index"),
    (("N", "T", "C"), "logits", ("N", "T"), "index"),
    (("N", "C", "Z", "H", "W"), "logits", ("N", "Z", "H", "W"), "index"),
    (("N", "H", "W"), "logits", ("N", "H", "W"), "binary"),
    (("N", "3", "H", "W"), "image", ("N", "3", "H", "W"), "image"),
    (("N", "1", "T"), "real", ("N", "1", "T"), "real"),
    (("N", "T", "D"), "real", ("N", "T", "D"), "real"),
    (("N", "3", "Z", "H", "W"), "image", ("N", "3", "Z", "H", "W"), "image"),
    (("N", "1", "Z", "H", "W"), "image", ("N", "1", "Z", "H", "W"), "image"),
    (("N", "3", "48", "40"), "image", ("N", "3", "48", "40"), "image"),
    (("2", "3", "192", "176"), "image", ("2", "3", "192", "176"), "image"),
    (("2", "1", "9000"), "real", ("2", "1", "9000"), "real"),
    (("2", "2", "9000"), "real", ("2", "2", "9000"), "real"),
    (("T",), "logits", ("T",), "binary-index"),
    (("H", "W"), "image", ("H", "W"), "image"),
)
_SINGLES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("N", "D"), "real"),
    (("N", "3", "H", "W"), "image"),
    (("N",), "real"),
    (("N", "C"), "logits"),
    (("D", "D"), "real"),
    (("3", "H", "W"), "image"),
    (("N", "1", "T"), "real"),
    (("N", "T", "D"), "real"),
    ((), "real"),
)
_BY_RANK = (
    ("N", "C"),
    ("N",),
    ("N", "C", "H", "W"),
    ("N", "1", "H", "W"),
    ("N", "T", "D"),
    ("N", "D"),
    ("N", "1", "T"),
)
MOST_COMBINATIONS = 400


def candidates(names: Sequence[str]) -> Iterator[tuple[Spec, ...]]:
    """Tuples of specs for the parameters of these names, likely ones first."""
    match len(names):
        case 0:
            yield ()
        case 1:
            yield from ((Spec(shape, kind),) for shape, kind in _preferred_singles(names[0]))
        case 2:
            yield from _pairs(names)
        case _:
            yield from _many(names)
            yield from itertools.islice(_products(names), MOST_COMBINATIONS)


def _preferred_singles(name: str) -> list[tuple[tuple[str, ...], str]]:
    singles: list[tuple[tuple[str, ...], str]] = list(_SINGLES)
    if says(name, "image"):
        singles.sort(key=lambda each: each[1] != "image")
    return singles


def _pairs(names: Sequence[str]) -> Iterator[tuple[Spec, ...]]:
    first, second = names
    pairs = list(_PAIRS)
    roles = role_of(first), role_of(second)
    swapped = roles[0] == "target" and roles[1] == "prediction"
    if swapped:
        first, second = second, first
    alike = roles[0] == roles[1] == "prediction" and not says(second, "index")
    if says(first, "boxes") or says(second, "boxes"):
        pairs = [
            (("N", "4"), "boxes", ("N", "4"), "boxes"),
            (("2", "K", "4"), "boxes", ("2", "K", "4"), "boxes"),
            *pairs,
        ]
    elif says(first, "image") or says(second, "image"):
        pairs.sort(key=lambda pair: pair[1] != "image")
    elif says(first, "embedding") and (says(second, "index") or roles[1] == "target"):
        pairs = [(("N", "D"), "embedding", ("N",), "index"), *pairs]
    elif says(first, "probability"):
        pairs.sort(key=lambda pair: pair[1] not in ("probability", "simplex"))
    elif says(first, "log-probability"):
        pairs = [
            (("N", "C"), "log-probability", ("N",), "index"),
            (("N", "C", "H", "W"), "log-probability", ("N", "H", "W"), "index"),
            *pairs,
        ]
    elif alike:
        pairs.sort(key=lambda pair: pair[0] != pair[2] or pair[1] not in ("real", "image"))
    for shape, kind, other_shape, other_kind in pairs:
        specs = (Spec(shape, kind), Spec(other_shape, other_kind))
        yield specs[::-1] if swapped else specs


def _many(names: Sequence[str]) -> Iterator[tuple[Spec, ...]]:
    """Three and more: the first pair as usual, the others after their names."""
    pair = _leading_pair(names)
    for specs in _pairs([names[position] for position in pair]):
        lead = dict(zip(pair, specs, strict=True))
        prediction = next((s for p, s in lead.items() if role_of(names[p]) != "target"), specs[0])
        target = next((s for p, s in lead.items() if role_of(names[p]) == "target"), specs[1])
        others = [
            [lead[position]] if position in lead else _companions(name, prediction, target)
            for position, name in enumerate(names)
        ]
        yield from itertools.islice(itertools.product(*others), 12)


def _leading_pair(names: Sequence[str]) -> tuple[int, int]:
    predictions = [i for i, name in enumerate(names) if role_of(name) == "prediction"]
    targets = [i for i, name in enumerate(names) if role_of(name) == "target"]
    if predictions and targets:
        first, second = sorted((predictions[0], targets[0]))
        return first, second
    return 0, 1


def _companions(name: str, prediction: Spec, target: Spec) -> list[Spec]:
    """What a further argument can be beside a prediction and a target."""
    per_sample = Spec(("N",), "real")
    match role_of(name):
        case "mask":
            return [
                Spec(target.shape, "mask"),
                Spec(target.shape, "binary"),
                Spec(prediction.shape, "mask"),
                Spec(("N",), "mask"),
            ]
        case "weight":
            return [
                Spec(target.shape, "positive"),
                Spec(("N",), "positive"),
                Spec(("C",), "positive"),
                Spec(prediction.shape, "positive"),
                Spec((), "positive"),
            ]
        case "length":
            return [Spec(("N",), "length")]
        case "target":
            return [target, Spec(("N",), "index"), Spec(prediction.shape, "real"), Spec(("N",), "real")]
        case "prediction":
            return [prediction, Spec(prediction.shape, "real"), target, per_sample, Spec(("N", "D"), "real")]
        case _:
            return [
                prediction,
                target,
                per_sample,
                Spec(("N",), "index"),
                Spec(("C", "D"), "real"),
                Spec((), "positive"),
            ]


def _products(names: Sequence[str]) -> Iterator[tuple[Spec, ...]]:
    """The same rank for all, then every mixture, each with the kinds its name allows."""
    for shape in _BY_RANK:
        kinds = ["index" if role_of(n) == "target" else "positive" if role_of(n) == "weight" else "real" for n in names]
        yield tuple(Spec(shape, kind) for kind in kinds)
        yield tuple(Spec(shape, "real") for _ in names)
    shapes = [[Spec(shape, "real") for shape in _BY_RANK[:4]] + [Spec(("N",), "index")] for _ in names]
    yield from itertools.product(*shapes)
