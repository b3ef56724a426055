"""What a docstring says of each parameter: Google and numpy blocks, reST fields, and the bullets of a Shape section."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

_SHAPES = frozenset("shape shapes".split())
_OTHERS = frozenset(
    "returns return example examples note notes raises yields reference references attributes see also warning "
    "output outputs usage todo math".split()
)
_HEADER = re.compile(r"^([ \t]*)([A-Z][A-Za-z]*)( [A-Za-z]+)?\s*:{1,2}\s*$")
_UNDERLINED = re.compile(r"^[ \t]*-{3,}[ \t]*$")
_ENTRY = re.compile(
    r"^(?:[-*•]\s*)?`{0,2}\*{0,2}(\w+(?:\s*(?:,|/|and)\s*\w+)*)`{0,2}\*{0,2}\s*(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\))?\s*:\s*(.*)$"
)
_REST = re.compile(r"^[ \t]*:param\s+(?:[\w.\[\], ]+\s+)?(\w+)\s*:\s*(.*)$")
_PREDICTIONS = (
    "input inputs pred preds prediction predictions y_pred ypred logits output outputs x img1 input1 x1 anchor".split()
)
_TARGETS = "target targets labels label y_true ytrue y gt ground_truth img2 input2 x2".split()


def entries(docstring: str, parameters: Sequence[str]) -> dict[str, str]:
    """The text that a docstring has for each parameter, as far as it can be told."""
    found: dict[str, list[str]] = {}
    for name, text in _told(docstring):
        parameter = _parameter(name, parameters)
        if parameter is not None:
            found.setdefault(parameter, []).append(text)
    return {name: "\n".join(texts) for name, texts in found.items()}


def _told(docstring: str) -> Iterator[tuple[str, str]]:
    """Names and texts, section after section."""
    for title, lines in _sections(docstring):
        if title in _OTHERS:
            continue
        yield from _of_section(lines, title in _SHAPES)


def _sections(docstring: str) -> Iterator[tuple[str, list[str]]]:
    title, lines = "", list[str]()
    raw = docstring.expandtabs(4).splitlines()
    skip = False
    for number, line in enumerate(raw):
        if skip:
            skip = False
            continue
        header = _HEADER.match(line)
        following = raw[number + 1] if number + 1 < len(raw) else ""
        if header is not None or (_UNDERLINED.match(following) and line.strip()):
            yield title, lines
            words = (header.group(2) if header is not None else line.split()[0]).lower()
            title, lines = words, []
            skip = header is None
        else:
            lines.append(line)
    yield title, lines


def _of_section(lines: list[str], is_shape: bool) -> Iterator[tuple[str, str]]:
    """Entries, each with the more indented lines that follow it."""
    current: tuple[str, list[str], int] | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        rest = _REST.match(line)
        entry = rest or _ENTRY.match(line.strip())
        if entry is not None and (rest or is_shape or current is None or indent <= current[2]):
            if current is not None:
                yield from _named(current)
            told = entry.group(2) if rest else f"{entry.group(2) or ''} {entry.group(3)}"
            current = (entry.group(1), [told], indent)
        elif current is not None and (indent > current[2] or not line.strip()):
            current[1].append(line.strip())
        elif current is not None:
            yield from _named(current)
            current = None
    if current is not None:
        yield from _named(current)


def _named(entry: tuple[str, list[str], int]) -> Iterator[tuple[str, str]]:
    """`img1, img2: ...` speaks of both."""
    for name in re.split(r"\s*(?:,|/|\band\b)\s*", entry[0]):
        yield name, " ".join(entry[1])


def _parameter(name: str, parameters: Sequence[str]) -> str | None:
    """The parameter that a name in a docstring means: itself, another spelling, or the one of that kind."""
    lowered = {each.lower().replace("_", ""): each for each in parameters}
    plain = name.lower().replace("_", "")
    if plain in lowered:
        return lowered[plain]
    for family in (_PREDICTIONS, _TARGETS):
        if name.lower() in family:
            found = [each for each in parameters if each.lower() in family]
            return found[0] if len(found) == 1 else None
    return None


def annotation_texts(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Annotations that hold a shape: `Float[Tensor, "n c"]`, `TensorType["N", "C"]`."""
    for name, text in annotations.items():
        if re.search(r"\[.*['\"]", text):
            yield name, text
