"""Running losses and mutants; what was run already is remembered in benchmarks/.mutants."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from losslint.measurements import Measurements, from_data, to_data
from losslint.probe.runs import Run, run_targets
from losslint.probe.sandbox import WORKER, Limits
from losslint.probe.targets import Target
from losslint.settings import ProbeExample

STORE = Path(__file__).parent.parent / ".mutants"


@dataclass(frozen=True)
class Job:
    """A loss to run, on the inputs of an example or, without one, on inputs that are to be found."""

    target: Target
    example: ProbeExample | None = None
    device: str = "cpu"


class Runner:
    """Runs jobs, one loss at a time, and remembers their measurements by the text of the file."""

    def __init__(self) -> None:
        STORE.mkdir(exist_ok=True)
        digest = hashlib.sha256(version("torch").encode())
        for path in sorted(WORKER.rglob("*.py")):
            digest.update(path.read_bytes())
        self._file = STORE / f"{digest.hexdigest()[:16]}.jsonl"
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        self._known: dict[str, Measurements] = {key: from_data(data) for key, data in map(json.loads, lines)}

    def run(self, jobs: Iterable[Job]) -> Mapping[Job, Measurements]:
        """The measurements of each job."""
        keys = {job: _key(job) for job in jobs}
        for device in ("cpu", "pretend"):
            waiting = [job for job, key in keys.items() if key not in self._known and job.device == device]
            if waiting:
                print(f"running {len(waiting)} losses ({device})", file=sys.stderr, flush=True)
                self._run(waiting, device, keys)
        return {job: self._known[key] for job, key in keys.items()}

    def _run(self, jobs: list[Job], device: str, keys: Mapping[Job, str]) -> None:
        examples = {job.target.name: job.example for job in jobs if job.example is not None}
        by_name = {job.target.name: job for job in jobs}
        # A loaded machine must not decide what is measured.
        limits = Limits(loss=120.0, jobs=1)
        with self._file.open("a") as store:
            for m in run_targets([job.target for job in jobs], Run(sys.executable, device, limits, examples)):
                key = keys[by_name[m.target]]
                m = replace(m, **dict.fromkeys(("trace", "observed", "terms", "gradient_check", "determinism")))
                m = replace(m, other_inputs=(), output="")
                self._known[key] = m
                store.write(json.dumps([key, to_data(m)]) + "\n")
                store.flush()


def _key(job: Job) -> str:
    parts = [job.target.file.read_text(), job.target.symbol, *job.target.entries, job.device]
    if job.example is not None:
        parts += [job.example.inputs, job.example.construct]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def example_of(m: Measurements) -> ProbeExample | None:
    """The inputs of a run, to run another on them; None where they have no source."""
    if m.status != "ok" or not m.inputs or not all(each.text for each in m.inputs):
        return None
    construct = m.construction.text if m.construction is not None and m.construction.source != "function" else ""
    return ProbeExample(", ".join(f"{each.name}={each.text}" for each in m.inputs), construct)
