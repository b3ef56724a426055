"""Keeping a process that runs foreign code within bounds. What a platform lacks is left out: the parent kills in the end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_LARGEST_FILE = 256 * 2**20
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_PDEATHSIG = 1


def limit(memory_bytes: int, cpu_seconds: float) -> None:
    """Bound the memory that this process may add to what it has, its processor time, and the files it writes."""
    try:
        import resource
    except ImportError:
        return
    bounds = {
        "RLIMIT_AS": _address_space() + memory_bytes,
        "RLIMIT_CPU": int(cpu_seconds) + 2,
        "RLIMIT_FSIZE": _LARGEST_FILE,
        "RLIMIT_CORE": 0,
    }
    for name, bound in bounds.items():
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, name), (bound, bound))


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return 64 * 2**30
    return pages * os.sysconf("SC_PAGE_SIZE")


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind, so that it can be found and ended (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Be killed when the parent ends (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_group(pid: int) -> None:
    """Kill a process and its group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def end_orphans(kept: set[int]) -> None:
    """Kill children of this process that it did not start: what a loss forked and left (Linux)."""
    mine = os.getpid()
    with contextlib.suppress(OSError):
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) not in kept and _parent(entry) == mine:
                end_group(int(entry.name))
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(int(entry.name), 0)


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return -1
