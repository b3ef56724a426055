"""What the name of a parameter says that it is for; use corrects this later."""

from __future__ import annotations

import re

from losslint.semantics.loss_names import words
from losslint.semantics.values import Role

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
_MADE = frozenset(["logit", "logits", "pred", "preds", "prediction", "predictions"])
_MASK = frozenset(["mask", "masks", "valid", "padding", "pad"])
_SELECTS = _MASK | frozenset("matched foreground fg keep kept selected visible observed positives".split())
_WEIGHT = frozenset(["weight", "weights", "alpha", "gamma", "beta", "lambda", "coef", "coefficient"])
_COUNTS = frozenset(["num", "n", "nb", "count", "number"])
_PROBABILITY = frozenset(["p", "prob", "probs", "proba", "probability", "probabilities", "softmaxed"])


def role_by_name(name: str) -> Role:
    """The role a parameter's name suggests; masks and weights win over what they belong to (`target_mask`)."""
    parts = words(name)
    joined = "".join(parts)
    if len(parts) > 1 and parts[0] in _COUNTS:
        return Role.UNKNOWN  # num_label_tokens says how many there are
    if parts and parts[-1] in _MADE:
        return Role.PREDICTION  # mask_logits are what the network says of a mask
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


def says_selection(name: str) -> bool:
    """Whether a name says that what it indexes with picks elements, and perhaps none: `valid`, `matched`, `fg_mask`."""
    return bool(_SELECTS & set(words(name)))


def says_epsilon(name: str) -> bool:
    """Whether a name says that it is a small positive constant."""
    return bool({"eps", "epsilon", "smooth", "smoothing", "tiny", "delta"} & set(words(name)))
