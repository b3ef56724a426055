"""What a docstring says of the thing it documents: that it is, or computes, a loss."""

from __future__ import annotations

import ast
import re

_LOSS = r"(?:loss(?:es)?|criterion)"
# What may stand between "computes" and "loss": adjectives and names, nothing that makes the loss a mere attribute.
_NO_OBJECT = (
    r"(?!(?:of|for|from|in|used|using|to|with|by|on|that|which|as|into|given|and|or|without|no|not|at|is|are)\b)"
)
_ADJECTIVES = rf"(?:{_NO_OBJECT}[^\s.:;()]+\s+(?:\([^)]*\)\s+)?)"
# What may follow: the end, a preposition or a synonym; not "loss weights", "loss history", "loss-based".
_AFTER = (
    r"(?=\s*$|\s*[.,:;(\[`*'\"]|\s+(?:functions?|modules?|layers?|terms?|values?|component|class|criterion|between|for|from"
    r"|of|on|as|with|using|in|described|proposed|introduced|presented|that|which|over|given|to|and|per|averaged|computed"
    r"|calculated|by|according|based|used|where|when|is|wrapper|implementation|via|defined|across|at)\b)"
)
_COMPUTES = re.compile(
    r"^(?:(?:this|the)\s+)?(?:(?:function|module|class|layer|method|criterion)\s+)?(?:(?:that|which|to|for)\s+)?"
    r"(?:comput|calculat|return|implement|evaluat|defin|measur|forward)\w*\s+"
    rf"(?:(?:the\s+)?(?:implementation|value|computation|calculation)\s+of\s+)?{_ADJECTIVES}{{0,8}}{_LOSS}\b{_AFTER}",
    re.IGNORECASE,
)
_IMPLEMENTATION = re.compile(
    rf"^(?:\w+\s+){{0,3}}(?:implementation|version|form|variant)\s+(?:of|for)\s+{_ADJECTIVES}{{0,8}}{_LOSS}\b{_AFTER}",
    re.IGNORECASE,
)
_MAKES = re.compile(
    rf"^(?:initiali[sz]|construct|creat|build|mak|instantiat)\w*\s+{_ADJECTIVES}{{0,6}}{_LOSS}\b{_AFTER}",
    re.IGNORECASE,
)
_CREATES = re.compile(r"^creates? a criterion\b", re.IGNORECASE)
_IS = re.compile(rf"^{_ADJECTIVES}{{0,6}}{_LOSS}\b{_AFTER}", re.IGNORECASE)
_NOT_NOUNS = re.compile(
    r"^(?:(?:avoid|prevent|reduce|minimi[sz]e|track|log|plot|print|scale|weigh|weight|wrap|aggregate|update|get|set|create"
    r"|build|make|use|add|store|record|return|reset|parse|check|help|handle|load|save|show|draw|run|take)s?"
    r"|when|if|whether|this|base|abstract|helper)\s",
    re.IGNORECASE,
)
_RETURNS = re.compile(
    r"(?:^|\n)\s*:?returns?:?\s*(?:\n\s*)?(?:[\w.\[\], ]*\([^)]*\):?\s*|[\w.]+:\s+)?"
    rf"{_ADJECTIVES}{{0,4}}{_LOSS}\b{_AFTER}",
    re.IGNORECASE,
)


def documented_as_loss(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the docstring opens with what makes it a loss or, for a function, says that a loss is returned."""
    text = (ast.get_docstring(node) or "").strip()
    if "loss" not in text.lower() and "criterion" not in text.lower():
        return False
    makes = isinstance(node, ast.ClassDef) or node.name == "__init__"
    # An opening line without a full stop runs into what follows, so it is read alone too.
    if any(_says_loss(sentence, makes) for sentence in {first_sentence(text), first_sentence(text.partition("\n")[0])}):
        return True
    return not isinstance(node, ast.ClassDef) and _RETURNS.search(text) is not None


def _says_loss(sentence: str, makes: bool) -> bool:
    if _COMPUTES.match(sentence) or _IMPLEMENTATION.match(sentence) or _CREATES.match(sentence):
        return True
    if makes and _MAKES.match(sentence):
        return True
    return _IS.match(sentence) is not None and not _NOT_NOUNS.match(sentence)


def first_sentence(text: str) -> str:
    """The text up to the first full stop or empty line, on one line and without markup."""
    sentence = re.split(r"\.(?:\s|$)|\n\s*\n", text, maxsplit=1)[0]
    return re.sub(r"\s+", " ", re.sub(r"[`*_]{1,2}|:\w+:", " ", sentence)).strip()
