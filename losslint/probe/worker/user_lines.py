"""Where in the user's own files something happens."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TypedDict


class Line(TypedDict):
    """A line of the user's code: absolute file name, 1-based line, function."""

    filename: str
    line: int
    function: str


def current_line(is_users: Callable[[str], bool]) -> Line | None:
    """The innermost frame of the running stack that is in a file of the user's."""
    frame = sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            return {
                "filename": frame.f_code.co_filename,
                "line": frame.f_lineno,
                "function": frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name,
            }
        frame = frame.f_back  # type: ignore[assignment]
    return None


def raised_at(error: BaseException, is_users: Callable[[str], bool]) -> Line | None:
    """The innermost frame of an exception's traceback that is in a file of the user's."""
    found: Line | None = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if is_users(code.co_filename):
            found = {"filename": code.co_filename, "line": trace.tb_lineno, "function": code.co_name}
        trace = trace.tb_next
    return found
