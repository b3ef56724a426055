"""Settings whose absence changes what a loss is worth, and what documentation says of arguments that are not used."""

from __future__ import annotations

import re

import libcst as cst

from losslint.semantics.loss_names import words

_CHANGES_VALUE = frozenset(
    """mask masks weight weights weighted ignore reduction reduce reduced average eps epsilon smooth smoothing gamma alpha
    beta delta sigma margin margins temperature temp tau scale lambda lamda lambd lam coef coeff coefficient threshold
    thresh normalize normalise normalized penalty power exponent focal balanced clip sigmoid softmax interpolation""".split()
)
_CHANGES_NOTHING = frozenset(
    """path file dir name names device dtype init decay pretrained verbose epoch epochs step steps shape type mode key keys
    log logs logger logging func fn function map list dict cfg config debug vis visualize visualise plot print show save
    cache distributed ddp sync gather cuda gpu test deterministic inplace compile jit track profile strict copy lazy
    deprecated legacy""".split()
)
_WHOLE_NAMES = frozenset({"dim", "axis", "p", "ord"})


def changes_value(parameter: cst.Param) -> bool:
    """Whether a setting should change the loss: weight, ignore_index, gamma, a flag; not weights_path, verbose=False."""
    name = parameter.name.value
    parts = set(words(name))
    if parts & _CHANGES_NOTHING:
        return False
    is_flag = isinstance(parameter.default, cst.Name) and parameter.default.value in ("True", "False")
    return is_flag or name in _WHOLE_NAMES or bool(parts & _CHANGES_VALUE)


_UNUSED = re.compile(
    r"unused|not used|isn't used|is ignored|are ignored|ignored\b|no effect|compat|deprecated|reserved|placeholder|dummy"
    r"|for (?:the )?(?:api|interface)|not supported|not implemented",
    re.IGNORECASE,
)


def says_unused(text: str, name: str) -> bool:
    """Whether a text says of an argument that nothing is done with it: its own line, or the next two."""
    lines = text.splitlines()
    spelled = re.escape(name).replace("_", "[_ ]")  # "the ignore labels are not implemented" speaks of ignore_labels
    for position, line in enumerate(lines):
        if re.search(rf"\b{spelled}\b", line) and _UNUSED.search(" ".join(lines[position : position + 3])):
            return True
    return False
