"""Settings whose absence changes what a loss is worth, and what documentation says of arguments that are not used."""

from __future__ import annotations

import re

from losslint.semantics.loss_names import words

_CHANGES_VALUE = frozenset(
    """mask masks weight weights weighted ignore reduction reduce reduced average eps epsilon smooth smoothing gamma alpha
    beta delta sigma margin margins temperature temp tau scale lambda lamda lambd lam coef coeff coefficient threshold
    thresh normalize normalise normalized penalty power exponent focal balanced clip""".split()
)
_SAYS_NOTHING = frozenset(
    """path file dir name names device dtype init decay pretrained verbose epoch epochs step steps size shape type mode key
    keys log logger func fn function map list dict cfg config factor""".split()
)


def changes_value(name: str) -> bool:
    """Whether a setting so named changes the loss: weight, ignore_index, gamma; not weights_path, weight_decay."""
    parts = words(name)
    return bool(_CHANGES_VALUE & set(parts)) and not (_SAYS_NOTHING - {"size"}) & set(parts)


_UNUSED = re.compile(
    r"unused|not used|isn't used|is ignored|are ignored|ignored\b|no effect|compat|deprecated|reserved|placeholder|dummy"
    r"|for (?:the )?(?:api|interface)|not supported|not implemented",
    re.IGNORECASE,
)


def says_unused(text: str, name: str) -> bool:
    """Whether a text says of an argument that nothing is done with it: its own line, or the next two."""
    lines = text.splitlines()
    for position, line in enumerate(lines):
        if re.search(rf"\b{re.escape(name)}\b", line) and _UNUSED.search(" ".join(lines[position : position + 3])):
            return True
    return False
