"""A forked process that runs one loss, seen from the process that imported its module."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .limits import die_with_parent, end_group, limit
from .loading import first_line
from .probing import probe
from .request import Request, Target, sender

_KEPT_OUTPUT = 2000


class Child:
    """One loss in its own process and process group. Its parts come over one pipe, what the user's code prints over another."""

    def __init__(self, target: Target, module: ModuleType, request: Request) -> None:
        self.target = target
        self.parts: dict[str, Any] = {}
        self.output = b""
        self._pending = b""
        self._request = request
        self.deadline = time.monotonic() + request.loss_seconds
        self.started = time.monotonic()
        take, give = os.pipe()
        take_output, give_output = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(take)
            os.close(take_output)
            _live(target, module, request, give, give_output)
        os.close(give)
        os.close(give_output)
        self.pipes: dict[int, Callable[[bytes], None]] = {take: self._take_parts, take_output: self._take_output}

    def read(self, descriptor: int) -> None:
        """Take what a pipe holds; a pipe that has ended is closed and left out."""
        data = os.read(descriptor, 1 << 16)
        if data:
            self.pipes[descriptor](data)
        else:
            os.close(descriptor)
            del self.pipes[descriptor]

    def _take_parts(self, data: bytes) -> None:
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                self.parts.update(json.loads(line))

    def _take_output(self, data: bytes) -> None:
        # What is printed without end is read and forgotten, so that the pipe never blocks the loss.
        if len(self.output) < _KEPT_OUTPUT:
            self.output = (self.output + data)[:_KEPT_OUTPUT]

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() > self.deadline

    @property
    def has_ended(self) -> bool:
        """Whether the process itself is gone; what it forked may still hold the pipes."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def finish(self) -> dict[str, Any]:
        """End the process and all it started; its parts with the final status."""
        late = not self.has_ended and self.is_late
        if late:
            end_group(self.pid)
        _, status = os.waitpid(self.pid, 0)
        end_group(self.pid)
        self._drain()
        code = os.waitstatus_to_exitcode(status)
        found = {"status": "crashed", **self.parts}
        if late:
            found |= {"status": "timeout", "reason": f"not done after {self._request.loss_seconds:g} s: killed"}
        elif code != 0 or not (found.get("complete") or found["status"] in ("not-constructed", "no-inputs", "crashed")):
            found |= {"status": "crashed", "reason": _crash(code)}
        elif found["status"] == "crashed" and "reason" not in found:
            found["reason"] = _crash(code)
        found["output"] = self.output.decode("utf-8", "replace")
        found["seconds"] = round(time.monotonic() - self.started, 3)
        return found

    def _drain(self) -> None:
        """Take what is left in the pipes, without waiting for others that hold them."""
        for descriptor in list(self.pipes):
            os.set_blocking(descriptor, False)
            with contextlib.suppress(BlockingIOError):
                while descriptor in self.pipes and len(self.output) < _KEPT_OUTPUT:
                    self.read(descriptor)
            if descriptor in self.pipes:
                os.close(descriptor)
        self.pipes.clear()


def _crash(code: int) -> str:
    if code >= 0:
        return f"the process was ended from inside with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the process was killed by {name}"


def _live(target: Target, module: ModuleType, request: Request, give: int, give_output: int) -> None:
    """The forked process; it never returns."""
    os.setpgid(0, 0)
    die_with_parent()
    os.dup2(give_output, 1)
    os.dup2(give_output, 2)
    for stream, descriptor in (("stdout", 1), ("stderr", 2)):
        setattr(sys, stream, os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", closefd=False))
    run_guarded(target, module, request, sender(give))
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def run_guarded(target: Target, module: ModuleType, request: Request, emit: Callable[[dict[str, Any]], None]) -> None:
    """Run a loss within its limits; whatever it raises becomes a status."""
    limit(request.memory_bytes, request.loss_seconds * 2)
    try:
        probe(target, module, request, emit)
    except MemoryError:
        emit({"status": "crashed", "reason": f"it needs more than {request.memory_bytes / 2**30:.1f} GiB of memory"})
    except SystemExit as error:
        emit({"status": "crashed", "reason": f"it ends the program (sys.exit({error.code!r}))"})
    except BaseException as error:
        emit({"status": "crashed", "reason": f"{type(error).__name__}: {first_line(error)}"})
