"""What the user's lines were given: which lines ran, and which operators there met a zero or left the finite numbers.

The parent says of a static finding that a run did not reproduce it only where the run came to that line and the
operator met what the finding fears.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .user_lines import current_line

_ZERO_AT = {
    "log": 0, "log2": 0, "log10": 0, "sqrt": 0, "rsqrt": 0, "reciprocal": 0, "div": 1, "div_": 1, "pow": 0,
    "linalg_vector_norm": 0, "norm": 0, "mean": -1, "std": -1, "var": -1,
}  # fmt: skip


class Observer:
    """Collects over many calls. `lines` are the lines that ran, `operators` what the watched ones met there."""

    def __init__(self, is_users: Callable[[str], bool]) -> None:
        self._is_users = is_users
        self.lines: dict[str, set[int]] = {}
        self.operators: dict[tuple[str, int, str], dict[str, Any]] = {}

    @contextmanager
    def watching(self, name: str) -> Iterator[None]:
        """While this holds, calls are observed; `name` is what the call is named after."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            with _Watch(self, name):
                yield
        finally:
            sys.settrace(before)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        filename = frame.f_code.co_filename
        if not self._is_users(filename):
            return None
        lines = self.lines.setdefault(filename, set())

        def on_line(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                lines.add(frame.f_lineno)
            return on_line

        return on_line

    def note(self, operator: str, operand: Any, name: str) -> None:
        """Note one call of an operator by the user's line it comes from."""
        line = current_line(self._is_users)
        if line is None:
            return
        key = (line["filename"], line["line"], operator)
        known = self.operators.setdefault(key, {"calls": 0, "zero_in": []})
        known["calls"] += 1
        if name not in known["zero_in"] and _has_zero(operand):
            known["zero_in"].append(name)

    def as_data(self) -> dict[str, Any]:
        """Ready for JSON."""
        operators = [
            {"filename": filename, "line": line, "operator": operator, **met}
            for (filename, line, operator), met in self.operators.items()
        ]
        return {"lines": {name: sorted(lines) for name, lines in self.lines.items()}, "operators": operators}


class _Watch(TorchDispatchMode):
    def __init__(self, observer: Observer, name: str) -> None:
        super().__init__()
        self._observer = observer
        self._name = name

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operator = func.overloadpacket.__name__
        position = _ZERO_AT.get(operator)
        if position is not None:
            operand = args[position] if 0 <= position < len(args) else (args[0].numel() if args else None)
            self._observer.note(operator, operand, self._name)
        return func(*args, **(kwargs or {}))


def _has_zero(operand: Any) -> bool:
    if isinstance(operand, Tensor):
        return bool((operand.detach() == 0).any())
    return isinstance(operand, (int, float)) and not isinstance(operand, bool) and operand == 0
