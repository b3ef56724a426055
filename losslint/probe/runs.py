"""Targets in, measurements out: one worker for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from losslint.measurements import Measurements, from_data
from losslint.probe.sandbox import Limits, NoWorker, run_worker
from losslint.probe.targets import Target
from losslint.settings import ProbeExample


@dataclass(frozen=True, slots=True)
class Run:
    """How to run: which Python, on which device (pretend, cuda or cpu), within which limits, with which examples, and
    whether doctests are run for inputs."""

    python: str
    device: str
    limits: Limits
    examples: Mapping[str, ProbeExample]
    doctests: bool = True


def run_targets(targets: Sequence[Target], run: Run) -> Iterator[Measurements]:
    """The measurements of each target as they come, which is not the order of the targets.

    Raises NoWorker where nothing can be run at all. A target the worker lost is reported as crashed.
    """
    if not targets:
        return
    waiting = dict(enumerate(targets))
    requests = [_request(number, target, run.examples) for number, target in waiting.items()]
    options = {
        "device": run.device,
        "doctests": run.doctests,
        "search_paths": list(dict.fromkeys(str(path) for each in targets for path in _search_paths(each))),
        "roots": list(dict.fromkeys(str(root.resolve()) for each in targets for root in _roots(each))),
    }
    lost = "the worker ended before it was run"
    for event in run_worker(run.python, requests, options, run.limits):
        if event.get("event") == "ready" and event.get("cuda") is False:
            raise NoWorker(f"--device cuda: torch {event['torch']} in {run.python} sees no GPU")
        if event.get("event") == "broken":
            lost = f"the worker broke down: {event['reason']}"
        if "measurements" in event:
            yield _measured(waiting.pop(event["id"]), event["measurements"])
    for target in waiting.values():
        yield _measured(target, {"status": "crashed", "reason": lost})


def _search_paths(target: Target) -> tuple[Path, ...]:
    """Where imports of a file are looked for: beside its package, and in the project where that is no package itself."""
    return (target.search_path,) if (target.root / "__init__.py").exists() else (target.search_path, target.root)


def _roots(target: Target) -> tuple[Path, ...]:
    return (target.root, target.search_path) if target.root == target.search_path else (target.root, target.file.parent)


def _request(number: int, target: Target, examples: Mapping[str, ProbeExample]) -> dict[str, Any]:
    given = examples.get(target.name) or examples.get(target.symbol)
    return {
        "id": number,
        "module": target.module,
        "file": str(target.file.resolve()),
        "symbol": target.symbol,
        "entries": list(target.entries),
        "examples": [msgspec.to_builtins(given)] if given is not None else [],
    }


def _measured(target: Target, data: Mapping[str, Any]) -> Measurements:
    place = {
        "target": target.name,
        "module": target.module,
        "symbol": target.symbol,
        "filename": str(target.file),
        "line": target.line,
        "end_line": target.end_line,
    }
    try:
        return from_data({**data, **place})
    except msgspec.ValidationError as error:
        reason = f"the worker's answer cannot be read: {error}"
        return from_data({"status": "crashed", "reason": reason, **place})
