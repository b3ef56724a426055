"""The shapes that a docstring gives the parameters of a loss: "`values` and returns are (B, 1)", "pred: shape (N, C)".

What the loss itself says nothing of may be documented where another function of the file makes it and returns it by that name.
A claim, not a proof: what is documented decides no test of a rank, and is kept apart from what the code shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import libcst as cst

from losslint.semantics.graph import Graph
from losslint.semantics.kept import kept_for_a_file, kept_with_unit
from losslint.semantics.names import Function, Unit
from losslint.semantics.sizes import Size, Sizes
from losslint.semantics.syntax_walk import nodes_of_kind

_ENTRY = r"(?:[A-Za-z_]\w*|\d+)"
_TUPLE = re.compile(rf"[(\[]\s*({_ENTRY}(?:\s*,\s*{_ENTRY})*)\s*(,?)\s*[)\]]")
_MENTION = re.compile(rf"(?<![\w.])[^\W\d]\w*(?![\w(]|\.\w)|{_TUPLE.pattern}")
_BATCH = re.compile(r"[A-Z]\w?|[bn]|bs|batch(?:_?size)?|(?:n|num)_\w+|N\w+", re.ASCII)
_TYPE = r"(?:\((?:[\w.\[\]| ]*(?:[Tt]ensor|array|[Ff]loat|[Ll]ong|[Ii]nt|[Bb]ool)[\w.\[\]| ]*)(?:,\s*optional)?\))?"
# What may stand between a name and its shape: a type, and few words of which none leads to something else.
_FILLER = re.compile(
    rf"[`*\s]*{_TYPE}[`*\s]*[:=,]?\s*"
    r"(?:(?!(?:against|versus|vs|to|with|than|from|by|for|into|per|and|or|by|after|before|times)\b)(?:[a-z]+|(?:torch\.)?Tensors?)[\s:=]+){0,5}[`*]*"
)
_SAYS_SHAPE = re.compile(rf"[`*\s]*{_TYPE}[^\n.()]{{0,80}}?\b(?:shape|size)s?\s*(?:is|are|of|:|=)?\s*`*", re.IGNORECASE)
_CONNECTOR = re.compile(r"[`*\s]*,?\s*(?:and|&)?[`*\s]*")
_EVERYTHING = re.compile(
    r"\b(?:everything|all)(?: of them| inputs| arguments| tensors)?\s+(?:is|are|has|have)\s+(?:shape )?$", re.IGNORECASE
)


def documented_sizes(graph: Graph) -> dict[int, Sizes]:
    """The documented shapes of a loss's parameters, by their keys; the names in them are symbols."""
    found: dict[int, Sizes] = {}
    names = {value.origin.label: value.key for value in graph.parameters if value.origin.name == "parameter"}
    for text in _docstrings(graph):
        for name, sizes in _shapes_in(text, tuple(names)).items():
            found.setdefault(names[name], sizes)
    if found:  # whoever says nothing of one input may rely on what is said where that is made
        for name, key in names.items():
            made = _where_made(graph, name) if key not in found else None
            if made is not None:
                found[key] = made
    return found


def _where_made(graph: Graph, name: str) -> Sizes | None:
    """The shape that the only other function of the file that returns something of this name gives it in its docstring."""
    makers = [each for each in _that_return(graph.unit, name) if each is not graph.function]
    text = makers[0].get_docstring() if len(makers) == 1 else None
    return _shapes_in(text, _returned(makers[0])).get(name) if text else None


@kept_with_unit
def _that_return(unit: Unit, name: str) -> tuple[Function, ...]:
    """The functions of a file that return something of this name."""
    return tuple(each for _, each in unit.functions_that_return(name) if name in _returned(each))


@kept_for_a_file
def _returned(function: Function) -> tuple[str, ...]:
    """The names that a function returns, by themselves or in a tuple."""
    returned = [node.value for node in nodes_of_kind(function, cst.Return)]
    parts = [part.value for each in returned if isinstance(each, cst.Tuple) for part in each.elements]
    return tuple(each.value for each in (*returned, *parts) if isinstance(each, cst.Name))


def _docstrings(graph: Graph) -> Iterable[str]:
    owner = graph.unit.classes.get(graph.owner)
    for node in (graph.function, owner):
        text = node.get_docstring() if node is not None else None
        if text:
            yield text


@kept_for_a_file
def _shapes_in(text: str, names: tuple[str, ...]) -> Mapping[str, Sizes]:
    return shapes_in(text, names)


def shapes_in(text: str, names: Iterable[str]) -> Mapping[str, Sizes]:
    """The one shape that a text gives each of these names; none where it gives several, or alternatives."""
    known = {written: name for name in names if name.isidentifier() for written in _written(name)}
    if not known or not any(map(_is_batch, _TUPLE.finditer(text))):
        return {}
    given: dict[str, set[Sizes | None]] = {}
    rest: Sizes | None = None
    group: list[str] = []
    end = 0
    for match in _MENTION.finditer(text):
        between = text[end : match.start()]
        if match[1] is None:
            name = known.get(match[0], "")
            if not name:
                continue
            group = [*group, name] if group and _CONNECTOR.fullmatch(between) else [name]
            end = match.end()
            continue
        if not _is_batch(match):
            continue
        sizes = _read(match[1], bool(match[2]), text[match.end() :])
        if sizes is not None and _EVERYTHING.search(text[: match.start()]):
            rest = sizes
        elif group and (_FILLER.fullmatch(between) or _SAYS_SHAPE.fullmatch(between)):
            for name in group:
                given.setdefault(name, set()).add(sizes)
            group = []
    found = {name: next(iter(shapes)) for name, shapes in given.items() if len(shapes) == 1}
    everything = {name: rest for name in known.values() if name not in given} if rest is not None else {}
    return {name: sizes for name, sizes in (everything | found).items() if sizes is not None}


def _is_batch(match: re.Match[str]) -> bool:
    """Whether sizes in brackets start with that of a batch: it is no type, range or corner of a box."""
    return bool(_BATCH.fullmatch(match[1].split(",")[0].strip()))


def _written(name: str) -> tuple[str, ...]:
    """A name, which may begin a sentence."""
    return (name, name[0].upper() + name[1:]) if name[0].islower() else (name,)


def _read(entries: str, has_comma: bool, after: str) -> Sizes | None:
    """(B, 1) as sizes; None for words in brackets, and for alternatives."""
    parts = [part.strip() for part in entries.split(",")]
    if re.match(r"[`\s]*(?:or\b|[/|])", after):
        return None
    if len(parts) == 1 and not has_comma and len(parts[0]) > 1 and "batch" not in parts[0]:
        return None
    return tuple(_size(part) for part in parts)


def _size(part: str) -> Size:
    return int(part) if part.isdecimal() else f"'{part}'"
