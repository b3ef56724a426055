"""Lints a text the way `losslint check` does, for tests that look at findings."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from losslint import registry
from losslint.diagnostic import Diagnostic
from losslint.library import Library
from losslint.linter import lint_source
from losslint.rule import Rule
from losslint.semantics.losses import find_losses
from losslint.semantics.project import Project
from losslint.source import parse_ast, source_from_bytes


@lru_cache(maxsize=1)
def every_rule() -> tuple[Rule, ...]:
    """All built-in rules, preview ones included."""
    return registry.load(registry.select(["ALL"], [], [], True))


def linted(text: str | bytes, path: Path = Path("sample.py"), root: Path | None = None) -> tuple[Diagnostic, ...]:
    """The diagnostics of a text, by all rules, without suppression."""
    return linted_losses(text, path, root)[0]


def linted_losses(text: str | bytes, path: Path, root: Path | None) -> tuple[tuple[Diagnostic, ...], int]:
    """The diagnostics of a text, and how many losses it holds."""
    data = text.encode() if isinstance(text, str) else text
    source = source_from_bytes(data, str(path))
    assert not isinstance(source, Diagnostic), source
    tree = parse_ast(source)
    assert not isinstance(tree, Diagnostic), tree
    project = Project((root,) if root is not None else ())
    losses = find_losses(tree, path, project, ())
    return lint_source(source, losses, every_rule(), Library(project)).diagnostics, len(losses)


def codes(text: str) -> list[str]:
    """The codes of the warnings and errors found in a text, in source order."""
    return [each.code for each in linted(text) if each.severity.value != "info"]
