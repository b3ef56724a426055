"""What a parameter is for and what its numbers mean, as far as its name and annotation tell."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_TARGET = {
    "target", "targets", "label", "labels", "gt", "gts", "truth", "true", "groundtruth", "reference", "ref", "onehot",
    "teacher", "tgt", "trg", "y", "real", "clean", "actual", "classes", "class",
}  # fmt: skip
_MASK = {"mask", "masks", "valid", "validity", "padding", "ignore"}
_WEIGHT = {"weight", "weights"}
_LENGTH = {"length", "lengths", "len", "lens"}
_PREDICTION = {
    "pred", "preds", "prediction", "predictions", "predicted", "hat", "output", "outputs", "out", "logit", "logits", "input",
    "inputs", "score", "scores", "prob", "probs", "proba", "probability", "probabilities", "recon", "reconstruction", "x",
    "anchor", "anchors", "embedding", "embeddings", "emb", "embeds", "student", "mu", "mean", "logvar", "sigma", "estimate",
    "estimated", "est", "positive", "negative", "pos", "neg", "query", "key", "keys", "features", "feature", "feat", "feats",
    "z", "img", "image", "images", "fake", "generated", "source", "src", "first", "second", "a", "b", "p", "q", "theta",
    "activations", "activation", "disparity", "idepth", "depth", "flow", "audio", "wave", "signal", "sample", "samples",
    "points", "pc", "boxes", "bbox", "bboxes", "xs", "x1", "x2",
}  # fmt: skip
_PROBABILITY = {"prob", "probs", "proba", "probability", "probabilities"}
_EMBEDDING = {
    "embedding", "embeddings", "emb", "embeds", "anchor", "anchors", "positive", "negative", "pos", "neg", "query", "key",
    "keys", "feature", "features", "feat", "feats", "z", "z1", "z2",
}  # fmt: skip
_IMAGE = {"img", "image", "images", "img1", "img2", "photo", "frame", "disparity", "idepth"}
_BOXES = {"box", "boxes", "bbox", "bboxes", "boxes1", "boxes2", "xyxy"}
_AUDIO = {"audio", "wave", "waveform", "signal", "speech", "wav"}
_NOT_TENSOR = {
    "reduction", "eps", "epsilon", "gamma", "alpha", "beta", "margin", "temperature", "tau", "smooth", "smoothing", "size",
    "average", "axis", "dim", "dims", "index", "threshold", "power", "num", "n", "name", "mode", "from", "window", "kernel",
    "iters", "iterations", "max", "min", "type", "sigma", "normalized", "reduced", "per", "delta", "scale", "epoch", "step",
}  # fmt: skip


def words(name: str) -> tuple[str, ...]:
    """The words of a snake or camel case name, in lower case."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def role_of(name: str) -> str:
    """prediction, target, mask, weight, length or other."""
    parts = words(name)
    found = set(parts)
    if found & _LENGTH:
        return "length"
    if parts and parts[-1] in _MASK:
        return "mask"
    if parts and parts[-1] in _WEIGHT:
        return "weight"
    if "hat" in found or (found & {"pred", "preds", "prediction", "predictions", "predicted", "logits"}):
        return "prediction"
    if found & _TARGET or name == "t":
        return "target"
    if found & _PREDICTION or re.fullmatch(r"(x|img|im|out|z|view)_?\d", name.lower()):
        return "prediction"
    return "other"


def is_tensor_like(name: str, annotation: str) -> bool:
    """Whether a parameter seems to want a tensor (or a container of them), by its annotation, else by its name."""
    if annotation:
        if re.search(r"Tensor|Float\[|Int\[|Bool\[|Shaped\[", annotation):
            return True
        if re.fullmatch(r"\s*(Optional\[)?(bool|int|float|str)\b.*", annotation):
            return False
    parts = words(name)
    if re.fullmatch(r"t_?\d|k|lr|eta|num_\w+|n_\w+|use_\w+|\w+_fn", name.lower()):
        return False
    if role_of(name) in ("prediction", "target", "mask", "weight", "length") and not (
        parts and parts[0] in _NOT_TENSOR
    ):
        return parts[-1:] != ("index",)
    return not set(parts) & _NOT_TENSOR


def says(name: str, kind: str) -> bool:
    """Whether a name speaks of probabilities, logits, embeddings, images, boxes or audio."""
    found = set(words(name)) | {name.lower()}
    table = {
        "probability": _PROBABILITY,
        "logits": {"logit", "logits"},
        "embedding": _EMBEDDING,
        "image": _IMAGE,
        "audio": _AUDIO,
        "boxes": _BOXES,
        "index": {"label", "labels", "index", "indices", "idx", "classes"},
        "log-probability": {"logp", "lprobs", "logprobs"},
    }
    if kind == "log-probability" and "log" in found and found & (_PROBABILITY | {"p"}):
        return True
    if kind == "probability" and "log" in found:
        return False
    return bool(found & table[kind])
