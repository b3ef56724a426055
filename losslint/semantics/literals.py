"""What literals stand for. libcst reads each by compiling it anew, which takes a tenth of a millisecond."""

from __future__ import annotations

import libcst as cst

from losslint.semantics.kept import kept_for_a_file


def literal(node: cst.Integer | cst.Float | cst.SimpleString) -> object:
    """The number, text or bytes of a literal."""
    return _text(node.value) if isinstance(node, cst.SimpleString) else number(node)


def number(node: cst.Integer | cst.Float) -> int | float:
    """The number of a literal."""
    return float(node.value) if isinstance(node, cst.Float) else int(node.value, 0)


def _text(written: str) -> object:
    quote = written[0]
    inner = written[1:-1]
    if quote in "'\"" and "\\" not in inner and quote not in inner and "\n" not in inner:
        return inner
    return _evaluated(written)


@kept_for_a_file
def _evaluated(written: str) -> object:
    return cst.SimpleString(written).evaluated_value
