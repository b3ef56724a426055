"""The device experiment in a process of its own, forked before autograd ran: the pretend GPU cannot be set up later."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from .case import Argument, Case
from .limits import die_with_parent
from .loading import first_line

SECONDS = 8.0
Rebuild = Callable[[str, tuple[Argument, ...], frozenset[str]], Case]


class DeviceProcess:
    """A process that waits for a case. The inputs are handed over as bytes, the loss as the text that constructs it."""

    def __init__(self, device: str, rebuild: Rebuild) -> None:
        """Fork the process; `rebuild` makes the case there. `device` is pretend or cuda."""
        take_case, self._give_case = os.pipe()
        self._take_answer, give_answer = os.pipe()
        self._started: float | None = None
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._give_case)
            os.close(self._take_answer)
            _serve(take_case, give_answer, device, rebuild)
        os.close(take_case)
        os.close(give_answer)

    def start(self, text: str, case: Case) -> None:
        """Hand the case over; it is measured while other experiments run."""
        self._started = time.monotonic()
        data = b""
        if text:
            with contextlib.suppress(pickle.PicklingError, TypeError, AttributeError):
                data = pickle.dumps((text, case.arguments, case.by_name))
        # The length goes first: what the loss forks holds the pipe open, so that its end may never come.
        with contextlib.suppress(OSError), os.fdopen(self._give_case, "wb") as pipe:
            pipe.write(len(data).to_bytes(8, "big") + data)

    def result(self) -> dict[str, Any]:
        """What it measured, once it is done; it is killed where it takes too long."""
        chunks: list[bytes] = []
        deadline = (self._started or time.monotonic()) + SECONDS
        while True:
            ready, _, _ = select.select([self._take_answer], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.end()
                return {"status": "unknown", "reason": f"it took longer than {SECONDS:g} s"}
            chunk = os.read(self._take_answer, 65536)
            if not chunk:
                break
            chunks.append(chunk)
        _, status = os.waitpid(self._pid, 0)
        os.close(self._take_answer)
        if not chunks:
            return {"status": "unknown", "reason": f"its process ended with status {os.waitstatus_to_exitcode(status)}"}
        answer: dict[str, Any] = json.loads(b"".join(chunks))
        return answer

    def end(self) -> None:
        """Kill the process, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _serve(take: int, give: int, device: str, rebuild: Rebuild) -> None:
    """The child's life; it never returns."""
    die_with_parent()
    answer: dict[str, Any] = {"status": "skipped", "reason": "the inputs cannot be handed to another process"}
    try:
        with os.fdopen(take, "rb") as pipe:
            data = pipe.read(int.from_bytes(pipe.read(8), "big"))
        if data:
            from .experiments.device import measure

            answer = measure(rebuild(*pickle.loads(data)), device)
    except BaseException as error:
        answer = {"status": "unknown", "reason": f"{type(error).__name__}: {first_line(error)}"}
    with contextlib.suppress(OSError), os.fdopen(give, "wb") as pipe:
        pipe.write(json.dumps(answer, default=str).encode())
    os._exit(0)
