"""What a parameter is for, as its name and annotation say; use corrects this later."""

from __future__ import annotations

import re

import libcst as cst

from losslint.semantics.loss_names import words
from losslint.semantics.names import dotted
from losslint.semantics.sizes import Sizes
from losslint.semantics.values import Kind, Role

_TARGET = frozenset(
    [
        "target",
        "targets",
        "label",
        "labels",
        "gt",
        "gts",
        "truth",
        "true",
        "y",
        "groundtruth",
        "onehot",
        "reference",
        "ref",
        "teacher",
        "tgt",
        "trg",
        "t_true",
        "y_true",
        "ytrue",
    ]
)
_PREDICTION = frozenset(
    [
        "pred",
        "preds",
        "prediction",
        "predictions",
        "predicted",
        "yhat",
        "output",
        "outputs",
        "out",
        "logit",
        "logits",
        "input",
        "inputs",
        "score",
        "scores",
        "prob",
        "probs",
        "proba",
        "probability",
        "probabilities",
        "recon",
        "reconstruction",
        "reconstructed",
        "anchor",
        "anchors",
        "embedding",
        "embeddings",
        "emb",
        "embeds",
        "student",
        "mu",
        "logvar",
        "hat",
        "estimate",
        "estimated",
        "est",
        "positive",
        "negative",
        "pos",
        "neg",
        "query",
        "queries",
        "features",
        "feats",
        "feature",
        "feat",
        "generated",
        "fake",
        "ypred",
    ]
)
_MASK = frozenset(["mask", "masks", "valid", "padding", "pad"])
_WEIGHT = frozenset(["weight", "weights", "alpha", "gamma", "beta", "lambda", "coef", "coefficient"])
_PROBABILITY = frozenset(["p", "prob", "probs", "proba", "probability", "probabilities", "softmaxed"])


def role_by_name(name: str) -> Role:
    """The role a parameter's name suggests; masks and weights win over what they belong to (`target_mask`)."""
    parts = words(name)
    joined = "".join(parts)
    for role, vocabulary in (
        (Role.MASK, _MASK),
        (Role.WEIGHT, _WEIGHT),
        (Role.TARGET, _TARGET),
        (Role.PREDICTION, _PREDICTION),
    ):
        if joined in vocabulary or any(part in vocabulary for part in parts):
            if role is Role.TARGET and ("pred" in parts or "hat" in parts):
                continue
            return role
    if name in {"x", "z", "q", "k", "v"} or re.fullmatch(r"[xz]\d|[xz]_\w+", name):
        return Role.PREDICTION
    return Role.UNKNOWN


def says_probability(name: str) -> bool:
    """Whether a name says that its values are probabilities: `p`, `probs`, `pred_prob`; not `log_probs`."""
    parts = words(name)
    return not {"log", "logit", "logits", "logp"} & set(parts) and any(part in _PROBABILITY for part in parts)


def says_epsilon(name: str) -> bool:
    """Whether a name says that it is a small positive constant."""
    return bool({"eps", "epsilon", "smooth", "smoothing", "tiny", "delta"} & set(words(name)))


def kind_by_annotation(annotation: cst.Annotation | None) -> Kind:
    """The kind an annotation proves: Tensor, or a Python scalar, string, sequence or mapping."""
    if annotation is None:
        return Kind.UNKNOWN
    node = annotation.annotation
    if isinstance(node, cst.BinaryOperation):
        sides = [node.left, node.right]
        kinds = {
            kind_by_annotation(cst.Annotation(side))
            for side in sides
            if not (isinstance(side, cst.Name) and side.value == "None")
        }
        return kinds.pop() if len(kinds) == 1 else Kind.UNKNOWN
    if isinstance(node, cst.Subscript):
        head = (dotted(node.value) or "").rpartition(".")[2]
        if head == "Optional" and isinstance(node.slice[0].slice, cst.Index):
            return kind_by_annotation(cst.Annotation(node.slice[0].slice.value))
        return _ANNOTATIONS.get(head, Kind.UNKNOWN)
    if isinstance(node, cst.SimpleString):
        text = node.raw_value
        return _ANNOTATIONS.get(text.rpartition(".")[2], Kind.UNKNOWN)
    return _ANNOTATIONS.get((dotted(node) or "").rpartition(".")[2], Kind.UNKNOWN)


def annotated_sizes(annotation: cst.Annotation | None) -> Sizes | None:
    """The shape in `Float[Tensor, "batch 3"]`, its names as symbols; None where there is none, or one of unknown rank."""
    node = None if annotation is None else annotation.annotation
    if not isinstance(node, cst.Subscript) or len(node.slice) != 2:
        return None
    head = (dotted(node.value) or "").rpartition(".")[2]
    text = node.slice[1].slice
    if _ANNOTATIONS.get(head) is not Kind.TENSOR or not isinstance(text, cst.Index):
        return None
    if not isinstance(text.value, cst.SimpleString):
        return None
    words_of = str(text.value.evaluated_value).split()
    if any(word.startswith(("*", "...")) for word in words_of):
        return None
    return tuple(
        int(word) if word.isdecimal() else f"'{word}'" if word.isidentifier() and word[0] != "_" else ""
        for word in words_of
    )


_ANNOTATIONS = {
    "Tensor": Kind.TENSOR,
    "FloatTensor": Kind.TENSOR,
    "LongTensor": Kind.TENSOR,
    "BoolTensor": Kind.TENSOR,
    "Float": Kind.TENSOR,
    "Int": Kind.TENSOR,
    "Bool": Kind.TENSOR,
    "int": Kind.NUMBER,
    "float": Kind.NUMBER,
    "bool": Kind.BOOL,
    "str": Kind.STR,
    "list": Kind.SEQUENCE,
    "List": Kind.SEQUENCE,
    "tuple": Kind.SEQUENCE,
    "Tuple": Kind.SEQUENCE,
    "Sequence": Kind.SEQUENCE,
    "Iterable": Kind.SEQUENCE,
    "dict": Kind.MAPPING,
    "Dict": Kind.MAPPING,
    "Mapping": Kind.MAPPING,
    "Module": Kind.MODULE,
    "Callable": Kind.FUNCTION,
}
