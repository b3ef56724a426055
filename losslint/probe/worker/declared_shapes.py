"""What docstrings and annotations say of the tensors a loss takes: shapes, dtypes, and what the numbers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .docstring_entries import annotation_texts, entries

_LIST = r"[A-Za-z0-9_*.…]+(?:\s*[,;]\s*[A-Za-z0-9_*.…\s]+)*,?"
_BRACKETED = re.compile(rf"(?:\(|(?<!\w)\[)\s*({_LIST})\s*[)\]]")
_TIMES = re.compile(r"(?<![\w(])([A-Z]\w*(?:\s*[x×]\s*[A-Z0-9]\w*)+)(?!\w)")
_COMPACT = re.compile(r"(?<![\w\[])([BN][BNCKD1]?(?:HW|WH|DHW|HWD|THW|TC|T|L))(?:\[[A-Z]\])?(?!\w)")
_ANNOUNCED = re.compile(r"shape|\bsizes?\b|dimension|tensor|:math:|\bof\b", re.IGNORECASE)
_NAMES = {
    "n": "N", "b": "N", "bs": "N", "batch": "N", "batch_size": "N", "batchsize": "N", "bsz": "N", "nbatch": "N", "num_samples": "N",
    "c": "C", "n_classes": "C", "num_classes": "C", "classes": "C", "nclasses": "C", "number_of_classes": "C", "nb_classes": "C",
    "d": "D", "dim": "D", "embedding": "D", "embedding_size": "D", "embedding_dim": "D", "features": "D", "feature_dim": "D",
    "emb_dim": "D", "hidden": "D", "feat_dim": "D", "f": "D", "e": "D",
    "h": "H", "height": "H", "w": "W", "width": "W", "t": "T", "l": "T", "s": "T", "length": "T", "seq_len": "T", "time": "T",
    "samples": "T", "seq": "T", "frames": "T", "sequence_length": "T", "k": "K", "z": "Z", "depth": "Z", "channels": "3",
    "channel": "3", "chs": "1", "num_channels": "3",
}  # fmt: skip
_ANY = ("*", "...", "…")
_RANGE_WORDS = re.compile(
    r"\b(range|interval|between|in|from|value|values|in range of)\s*(the\s*)?(:math:)?`?\s*$", re.IGNORECASE
)
_KINDS = (
    ("log-probability", r"log[- ]?prob|log[- ]?softmax|log[- ]likelihood"),
    ("logits", r"\blogits?\b|unnormali[sz]ed|raw (score|output|prediction)|before (the )?(softmax|sigmoid|activation)"),
    ("signs", r"-1 (or|and) \+?1|\{-1, ?\+?1\}|\+1 or -1|1 or -1"),
    (
        "index",
        r"class ind(ex|ices)|integer|\blong\b|targets?\[?i?\]?\s*(≤|<=|\\leq?)|each value is.{0,30}(≤|<=|<)|class labels?|"
        r"label (tensor|ids?)|labels? tensor|ground[- ]truth labels|0\s*(≤|<=|\\leq?)|category",
    ),
    ("binary", r"\bbinary\b|one[- ]?hot|\b0 (or|and) 1\b|\{0, ?1\}"),
    ("probability", r"probabilit|after (a |the )?(softmax|sigmoid)|\[0, ?1\]|\(0, ?1\)|between 0 and 1|activated"),
    ("boxes", r"\bb?box(es)?\b|\bxyxy\b"),
    ("image", r"\bimages?\b"),
    ("embedding", r"embedding|feature vector"),
    ("positive", r"\bpositive (number|value|float)|variance|\bstd\b|standard deviation"),
)  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """What is said of one parameter.

    `shapes` are alternatives, each a tuple of dimension names or numbers, `*` for any number of further ones; `dtype` is
    float, int, bool or None; `kind` what the numbers mean (see `case.Argument`), or None.
    """

    name: str
    shapes: tuple[tuple[str, ...], ...]
    dtype: str | None
    kind: str | None


def declared(
    parameters: Sequence[str], docstrings: Sequence[str], annotations: Mapping[str, str]
) -> tuple[Declared, ...]:
    """What is known of each parameter, earlier docstrings first; those nothing is said of are left out."""
    texts: dict[str, str] = {}
    for docstring in docstrings:
        for name, text in entries(docstring, parameters).items():
            texts[name] = f"{texts[name]}\n{text}" if name in texts else text
    said = {name: _read(name, text) for name, text in texts.items()}
    for name, text in annotation_texts(annotations):
        if name in parameters:
            said[name] = _of_annotation(name, text, said.get(name))
    for name, text in texts.items():
        if not said[name].shapes:
            said[name] = _like_another(said[name], text, said, parameters)
    for name, annotation in annotations.items():
        dtype = _dtype(annotation)
        if dtype is not None and name in parameters:
            known = said.get(name, Declared(name, (), None, None))
            said[name] = Declared(name, known.shapes, dtype, known.kind or ("mask" if dtype == "bool" else None))
    return tuple(each for name in parameters if (each := said.get(name)) and (each.shapes or each.dtype or each.kind))


def _read(name: str, text: str) -> Declared:
    plain = _without_latex(text)
    return Declared(name, _shapes(plain), _dtype(plain), _kind(plain))


def _without_latex(text: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|mathbb)\{([^}]*)\}", r"\1", text)
    return text.replace(r"\times", "x").replace(r"\ldots", "...").replace(r"\dots", "...").replace("\\*", "*")


def _shapes(text: str) -> tuple[tuple[str, ...], ...]:
    """The shapes that a text gives, in order."""
    found: list[tuple[str, ...]] = []
    for match in _BRACKETED.finditer(text):
        before = text[max(0, match.start() - 60) : match.start()]
        dims = _dims(match.group(1))
        if dims is not None and _is_shape(dims, before, match.group(1)):
            found.append(dims)
    for match in _TIMES.finditer(text):
        dims = _dims(re.sub(r"\s*[x×]\s*", ",", match.group(1)))
        if dims is not None:
            found.append(dims)
    for match in _COMPACT.finditer(text):
        dims = _dims(",".join(match.group(1)))
        if dims is not None and len(dims) > 2:
            found.append(dims)
    return tuple(dict.fromkeys(found))[:3]


def _dims(text: str) -> tuple[str, ...] | None:
    dims: list[str] = []
    parts = re.split(r"\s*[,;]\s*", text.strip().rstrip(","))
    batch = {part.strip().lower() for part in parts} & {"b", "batch", "batch_size"}
    for part in parts:
        word = part.strip().strip("`'\"")
        if word in _ANY:
            if "*" not in dims:
                dims.append("*")
            continue
        lowered = re.sub(r"\s+", "_", word.lower())
        if lowered == "n" and batch:
            dims.append("K")  # beside a B it is no batch
        elif lowered in _NAMES:
            dims.append(_NAMES[lowered])
        elif re.fullmatch(r"\d+", word):
            dims.append(word)
        elif re.fullmatch(r"[A-Za-z]\w{0,20}", word):
            dims.append("*" if re.fullmatch(r"d_?\d|d_?[kn]", lowered) and "*" not in dims else word.upper())
        else:
            return None
    # `(N, d_1, ..., d_K)` has one rest, not three.
    while "*" in dims and len(dims) > dims.index("*") + 1 and re.fullmatch(r"D_?\w", dims[-1]):
        dims.pop()
    return tuple(dims) if len(dims) <= 6 else None


def _is_shape(dims: tuple[str, ...], before: str, written: str) -> bool:
    """Whether brackets hold sizes: not a range, not a default, not a remark."""
    if all(dim.isdigit() for dim in dims):
        return False
    known = [dim for dim in dims if dim in _NAMES.values() or dim == "*" or dim.isdigit()]
    if _RANGE_WORDS.search(before):
        return "shape" in before.lower() and bool(known)
    if len(known) < len(dims):
        # `(sum, mean)`, `(int, optional)`, `(default)`: other words need a word that announces a shape right before.
        capitals = all(part.strip().isupper() or part.strip() in _ANY for part in re.split(r"[,;]", written))
        return bool(re.search(r"(shape|size)\D{0,12}$", before, re.IGNORECASE)) or (capitals and bool(known))
    return bool(_ANNOUNCED.search(before)) or len(dims) > 1 or before.strip() == "" or before.rstrip().endswith("`")


def _dtype(text: str) -> str | None:
    if re.search(r"BoolTensor|torch\.bool|\bBool\[|boolean", text):
        return "bool"
    if re.search(r"LongTensor|IntTensor|torch\.(long|int)|\bInt\[|\bInteger\[|\blong\b|\bint64\b", text):
        return "int"
    if re.search(r"FloatTensor|torch\.float|\bFloat\[|float32", text):
        return "float"
    return None


def _kind(text: str) -> str | None:
    lowered = text.lower()
    return next((kind for kind, pattern in _KINDS if re.search(pattern, lowered)), None)


def _of_annotation(name: str, text: str, known: Declared | None) -> Declared:
    quoted = re.findall(r"['\"]([^'\"]*)['\"]", text)
    written = quoted[0] if len(quoted) == 1 else ",".join(quoted)
    dims = _dims(",".join(written.replace("...", "*").split()) if len(quoted) == 1 else written)
    shapes = (dims,) if dims else ()
    return Declared(name, shapes, _dtype(text), known.kind if known else None)


def _like_another(each: Declared, text: str, said: Mapping[str, Declared], parameters: Sequence[str]) -> Declared:
    """ "The same shape as `pred`" copies the shape."""
    if not re.search(r"same (shape|size|dimension)|similar shape|(shape|size) (as|of) ", text, re.IGNORECASE):
        return each
    after = re.split(r"same|similar|shape as|size as", text, maxsplit=1, flags=re.IGNORECASE)[-1].lower()
    named = [name for name in parameters if name != each.name and re.search(rf"\b{re.escape(name.lower())}\b", after)]
    others = named or [name for name, other in said.items() if other.shapes and name != each.name]
    source = next((said[name] for name in others if name in said and said[name].shapes), None)
    return Declared(each.name, source.shapes, each.dtype, each.kind) if source is not None else each
