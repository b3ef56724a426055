"""Python's own parser, without the warnings that it prints of other people's code."""

from __future__ import annotations

import ast
import warnings


def quietly_parsed(text: str | bytes) -> ast.Module:
    """The syntax tree of a text; raises what `ast.parse` raises: SyntaxError, ValueError, RecursionError or MemoryError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)
