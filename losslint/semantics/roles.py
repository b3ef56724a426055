"""What a parameter is for, as its name and annotation say; use corrects this later."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.literals import literal
from losslint.semantics.names import dotted
from losslint.semantics.sizes import Sizes
from losslint.semantics.values import Kind


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
    words_of = str(literal(text.value)).split()
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
