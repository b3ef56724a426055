"""The sound losses: files taken apart, so that each holds one loss and what it needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pairs import PAIRS, pairs

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Original:
    """A loss in a file of its own. `name` is that of the file, `file` where the loss is in the repository."""

    name: str
    file: str
    text: str


def originals(with_pairs: bool) -> list[Original]:
    """All sound losses. Of the pairs none that is held out."""
    paths = [*(ROOT / "fixtures" / "losses").glob("*.py"), *(Path(__file__).parent / "sound").glob("*.py")]
    if with_pairs:
        paths += [PAIRS / each.slug / "fixed.py" for each in pairs() if not each.is_held_out]
    found = []
    for path in sorted(paths):
        stem = path.parent.name if path.name == "fixed.py" else path.stem
        for symbol, text in taken_apart(path.read_text()):
            found.append(Original(f"{stem}_{symbol}", path.relative_to(ROOT).as_posix(), text))
    return found


def taken_apart(text: str) -> Iterator[tuple[str, str]]:
    """Each function and class that no other one of the file uses, with all that it uses."""
    tree = ast.parse(text)
    definitions = {each.name: each for each in tree.body if isinstance(each, (ast.FunctionDef, ast.ClassDef))}
    uses = {name: _names(node) & definitions.keys() - {name} for name, node in definitions.items()}
    used = set().union(*uses.values())
    for name in (each for each in definitions if each not in used):
        needed = {name}
        while more := set().union(*(uses[each] for each in needed)) - needed:
            needed |= more
        lines = text.splitlines(keepends=True)
        for other, node in definitions.items():
            if other not in needed:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                lines[first - 1 : node.end_lineno] = [""] * ((node.end_lineno or first) - first + 1)
        yield name, re.sub(r"\n{4,}", "\n\n\n", "".join(lines)).rstrip() + "\n"


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
