"""The worker's first process: has torch, imports nothing of the user's, and outlives everything that it starts."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import select
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

import torch

from .alone import run_alone
from .limits import adopt_orphans, end_group, end_orphans
from .module_process import import_error, run_modules
from .request import PROTOCOL, Request, Target, read_request, sender


def serve() -> None:
    """Read one request, run it, and write its events."""
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    data = json.loads(sys.stdin.buffer.read())
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    send = sender(out)
    send(
        {
            "event": "ready",
            "protocol": PROTOCOL,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "cuda": torch.cuda.is_available() if data.get("device") == "cuda" else None,
        }
    )
    request = read_request(data)
    torch.set_num_threads(1)
    if data.get("fork") and hasattr(os, "fork"):
        _preload()
        adopt_orphans()
        _supervise(request, send)
    else:
        run_alone(request, send)
    send({"event": "done"})


def _preload() -> None:
    """What each child would otherwise import for itself, at up to 1.5 s a time."""
    with warnings.catch_warnings(), contextlib.suppress(ImportError):
        warnings.simplefilter("ignore")
        for name in ("torch.testing", "torch.fx.experimental.proxy_tensor", "sympy", "torch._dynamo"):
            __import__(name)


def _grouped(targets: Sequence[Target]) -> list[tuple[Target, ...]]:
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.file, []).append(target)
    return [tuple(group) for group in groups.values()]


def _supervise(request: Request, send: Any) -> None:
    """Start module processes until every group is done; a group whose import ends one is reported and skipped."""
    groups = _grouped(request.targets)
    while groups:
        hear, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(hear)
            os.setpgid(0, 0)
            try:
                run_modules(groups, request, send, tell)
            finally:
                os._exit(0)
        os.close(tell)
        done, problem = _listen(hear, pid, request.import_seconds)
        os.close(hear)
        end_group(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        end_orphans(set())
        groups = [group for group in groups if group[0].id not in done]
        if groups:
            for target in groups[0]:
                send(import_error(target, problem))
            groups = groups[1:]


def _listen(hear: int, pid: int, import_seconds: float) -> tuple[set[int], str]:
    """The groups a module process gets done, and why it stopped where it did."""
    done: set[int] = set()
    deadline: float | None = None
    pending = b""
    while True:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([hear], [], [], timeout)
        if not ready:
            return done, f"importing it takes longer than {import_seconds:g} s: a script that runs when it is imported?"
        data = os.read(hear, 1 << 16)
        if not data:
            return done, "importing it ends the process"
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            deadline = time.monotonic() + import_seconds if "importing" in event else None
            if "done" in event:
                done.add(event["done"])
