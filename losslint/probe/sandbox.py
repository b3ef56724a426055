"""Starting the worker in the chosen Python, and hearing what it says. The worker is a folder that is run by its path."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parent / "worker"
PROTOCOL = 1


class NoWorker(Exception):
    """The worker cannot run: which Python, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a loss may take: `loss` and `importing` in seconds, `memory` in bytes beyond what the process has, `jobs` at a
    time."""

    loss: float = 30.0
    importing: float = 60.0
    memory: int = 4 * 2**30
    jobs: int = 2


def default_limits() -> Limits:
    """Two losses at a time, or one on a machine with one core."""
    return Limits(jobs=max(1, min(4, os.cpu_count() or 1)))


def choose_python(given: str | None, root: Path) -> str:
    """`--python`, else the project's .venv, else the one losslint runs in. Raises NoWorker if the one given is not there."""
    if given is not None:
        found = _executable(Path(given))
        if found is None:
            raise NoWorker(f"--python {given}: there is no such program, and no environment in that folder")
        return found
    return _executable(root / ".venv") or sys.executable


def _executable(path: Path) -> str | None:
    inside = (path / "bin" / "python", path / "Scripts" / "python.exe")
    for candidate in inside if path.is_dir() else (path,):
        if candidate.is_file():
            # Not resolved: the link in an environment is what makes it that environment.
            return str(candidate.absolute())
    return None


def run_worker(
    python: str, targets: Sequence[Mapping[str, Any]], options: Mapping[str, Any], limits: Limits
) -> Iterator[dict[str, Any]]:
    """Events of a run: `ready`, then a result for each target (`id`, `measurements`), as they come.

    Raises NoWorker where the Python cannot be started or has no torch. The worker and all it started end with the iterator.
    """
    request = {
        "targets": list(targets),
        "fork": hasattr(os, "fork"),
        "import_seconds": limits.importing,
        "loss_seconds": limits.loss,
        "memory_bytes": limits.memory,
        "jobs": limits.jobs,
        **options,
    }
    process = _started(python)
    complaints: list[bytes] = []
    try:
        drain = threading.Thread(target=lambda: complaints.append(_all(process.stderr)), daemon=True)
        drain.start()
        lines = _lines_of(process, json.dumps(request).encode())
        allowed = limits.importing + limits.loss + 120
        ready = done = False
        while (line := _next(lines, allowed)) is not None:
            event = json.loads(line)
            ready = ready or event.get("event") == "ready"
            done = done or event.get("event") == "done"
            yield event
        process.wait(timeout=10)
        drain.join(timeout=5)
        if not ready:
            raise NoWorker(_why_not(python, b"".join(complaints)))
        if not done:
            yield {"event": "broken", "reason": _last_line(b"".join(complaints)) or "the worker ended early"}
    finally:
        _end(process)


def _started(python: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    # Else asking torch whether there is a GPU starts CUDA, which no process survives that is forked afterwards.
    environment["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    environment.pop("PYTHONPATH", None) if environment.get("PYTHONPATH") == "" else None
    try:
        return subprocess.Popen(
            [python, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=os.name == "posix",
        )
    except OSError as error:
        raise NoWorker(f"{python} cannot be started: {error.strerror}") from error


def _all(stream: Any) -> bytes:
    data: bytes = stream.read()
    return data[-20_000:]


def _lines_of(process: subprocess.Popen[bytes], request: bytes) -> queue.Queue[bytes | None]:
    """The lines that the process writes, in a queue that ends with None."""
    lines: queue.Queue[bytes | None] = queue.Queue()

    def pump() -> None:
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError, OSError):
            process.stdin.write(request)
            process.stdin.close()
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    return lines


def _next(lines: queue.Queue[bytes | None], seconds: float) -> bytes | None:
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return None


def _why_not(python: str, complaints: bytes) -> str:
    if b"No module named 'torch'" in complaints:
        return (
            f"{python} has no torch, and the probe needs it: install torch there, or choose the Python of your project "
            "with --python"
        )
    return f"the worker did not start in {python}: {_last_line(complaints) or 'it said nothing'}"


def _last_line(complaints: bytes) -> str:
    lines = complaints.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr, process.stdin):
        with contextlib.suppress(OSError, ValueError):
            if stream is not None:
                stream.close()
