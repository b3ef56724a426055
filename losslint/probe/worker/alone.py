"""Running losses where there is no fork: every loss in an interpreter of its own, started from here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .children import run_guarded
from .loading import NotImported, load
from .module_process import import_error
from .request import PROTOCOL, Request

Send = Callable[[dict[str, Any]], None]


def run_alone(request: Request, send: Send) -> None:
    """A single target is run here and now; of several each gets its own interpreter."""
    if len(request.targets) == 1 and not request.fork and os.environ.get("LOSSLINT_WORKER_ALONE"):
        _run_here(request, send)
        return
    for target in request.targets:
        one = {**asdict(replace(request, targets=(target,))), "protocol": PROTOCOL, "fork": False}
        try:
            done = subprocess.run(
                [sys.executable, str(Path(__file__).parent)],
                input=json.dumps(one).encode(),
                capture_output=True,
                timeout=request.loss_seconds + request.import_seconds,
                env={**os.environ, "LOSSLINT_WORKER_ALONE": "1"},
            )
            written, status = done.stdout, done.returncode
        except subprocess.TimeoutExpired as error:
            written, status = error.stdout or b"", None
        send(_gathered(target.id, written, status, request))


def _gathered(number: int, written: bytes, status: int | None, request: Request) -> dict[str, Any]:
    """The parts that came from an interpreter as one result."""
    found: dict[str, Any] = {"status": "crashed"}
    for line in written.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        found |= event.get("part", {})
        found |= event.get("measurements", {})
    if status is None:
        found |= {"status": "timeout", "reason": f"not done after {request.loss_seconds:g} s: killed"}
    elif status != 0:
        found |= {"status": "crashed", "reason": f"its process ended with status {status}"}
    return {"id": number, "measurements": found}


def _run_here(request: Request, send: Send) -> None:
    target = request.targets[0]
    try:
        module, stood_in = load(target.module, target.file, request.search_paths)
    except NotImported as error:
        send(import_error(target, str(error)))
        return
    run_guarded(target, module, request, lambda part: send({"part": part}))
    send({"part": {"stood_in": list(stood_in)}})
