"""The process that imports modules one after the other and forks a child for every loss in them.

It keeps what it imported, so that a package is imported once; where an import kills it or takes too long, the supervisor
starts another for the modules that are left.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from .children import Child
from .limits import adopt_orphans, die_with_parent, end_orphans
from .loading import NotImported, load
from .request import Request, Target, sender

Send = Callable[[dict[str, Any]], None]


def run_modules(groups: Sequence[tuple[Target, ...]], request: Request, send: Send, tell: int) -> None:
    """Run groups of targets, each group of one module. `tell` is a descriptor on which the supervisor hears how far it is."""
    die_with_parent()
    adopt_orphans()
    note = sender(tell)
    folder = tempfile.mkdtemp(prefix="losslint-")
    os.chdir(folder)
    # A module that is imported already, with stand-ins, is not imported again for the next file of its package.
    by_package: dict[str, set[str]] = {}
    try:
        for group in groups:
            note({"importing": group[0].id})
            try:
                module, stood_in = load(group[0].module, group[0].file, request.search_paths)
            except NotImported as error:
                note({"imported": group[0].id})
                for target in group:
                    send(import_error(target, str(error)))
                note({"done": group[0].id})
                continue
            note({"imported": group[0].id})
            sys.stdout.flush()
            missing = by_package.setdefault(group[0].module.partition(".")[0], set())
            missing.update(stood_in)
            _run_losses(group, module, sorted(missing), request, send)
            note({"done": group[0].id})
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)


def import_error(target: Target, reason: str) -> dict[str, Any]:
    """The result of a target whose module cannot be imported."""
    return {
        "id": target.id,
        "measurements": {
            "status": "import-error",
            "reason": reason,
            "advice": f"`{target.module}` must import in the Python that runs it; --python chooses another",
        },
    }


def _run_losses(group: Sequence[Target], module: Any, stood_in: Sequence[str], request: Request, send: Send) -> None:
    waiting = list(group)[::-1]
    running: list[Child] = []
    while waiting or running:
        while waiting and len(running) < request.jobs:
            running.append(Child(waiting.pop(), module, request))
        pipes = {descriptor: child for child in running for descriptor in child.pipes}
        ready, _, _ = select.select(list(pipes), [], [], 0.1)
        for descriptor in ready:
            pipes[descriptor].read(descriptor)
        for child in [child for child in running if child.is_late or not child.pipes or child.has_ended]:
            running.remove(child)
            found = child.finish()
            end_orphans({other.pid for other in running})
            send({"id": child.target.id, "measurements": {**found, "stood_in": list(stood_in)}})
